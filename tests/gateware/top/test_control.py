"""Run control: one ladder for the three kinds of accelerators, over their registers; random hosts and cores."""

import random

import pytest
from amaranth.lib.wiring import Out

from licgate.gateware.ports import CoreControl
from licgate.gateware.top.control import Control
from licgate.gateware.top.run import RESET_CYCLES, RunControl
from licgate.target.registers import Kind, Register, Status
from tests.gateware.kit import run_simulation

BUSY, DONE, REFUSED = Status.BUSY, Status.DONE, Status.REFUSED
START, RESET = 1, 2


def controlled(kind, cores=1):
    """Control of cores that tests play, and whether STATUS tells each core's done."""
    settings = {
        Kind.RESIDENT: {"width": Out(16), "transform": Out(3)},
        Kind.SDRAM: {"address": Out(24).array(cores)},
        Kind.AXI: {"address": Out(29).array(1)},
    }[kind]
    signature = CoreControl(settings, cores=cores, streams=1, levels=int(kind is Kind.RESIDENT))
    latency = 2 if kind is Kind.RESIDENT else 1
    return Control(kind, signature, constants={}, address_bits=24, latency=latency)


class Cores:
    """Cores that work until told otherwise; a reset waits ``quiet`` cycles for their last transaction."""

    def __init__(self, control, quiet):
        self.core, self.quiet = control.core, quiet
        self.ends = self.refuses = False
        self.starts, self.cleared = [], 0

    async def play(self, ctx):
        core, wait = self.core, 0
        done, refused, clear = (1 << core.signature.cores) - 1, 0, 0
        ctx.set(core.done, done)
        async for _, _, start, clear, held in ctx.tick().sample(core.start, core.clear, core.cleared):
            wait = wait + 1 if clear else 0
            cleared = bool(clear) and wait > self.quiet
            self.cleared += bool(clear and held)
            if start:
                self.starts.append(start)
                refused = int(self.refuses)
            done = (done & ~start) if not (self.ends or cleared) else (1 << core.signature.cores) - 1
            ctx.set(core.done, done)
            ctx.set(core.refused, refused)
            ctx.set(core.cleared, clear if cleared else 0)


@pytest.mark.parametrize("quiet", [0, 37])
@pytest.mark.parametrize(("kind", "cores"), [(Kind.RESIDENT, 1), (Kind.SDRAM, 1), (Kind.SDRAM, 3), (Kind.AXI, 1)])
def test_the_ladder(kind, cores, quiet):
    control = controlled(kind, cores)
    played = Cores(control, quiet)
    all_cores = (1 << cores) - 1

    async def host(ctx):
        async def write(address, value):
            ctx.set(control.csr.addr, address)
            ctx.set(control.csr.w_data, value)
            ctx.set(control.csr.w_stb, 1)
            await ctx.tick()
            ctx.set(control.csr.w_stb, 0)
            await ctx.tick()

        async def status():
            ctx.set(control.csr.addr, Register.STATUS)
            await ctx.tick().repeat(3)
            return ctx.get(control.csr.r_data)

        async def finish():
            played.ends = True
            await ctx.tick().repeat(3)
            played.ends = False
            return await status()

        async def rest(value):
            """A reset that was asked for, to its end."""
            assert await status() == BUSY | value
            while (found := await status()) & BUSY:
                pass
            return found

        if kind is Kind.SDRAM:
            ctx.set(control.transfer.cleared, 1)
        assert await status() == 0
        # a run
        await write(Register.CONTROL, START)
        assert await status() == BUSY
        # a start beside it is refused, changes nothing, and is remembered behind the run's end
        await write(Register.CONTROL, START)
        assert await status() == BUSY | REFUSED
        assert await finish() == DONE | REFUSED
        assert played.starts == [all_cores]
        # the next run, given up
        await write(Register.CONTROL, START)
        assert await status() == BUSY
        await write(Register.CONTROL, RESET)
        assert await rest(0) == 0
        assert played.cleared == RESET_CYCLES
        # both at once: a reset wins; a start beside it is refused, and is remembered as well
        await write(Register.CONTROL, START | RESET)
        assert await status() == BUSY
        await write(Register.CONTROL, START)
        assert await rest(REFUSED) == REFUSED
        assert played.starts == [all_cores] * 2
        # a write of neither changes nothing; nor does one to STATUS
        await write(Register.CONTROL, 0)
        await write(Register.STATUS, START)
        assert await status() == REFUSED
        # the run after all of that
        await write(Register.CONTROL, START)
        assert await status() == BUSY
        assert await finish() == DONE
        # settings that the core refuses
        played.refuses = True
        await write(Register.CONTROL, START)
        assert await status() == BUSY | REFUSED
        assert await finish() == DONE | REFUSED
        played.refuses = False
        await write(Register.CONTROL, START)
        assert await status() == BUSY
        assert await finish() == DONE

    run_simulation(control, host, background=[played.play], limit=4000)


def test_some_of_the_cores_start_while_others_are_busy():
    control = controlled(Kind.SDRAM, 3)
    core = control.core

    async def host(ctx):
        async def write(address, value):
            ctx.set(control.csr.addr, address)
            ctx.set(control.csr.w_data, value)
            ctx.set(control.csr.w_stb, 1)
            await ctx.tick()
            ctx.set(control.csr.w_stb, 0)
            return ctx.get(core.start)

        async def status():
            ctx.set(control.csr.addr, Register.STATUS)
            await ctx.tick().repeat(2)
            return ctx.get(control.csr.r_data)

        ctx.set(core.done, 0b111)
        await write(Register.CORES, 0b011)
        assert await write(Register.CONTROL, START) == 0b011
        ctx.set(core.done, 0b100)
        await write(Register.CORES, 0b110)
        assert await write(Register.CONTROL, START) == 0b100, "core 1 is busy"
        ctx.set(core.done, 0b000)
        assert await status() == BUSY | REFUSED
        ctx.set(core.done, 0b011)
        assert await status() == BUSY | REFUSED
        ctx.set(core.done, 0b111)
        assert await status() == DONE | REFUSED
        await write(Register.CORES, 0b001)
        assert await write(Register.CONTROL, START) == 0b001
        assert await status() & ~DONE == 0, "the core did not begin"

    run_simulation(control, host, limit=100)


@pytest.mark.parametrize("refuses", [0, 1])
def test_a_transfer_shares_the_refusal(refuses):
    control = controlled(Kind.SDRAM)
    transfer = control.transfer

    async def host(ctx):
        ctx.set(control.core.done, 1)
        ctx.set(transfer.refused, refuses)
        ctx.set(control.csr.addr, Register.MEMORY_ADDRESS)
        ctx.set(control.csr.w_data, 1234)
        ctx.set(control.csr.w_stb, 1)
        await ctx.tick()
        for register, port in ((Register.MEMORY_WRITE, transfer.write), (Register.MEMORY_READ, transfer.read)):
            ctx.set(control.csr.addr, register)
            ctx.set(control.csr.w_data, 77)
            assert (ctx.get(port), ctx.get(transfer.beats), ctx.get(transfer.address)) == (1, 77, 1234)
            assert ctx.get(transfer.write) + ctx.get(transfer.read) == 1
            await ctx.tick()
        ctx.set(control.csr.w_stb, 0)
        ctx.set(control.csr.addr, Register.STATUS)
        await ctx.tick()
        assert ctx.get(control.csr.r_data) == (REFUSED if refuses else 0)

    run_simulation(control, host, limit=50)


class Golden:
    """`RunControl`, cycle by cycle."""

    def __init__(self, cores):
        self.all = (1 << cores) - 1
        self.busy = self.done = self.refused = False
        self.start = self.stopping = self.left = 0
        self.works = self.started = False

    def step(self, *, start, reset, selected, other, other_refused, core_done, cleared, quiet):
        works = core_done != self.all
        ready = 0 if self.stopping else core_done & ~self.start
        if self.start or self.stopping:
            self.done, self.started = False, not self.stopping
        elif self.works and not works and self.started:
            self.done = True
        self.works = works and not self.stopping
        if reset:
            self.refused, self.start = False, 0
        elif start:
            self.refused, self.start = bool(selected & ~ready), selected & ready
        else:
            self.start = 0
            if other:
                self.refused = bool(other_refused)
        if reset:
            self.stopping, self.left = True, RESET_CYCLES
        elif self.stopping and quiet and cleared == self.all:
            self.left -= 1
            self.stopping = self.left > 0


@pytest.mark.parametrize(("cores", "seed"), [(1, 1), (2, 2), (4, 3)])
def test_random_hosts_and_cores(cores, seed):
    run, golden, coin = RunControl(cores), Golden(cores), random.Random(seed)
    full = (1 << cores) - 1
    seen = set()

    async def host(ctx):
        left = [0] * cores
        for _ in range(2500):
            # cores work for a while after a start; they are cleared some time after they were told
            for core in range(cores):
                if golden.start >> core & 1:
                    left[core] = coin.randrange(1, 60)
                elif golden.stopping and coin.random() < 0.2:
                    left[core] = 0
                left[core] = max(0, left[core] - 1)
            values = {
                "start": int(coin.random() < 0.05),
                "reset": int(coin.random() < 0.004),
                "selected": coin.randrange(full + 1),
                "other": int(coin.random() < 0.05),
                "other_refused": coin.getrandbits(1),
                "core_done": sum((n == 0) << core for core, n in enumerate(left)),
                "cleared": full if golden.stopping and coin.random() < 0.9 else 0,
                "quiet": int(coin.random() < 0.9),
            }
            for name, value in values.items():
                ctx.set(getattr(run, name), value)
            working = values["core_done"] != full
            assert ctx.get(run.busy) == (working or golden.start != 0 or golden.stopping)
            await ctx.tick()
            golden.step(**values)
            assert (ctx.get(run.core_start), ctx.get(run.clear)) == (golden.start, full if golden.stopping else 0)
            assert (ctx.get(run.done), ctx.get(run.refused)) == (golden.done, golden.refused)
            seen.add((golden.done, golden.refused, bool(golden.stopping), golden.start != 0))

    run_simulation(run, host, limit=3000)
    assert len(seen) >= 7
