"""Amaranth's own simulator: exact, slow, for small crops."""

import numpy as np
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from licgate.gateware.top.run import RESET_CYCLES
from licgate.runtime.outcome import Outcome
from licgate.sim.chance import ChancePlatform, Marked, draw
from licgate.sim.engine import PATIENCE, armed, check_outcome
from licgate.sim.faults import Coin, Gate, seeds
from licgate.target.registers import Control, Register, Status

__all__ = ["run"]


def run(accelerator, job, progress=None, *, patience=PATIENCE):
    """Run a job; the host plays the part that sim/harness.cpp plays for compiled models, cycle by cycle the same."""
    writes, reads = armed(accelerator, job.registers, patience)
    platform, design = None, accelerator
    if job.random is not None:
        platform, marked = ChancePlatform(job.random), Marked(accelerator)
        design = Fragment.get(marked, platform)
    host, clashes = _Host(accelerator, job, progress), {}

    def clashed(ctx):
        return sum(ctx.get(count) for count in platform.clashes)

    async def play(ctx):
        before = 0
        if platform is not None:
            for target, value in draw(job.random, marked.registers, platform.memories):
                ctx.set(target, value)
            await host.reset(ctx)
            before = clashed(ctx)
        await host.start(ctx, writes)
        await host.serve(ctx, patience)
        host.status, *host.values = [await host.read(ctx, address) for address in (Register.STATUS, *reads)]
        if platform is not None:
            clashes["clashes"] = clashed(ctx) - before

    simulator = Simulator(design)
    simulator.add_clock(1e-8)
    simulator.add_testbench(play)
    simulator.run()
    counters = check_outcome(accelerator, hung=host.hung, status=host.status, values=host.values, patience=patience)
    latents = np.array(host.latents, dtype=np.int64).reshape(-1, 2)
    patches = np.array(host.patches, dtype=np.int64).reshape(-1, 4)
    return Outcome(patches, latents[:, 0], latents[:, 1] != 0, counters | clashes)


class _Host:
    """Registers, pixels and latents of one run: what has been asked for, what has come, and who is late."""

    def __init__(self, accelerator, job, progress):
        self._accelerator, self._words, self._progress = accelerator, job.words, progress
        self.patches, self.latents, self.hung = [], [], False
        self._pixels = iter(())
        self._late = 0  # cycles until the next pixel is offered
        streams = accelerator.o_patch, accelerator.o
        self._coin, *gates = [Coin(state) for state in seeds(job.faults)] if job.faults is not None else [None] * 3
        self._takers = [(stream, Gate(gate)) for stream, gate in zip(streams, gates, strict=True) if gate]
        self._open = {id(stream): True for stream in streams}

    async def start(self, ctx, writes):
        """Be ready, and write registers."""
        ctx.set(self._accelerator.o.ready, 1)
        ctx.set(self._accelerator.o_patch.ready, 1)
        for address, value in writes:
            await self.write(ctx, address, value)

    async def reset(self, ctx):
        """Reset the accelerator, as a host does before it starts it."""
        await self.write(ctx, Register.CONTROL, Control.RESET)
        for _ in range(2 * RESET_CYCLES):
            if not await self.read(ctx, Register.STATUS) & Status.BUSY:
                break

    async def write(self, ctx, address, value):
        """Write a register."""
        csr = self._accelerator.csr
        ctx.set(csr.addr, address)
        ctx.set(csr.w_data, value)
        ctx.set(csr.w_stb, 1)
        await ctx.tick()
        ctx.set(csr.w_stb, 0)

    async def read(self, ctx, address):
        """Return a register's content."""
        ctx.set(self._accelerator.csr.addr, address)
        await ctx.tick().repeat(2)
        return ctx.get(self._accelerator.csr.r_data)

    async def serve(self, ctx, patience):
        """Give pixels and take latents until the run is over, or the host has lost its patience."""
        csr, i, o, o_patch = (getattr(self._accelerator, name) for name in ("csr", "i", "o", "o_patch"))
        ctx.set(csr.addr, Register.STATUS)
        self._be_ready(ctx)
        started, quiet = False, 0
        sample = ctx.tick().sample(csr.r_data, i.valid, i.ready, o.valid, o.payload, o_patch.valid, o_patch.payload)
        while True:
            _, _, status, offered, ready, latent, value, asked, window = await sample
            if started and not status & Status.BUSY:
                break
            started = started or bool(status & Status.BUSY)
            latent, asked = latent and self._open[id(o)], asked and self._open[id(o_patch)]
            taken = offered and ready
            if latent:
                self._keep(value)
            if asked:
                self._look(window)
            self._offer(ctx, asked or taken)
            self._be_ready(ctx)
            quiet = 0 if asked or latent or taken else quiet + 1
            if status & Status.HUNG or quiet > 4 * patience + 10_000 or (not started and quiet > 1000):
                self.hung = True
                break

    def _keep(self, value):
        self.latents.append((value.value, value.last))
        if self._progress is not None and len(self.latents) % 1024 == 0:
            self._progress(len(self.latents))

    def _look(self, window):
        """Turn to the patch that is asked for."""
        self.patches.append((window.x, window.y, window.width, window.height))
        part = self._words
        if part.ndim == 2:
            part = part[window.y : window.y + window.height, window.x : window.x + window.width]
        self._pixels = iter(part.ravel().tolist())

    def _offer(self, ctx, anew):
        """Offer the next pixel: after one was taken, when its pause is over."""
        waited = self._late > 0
        if anew:
            self._late = 0 if self._coin is None else self._coin.pause()
        elif waited:
            self._late -= 1
        if self._late:
            ctx.set(self._accelerator.i.valid, 0)
        elif anew or waited:
            pixel = next(self._pixels, None)
            ctx.set(self._accelerator.i.valid, pixel is not None)
            ctx.set(self._accelerator.i.payload, pixel or 0)

    def _be_ready(self, ctx):
        for stream, gate in self._takers:
            self._open[id(stream)] = gate.tick()
            ctx.set(stream.ready, self._open[id(stream)])
