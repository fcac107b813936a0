"""Requesters at memory ports, a memory in Python, and the controller with its chip as one design under test."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.phy import SdramPhy, sdram_bus
from licgate.target.sdram import ULX3S_SDRAM
from tests.gateware.kit import monitor
from tests.gateware.memory.chip import SdramChip, attach

#: The board's chip, awake after 2 µs rather than 200.
CHIP = replace(ULX3S_SDRAM, power_up_us=2.0)


@dataclass
class Job:
    """One transaction; ``data`` of a write are its beats. ``delay`` cycles pass before it is requested."""

    write: bool
    address: int
    beats: int
    data: list = field(default_factory=list)
    delay: int = 0


@dataclass
class Events:
    """Cycles of one transaction, and what a read brought."""

    valid: int
    accepted: int | None = None
    beats: list = field(default_factory=list)
    done: int | None = None
    data: list = field(default_factory=list)


class Requester:
    """Drive one port through `jobs`, record what happens, and hold the memory to the port's contract.

    Parameters
    ----------
    eager : bool
        Request while the last transaction is under way, else after its ``done``.
    pipelined : bool
        Let the memory accept a request before the last one is done, as a controller without an arbiter does.
    early : bool
        Offer a write's first beat along with its request rather than after the acceptance.
    """

    def __init__(self, port, jobs, *, eager=True, pipelined=False, early=False):
        self.port, self.jobs = port, jobs
        self.eager, self.pipelined, self.early = eager, pipelined, early
        self.events = []

    async def run(self, ctx):
        port, jobs = self.port, list(self.jobs)
        cycle, offered, wait = 0, False, jobs[0].delay if jobs else 0
        under_way, beats = [], []

        def step():
            """Set what is driven in `cycle`."""
            nonlocal offered, wait
            if jobs and not offered and (self.eager or not under_way):
                if wait:
                    wait -= 1
                else:
                    offered = True
                    job = jobs[0]
                    self.events.append(Events(cycle))
                    ctx.set(port.request.payload, {"write": job.write, "address": job.address, "beats": job.beats})
            ctx.set(port.request.valid, offered)
            ahead = jobs[0].data[:1] if self.early and offered and jobs[0].write and not under_way else []
            ctx.set(port.w.valid, bool(beats or ahead))
            if beats or ahead:
                ctx.set(port.w.payload, (beats or ahead)[0])

        step()
        samples = port.request.ready, port.w.ready, port.r_valid, port.r_data, port.done
        async for _clk, _rst, ready, w_ready, r_valid, r_data, done in ctx.tick().sample(*samples):
            if w_ready and (beats or (self.early and offered)):
                assert beats, f"cycle {cycle}: a beat is taken before the request is accepted"
                beats.pop(0)
                next(event for job, event in under_way if job.write and len(event.beats) < job.beats).beats.append(
                    cycle
                )
            if r_valid:
                assert under_way, f"cycle {cycle}: a beat comes before its request is accepted"
                job, event = under_way[0]
                assert not job.write, f"cycle {cycle}: a beat is read in a write"
                event.beats.append(cycle)
                event.data.append(r_data)
            if done:
                job, event = under_way.pop(0)
                assert len(event.beats) == job.beats, (
                    f"cycle {cycle}: done after {len(event.beats)} of {job.beats} beats"
                )
                assert job.write or event.beats[-1] == cycle
                event.done = cycle
            if offered and ready:
                assert self.pipelined or not under_way, f"cycle {cycle}: accepted with a transaction under way"
                job = jobs.pop(0)
                offered, wait = False, jobs[0].delay if jobs else 0
                self.events[-1].accepted = cycle
                under_way.append((job, self.events[-1]))
                beats += job.data
            cycle += 1
            if not jobs and not under_way:
                ctx.set(port.request.valid, 0)
                ctx.set(port.w.valid, 0)
                return
            step()


class SdramSystem(Component):
    """Controller (and what stands before it) with its PHY; ``pins`` is for the chip."""

    def __init__(self, controller, front=None):
        self.controller, self.front = controller, front
        self.phy = SdramPhy(controller.round_trip)
        super().__init__({"pins": Out(sdram_bus)} | ({} if front else {"port": In(controller.port.signature.flip())}))

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller, m.submodules.phy = self.controller, self.phy
        wiring.connect(m, self.controller.bus, self.phy.bus)
        wiring.connect(m, wiring.flipped(self.pins), self.phy.pins)
        if self.front:
            m.submodules.front = self.front
            wiring.connect(m, self.front.o, self.controller.port)
        else:
            wiring.connect(m, wiring.flipped(self.port), self.controller.port)
        return m


def chip_of(controller, contents=None):
    return SdramChip(controller.timing, controller.clock_mhz, contents)


def chip_process(chip, system):
    return attach(chip, system.pins)


def random_jobs(seed, count, *, spread=1 << 24, most=40, delays=(0, 0, 0, 5, 60), page=512, bits=16):
    """Transactions that cross no page, at `spread` addresses so that ports and banks meet."""
    coin = random.Random(seed)
    jobs = []
    for _ in range(count):
        address = coin.randrange(spread)
        beats = min(coin.choice((1, 1, 2, 3, coin.randint(1, most))), page - address % page)
        write = coin.random() < 0.5
        data = [coin.getrandbits(bits) for _ in range(beats)] if write else []
        jobs.append(Job(write, address, beats, data, coin.choice(delays)))
    return jobs


def check_memory(jobs_and_events, contents=None):
    """Replay transactions in the order of their done; fail when a read brought anything else than what was there."""
    memory = dict(contents or {})
    for job, event in sorted(jobs_and_events, key=lambda pair: pair[1].done):
        addresses = range(job.address, job.address + job.beats)
        if job.write:
            memory.update(zip(addresses, job.data))
        else:
            assert event.data == [memory.get(address, 0) for address in addresses]
    return memory


def port_monitors(port, name, **options):
    return [monitor(port.request, f"{name}.request", **options), monitor(port.w, f"{name}.w", **options)]
