"""An AXI4 memory that stalls at random, keeps to no more than the specification grants, and checks its master."""

import random
from collections import deque
from dataclasses import dataclass


class AxiRuleError(AssertionError):
    """The master broke a rule of AXI4."""


@dataclass
class Burst:
    address: int  # in beats
    beats: int
    due: int
    data: list | None = None


class AxiSlave:
    """Memory behind the five channels.

    Reads and writes are not ordered among each other: a read finds its data at any time from its address to its first
    beat, and a write lands at any time from its last beat to its answer. Reads among each other keep their order, and
    so do writes, as one ID demands.

    Parameters
    ----------
    p : float
        Probability of a stall, on every channel and cycle.
    latency : int
        Cycles from an address to the first beat, and from the last beat to the answer.
    """

    def __init__(self, bus, contents=None, *, seed=1, p=0.5, latency=5, base=0, fails=()):
        self.bus, self.contents, self.p, self.latency, self.base = bus, dict(contents or {}), p, latency, base
        self.coin, self.fails = random.Random(seed), set(fails)
        self.bytes = len(bus.r.payload.data) // 8
        self.reads, self.writes, self.arrived, self.answers = deque(), deque(), deque(), deque()
        self.cycle = 0
        self.bursts = []

    def fail(self, rule):
        raise AxiRuleError(f"cycle {self.cycle}: {rule}")

    def burst(self, payload, kind):
        """Check an address, and return its burst."""
        beats = payload.len + 1
        if payload.burst != 1 or 1 << payload.size != self.bytes:
            self.fail(f"{kind}: not an incrementing burst of whole beats")
        if payload.addr % self.bytes:
            self.fail(f"{kind}: address {payload.addr:#x} is not aligned")
        if payload.addr // 4096 != (payload.addr + beats * self.bytes - 1) // 4096:
            self.fail(f"{kind}: {beats} beats from {payload.addr:#x} cross 4 KB")
        if payload.addr < self.base:
            self.fail(f"{kind}: address {payload.addr:#x} lies before the memory")
        self.bursts.append((kind, payload.addr, beats))
        return Burst((payload.addr - self.base) // self.bytes, beats, self.cycle + self.latency)

    def willing(self):
        return self.coin.random() >= self.p

    def fetch(self, burst):
        if burst.data is None:
            addresses = range(burst.address, burst.address + burst.beats)
            burst.data = [self.contents.get(address, 0) for address in addresses]

    def land(self, address_and_data):
        address, data = address_and_data
        self.contents.update(zip(range(address, address + len(data)), data))

    async def process(self, ctx):
        """Background testbench."""
        bus = self.bus
        beats = []
        offering_r = offering_b = False
        samples = [
            bus.ar.valid,
            bus.ar.ready,
            bus.ar.payload,
            bus.aw.valid,
            bus.aw.ready,
            bus.aw.payload,
            bus.w.valid,
            bus.w.ready,
            bus.w.payload,
            bus.r.ready,
            bus.b.ready,
        ]
        landing = deque()
        async for _clk, _rst, arv, arr, ar, awv, awr, aw, wv, wr, w, rr, br in ctx.tick().sample(*samples):
            if offering_r and rr:
                offering_r = False
                self.reads[0].data.pop(0)
                if not self.reads[0].data:
                    self.reads.popleft()
            if offering_b and br:
                offering_b = False
                self.answers.popleft()
            if arv and arr:
                self.reads.append(self.burst(ar, "ar"))
            if awv and awr:
                self.writes.append(self.burst(aw, "aw"))
            if wv and wr:
                if w.strb != (1 << self.bytes) - 1:
                    self.fail("w: a byte is masked")
                beats.append(w.data)
                if w.last:
                    self.arrived.append(beats)
                    beats = []
                if len(beats) > 256:
                    self.fail("w: no last beat in 256")
            while self.writes and self.arrived:
                burst, data = self.writes.popleft(), self.arrived.popleft()
                if len(data) != burst.beats:
                    self.fail(f"w: the last beat comes after {len(data)}, not {burst.beats}")
                landing.append(((burst.address, data), self.cycle + self.latency))
            # A read is fetched, and a write lands, at any time that is allowed.
            for read in self.reads:
                if self.coin.random() < 0.1:
                    self.fetch(read)
            if landing and self.coin.random() < 0.1:
                write, due = landing.popleft()
                self.land(write)
                self.answers.append(due)
            if landing and landing[0][1] <= self.cycle:
                write, due = landing.popleft()
                self.land(write)
                self.answers.append(due)
            self.cycle += 1
            if not offering_r and self.reads and self.reads[0].due <= self.cycle and self.willing():
                read = self.reads[0]
                self.fetch(read)
                offering_r = True
                failed = "r" in self.fails
                ctx.set(bus.r.payload, {"data": read.data[0], "resp": 2 * failed, "last": len(read.data) == 1})
            if not offering_b and self.answers and self.answers[0] <= self.cycle and self.willing():
                offering_b = True
                ctx.set(bus.b.payload, {"resp": 3 * ("b" in self.fails)})
            ctx.set(bus.r.valid, offering_r)
            ctx.set(bus.b.valid, offering_b)
            for channel in (bus.ar, bus.aw, bus.w):
                ctx.set(channel.ready, self.willing())
