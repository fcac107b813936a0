"""The AXI4 master against a memory that stalls at random and checks the protocol."""

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.axi import Axi4Master, axi4_signature
from licgate.gateware.memory.port import MemoryPort
from tests.gateware.kit import monitor, run_simulation
from tests.gateware.memory.axislave import AxiRuleError, AxiSlave
from tests.gateware.memory.kit import Job, Requester, check_memory, port_monitors, random_jobs


class AxiSystem(Component):
    """An arbiter before an AXI4 master."""

    def __init__(self, count, bits, **options):
        self.arbiter, self.master = Arbiter(count, bits, 16), Axi4Master(bits, 16, **options)
        super().__init__(
            {
                "i": In(MemoryPort(bits, 16)).array(count),
                "bus": Out(axi4_signature(bits, self.master.bus_address_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.arbiter, m.submodules.master = self.arbiter, self.master
        for outer, inner in zip(self.i, self.arbiter.i):
            wiring.connect(m, wiring.flipped(outer), inner)
        wiring.connect(m, self.arbiter.o, self.master.port)
        wiring.connect(m, self.master.bus, wiring.flipped(self.bus))
        return m


def bus_monitors(bus):
    return [monitor(getattr(bus, name), name) for name in ("ar", "r", "aw", "w", "b")]


def simulate(jobs_by_port, bits, *, options=None, limit=60_000, eager=True, **slave_options):
    system = AxiSystem(len(jobs_by_port), bits, **(options or {}))
    slave = AxiSlave(system.bus, base=system.master.base, **slave_options)
    requesters = [Requester(port, jobs, eager=eager) for port, jobs in zip(system.i, jobs_by_port)]
    monitors = bus_monitors(system.bus) + port_monitors(system.arbiter.o, "o")
    monitors += [one for n, port in enumerate(system.i) for one in port_monitors(port, f"i[{n}]")]
    errors = []

    async def watch(ctx):
        async for _clk, _rst, error in ctx.tick().sample(system.master.error):
            errors.append(error)

    benches = [requester.run for requester in requesters]
    run_simulation(system, *benches, monitors=monitors, background=[slave.process, watch], limit=limit)
    return requesters, slave, errors[-1]


@pytest.mark.parametrize(("bits", "p", "seed"), [(128, 0.5, 1), (32, 0.2, 2), (512, 0.0, 3), (64, 0.8, 4)])
def test_what_is_written_is_read(bits, p, seed):
    contents = {address: address * 77 for address in range(600)}
    page = 64 if bits == 512 else 256
    jobs = [random_jobs(seed * 9 + port, 12, spread=700, page=page, bits=bits) for port in range(3)]
    base = 0x4_0000_0000
    requesters, slave, error = simulate(
        jobs, bits, options={"base": base}, contents=contents, p=p, seed=seed, eager=seed % 2 == 0
    )
    pairs = [(job, event) for one in requesters for job, event in zip(one.jobs, one.events)]
    assert slave.contents == check_memory(pairs, contents)
    assert not error
    assert sorted((kind, (address - base) * 8 // bits, beats) for kind, address, beats in slave.bursts) == sorted(
        ("aw" if job.write else "ar", job.address, job.beats) for job, _ in pairs
    )


@pytest.mark.parametrize("write", [False, True])
def test_beats_follow_each_other(write):
    """Two bursts on their way hide the memory's latency of 30 cycles."""
    jobs = [
        [Job(write, page << 8, 256, [page] * 256 if write else []) for page in range(port, 6, 2)] for port in (0, 1)
    ]
    requesters, _, _ = simulate(jobs, 128, p=0.0, latency=30)
    beats = sorted(beat for one in requesters for event in one.events for beat in event.beats)
    assert len(beats) / (beats[-1] - beats[0] + 1) >= 0.97


def test_latency():
    """From a request to `ar` and `aw`, from `r` to the port, from `b` to `done`."""
    master = Axi4Master(64, 16)
    slave = AxiSlave(master.bus, p=0.0, latency=7, contents={3: 33})
    watched = {name: monitor(getattr(master.bus, name), name) for name in ("ar", "r", "aw", "w", "b")}
    requester = Requester(master.port, [Job(True, 4, 1, [5], delay=20), Job(False, 3, 2)], eager=False)
    run_simulation(master, requester.run, background=[slave.process], monitors=watched.values(), limit=200)
    write, read = requester.events
    at = {name: one.transfer_cycles for name, one in watched.items()}
    assert at["aw"] == [write.accepted + Axi4Master.latency]
    assert at["w"] == [write.beats[0] + Axi4Master.latency]
    assert write.done == at["b"][0] + Axi4Master.latency
    assert at["ar"] == [read.accepted + Axi4Master.latency]
    assert read.beats == [cycle + Axi4Master.latency for cycle in at["r"]]
    assert read.data == [33, 5]


@pytest.mark.parametrize(("fails", "expected"), [((), 0), (("r",), 1), (("b",), 1)])
def test_an_answer_that_is_not_okay_is_kept(fails, expected):
    _, _, error = simulate([[Job(True, 0, 2, [1, 2]), Job(False, 9, 3)]], 128, fails=fails)
    assert error == expected


def test_a_master_that_breaks_a_rule_is_seen():
    """A requester that crosses a page makes the master cross 4 KB, and the memory objects."""
    with pytest.raises(AxiRuleError, match="4 beats from 0xff0 cross 4 KB"):
        simulate([[Job(False, 255, 4)]], 128)


def test_a_reset_starts_over():
    reset = Signal()
    system = AxiSystem(1, 128)
    dut = ResetInserter(reset)(system)
    port = system.i[0]

    async def host(ctx):
        ctx.set(port.request.payload, {"write": 1, "address": 7, "beats": 100})
        ctx.set(port.request.valid, 1)
        ctx.set(port.w.valid, 1)
        ctx.set(system.bus.w.ready, 1)
        await ctx.tick().until(system.bus.w.valid)
        await ctx.tick().repeat(5)
        ctx.set(port.request.valid, 0)
        ctx.set(port.w.valid, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert not any(ctx.get(channel.valid) for channel in (system.bus.ar, system.bus.aw, system.bus.w))
        # A system's reset is the memory's too: it starts with the jobs.
        slave = AxiSlave(system.bus, p=0.3)
        ctx.set(system.bus.w.ready, 0)
        holder.append(slave)
        requester = Requester(port, [Job(True, 9, 3, [4, 5, 6]), Job(False, 8, 5)])
        await requester.run(ctx)
        assert requester.events[1].data == [0, 4, 5, 6, 0]

    holder = []

    async def memory(ctx):
        while not holder:
            await ctx.tick()
        await holder[0].process(ctx)

    run_simulation(dut, host, background=[memory], limit=2000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data_bits": 48}, "data_bits must be 32, 64, 128, 256 or 512, not 48"),
        ({"address_bits": 0}, "address_bits must be a positive integer, not 0"),
        ({"base": 4096}, "the base 0x1000 is not a multiple of the memory's 0x100000000 bytes"),
        ({"base": 1 << 40}, "0x100000000 bytes from 0x10000000000 on do not fit an address of 40 bits"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Axi4Master(**arguments)
