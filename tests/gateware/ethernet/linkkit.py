"""A whole link, compiled: with an accelerator that sends back what it gets, and hosts in virtual time."""

import random

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from licgate.gateware.ethernet.link import EthernetLink
from licgate.gateware.ethernet.mac import gmii_receive, gmii_transmit
from licgate.runtime.session import HostEnd, State
from licgate.sim.gmii import PacedGmii
from licgate.target.ethernet import EthernetFacts, Place, framed, udp_frame, udp_of

FACTS = EthernetFacts(receive_bytes=4096, transmit_bytes=2048)
HOST = Place(bytes.fromhex("0a1b2c3d4e5f"), bytes([169, 254, 1, 9]), 40000)
OTHER = Place(bytes.fromhex("0a1b2c3d4e60"), bytes([169, 254, 1, 10]), 40001)

#: Seconds that hosts take a cycle for: their clocks go 20 times too fast, and so does `RETRY` in place of 8 ms, so that
#: a simulation does not spend its time on waiting for what was lost.
CYCLE = 20 * 8e-9
RETRY = 50_000


class Echo(Component):
    """A link whose accelerator sends every byte back, plus one, or only every ``keep``-th of them."""

    def __init__(self, facts=FACTS, *, keep=1, **options):
        self.facts, self._keep = facts, keep
        self._link = EthernetLink(facts, **options)
        super().__init__({"receive": In(gmii_receive), "transmit": Out(gmii_transmit)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self._link
        connect(m, flipped(self.receive), link.receive)
        connect(m, link.transmit, flipped(self.transmit))
        count = Signal(range(self._keep))
        last = count == self._keep - 1
        m.d.comb += [
            link.i.payload.eq(link.o.payload + 1),
            link.i.valid.eq(link.o.valid & last),
            link.o.ready.eq(link.i.ready | ~last),
        ]
        with m.If(link.o.valid & link.o.ready):
            m.d.sync += count.eq(count + 1)
            with m.If(last):
                m.d.sync += count.eq(0)
        return m


def echoed(data, keep=1):
    """What an `Echo` sends back."""
    return bytes((byte + 1) & 0xFF for byte in data[keep - 1 :: keep])


class Bench:
    """Hosts in front of a compiled link, over a line that loses, doubles and reorders frames, and damages some."""

    def __init__(self, model, *, seed=0, loss=0.0, double=0.0, late=0.0, damage=0.0, step=400):
        self.model, self.coin, self._step = model, random.Random(seed), step
        self._odds = loss, double, late, damage
        self.board, self._late, self.faults = FACTS.place, [], 0
        self.frames = []

    @property
    def now(self):
        return self.model.cycles * CYCLE

    def _spoilt(self, frame, send):
        """Hand a frame with its FCS on, or what is left of it."""
        loss, double, late, damage = self._odds
        chance = self.coin.random()
        for odds, fault in ((loss, "loss"), (double, "double"), (late, "late"), (damage, "damage")):
            if chance < odds:
                self.faults += 1
                if fault == "damage":
                    frame = bytearray(frame)
                    frame[self.coin.randrange(len(frame))] ^= 1 << self.coin.randrange(8)
                    send(bytes(frame))
                elif fault == "double":
                    send(frame), send(frame)
                elif fault == "late":
                    self._late.append((self.model.cycles + self.coin.randrange(40_000), frame, send))
                return
            chance -= odds
        send(frame)

    def step(self, *hosts, cycles=None):
        """Let every (host, place) do what is due, and the link run; the data that it sent are taken."""
        for frame, send in [(f, s) for at, f, s in self._late if at <= self.model.cycles]:
            send(frame)
        self._late = [entry for entry in self._late if entry[0] > self.model.cycles]
        for host, place in hosts:
            for payload in host.due(self.now):
                self._spoilt(framed(udp_frame(place, self.board, payload)), self.model.send_raw)
        came = self.model.run(cycles or self._step)
        self.frames += came
        for _, frame in came:
            assert framed(frame[:-4]) == frame
            self._spoilt(frame, lambda data: self._arrive(hosts, data))

    def _arrive(self, hosts, data):
        found = udp_of(data[:-4]) if framed(data[:-4]) == data else None
        for host, place in hosts:
            if found and found[1] == place:
                host.receive(found[2], self.now)

    def carry(self, host, data, expected, place=HOST, *, limit=60_000):
        """Carry data through the link and back."""
        host.offer(data)
        got = bytearray()
        for _ in range(limit):
            self.step((host, place))
            got += host.taken()
            if len(got) >= len(expected) and not host.backlog:
                assert bytes(got) == expected
                return
        raise AssertionError(
            f"{len(got)} of {len(expected)} bytes came back, {host.backlog} are under way, {host.state}"
        )

    def open(self, session, place=HOST):
        """A host whose session is open."""
        host = HostEnd(session)
        for _ in range(3000):
            self.step((host, place))
            if host.state is State.OPEN:
                return host
        raise AssertionError("the link does not answer")


def compiled(component):
    """A model of it."""
    return PacedGmii(component)
