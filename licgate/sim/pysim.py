"""Amaranth's own simulator: exact, slow, for small crops."""

import numpy as np
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from licgate.gateware.top.run import RESET_CYCLES
from licgate.sim.chance import ChancePlatform, Marked, draw
from licgate.sim.engine import PATIENCE, Outcome, armed, check_outcome
from licgate.sim.faults import Coin, Gate, seeds
from licgate.target.registers import Control, Register, Status

__all__ = ["run"]


def run(accelerator, job, progress=None, *, patience=PATIENCE):
    """Run a job; the host plays the part that sim/harness.cpp plays for CXXRTL, cycle by cycle the same."""
    result = {}
    writes, reads = armed(accelerator, job.registers, patience)
    platform, design = None, accelerator
    if job.random is not None:
        platform, marked = ChancePlatform(job.random), Marked(accelerator)
        design = Fragment.get(marked, platform)
    coin, *gates = [Coin(state) for state in seeds(job.faults)] if job.faults is not None else [None] * 3

    async def host(ctx):
        csr, i, o, o_patch = accelerator.csr, accelerator.i, accelerator.o, accelerator.o_patch

        async def read(address):
            ctx.set(csr.addr, address)
            await ctx.tick().repeat(2)
            return ctx.get(csr.r_data)

        async def write(address, value):
            ctx.set(csr.addr, address)
            ctx.set(csr.w_data, value)
            ctx.set(csr.w_stb, 1)
            await ctx.tick()
            ctx.set(csr.w_stb, 0)

        if platform is not None:
            for target, value in draw(job.random, marked.registers, platform.memories):
                ctx.set(target, value)
            # a host resets an accelerator before it starts it
            await write(Register.CONTROL, Control.RESET)
            for _ in range(2 * RESET_CYCLES):
                if not await read(Register.STATUS) & Status.BUSY:
                    break
        ctx.set(o.ready, 1)
        ctx.set(o_patch.ready, 1)
        for address, value in writes:
            await write(address, value)
        ctx.set(csr.addr, Register.STATUS)

        words = job.words
        patches, latents, pixels = [], [], iter(())
        takers = [(stream, Gate(gate)) for stream, gate in zip((o_patch, o), gates, strict=True) if gate]
        open_to = {id(o): True, id(o_patch): True}
        late = 0  # cycles until the next pixel is offered

        def offer():
            pixel = next(pixels, None)
            ctx.set(i.valid, pixel is not None)
            ctx.set(i.payload, pixel or 0)

        def be_ready():
            for stream, gate in takers:
                open_to[id(stream)] = gate.tick()
                ctx.set(stream.ready, open_to[id(stream)])

        be_ready()
        started, quiet, hung = False, 0, False
        sample = ctx.tick().sample(csr.r_data, i.valid, i.ready, o.valid, o.payload, o_patch.valid, o_patch.payload)
        while True:
            _, _, status, offered, ready, latent, value, asked, window = await sample
            if started and not status & Status.BUSY:
                break
            started = started or bool(status & Status.BUSY)
            latent, asked = latent and open_to[id(o)], asked and open_to[id(o_patch)]
            taken = offered and ready
            if latent:
                latents.append((value.value, value.last))
                if progress is not None and len(latents) % 1024 == 0:
                    progress(len(latents))
            if asked:
                patches.append((window.x, window.y, window.width, window.height))
                part = words
                if words.ndim == 2:
                    part = words[window.y : window.y + window.height, window.x : window.x + window.width]
                pixels = iter(part.ravel().tolist())
            if asked or taken:
                late = 0 if coin is None else coin.pause()
                if late:
                    ctx.set(i.valid, 0)
                else:
                    offer()
            elif late:
                late -= 1
                if not late:
                    offer()
            be_ready()
            quiet = 0 if asked or latent or taken else quiet + 1
            if status & Status.HUNG or quiet > 4 * patience + 10_000 or (not started and quiet > 1000):
                hung = True
                break
        result["status"] = await read(Register.STATUS)
        result["values"] = [await read(address) for address in reads]
        if platform is not None:
            result["clashes"] = sum(ctx.get(count) for count in platform.clashes)
        result.update(patches=patches, latents=latents, hung=hung)

    simulator = Simulator(design)
    simulator.add_clock(1e-8)
    simulator.add_testbench(host)
    simulator.run()
    counters = check_outcome(
        accelerator, hung=result["hung"], status=result["status"], values=result["values"], patience=patience
    )
    if platform is not None:
        counters["clashes"] = result["clashes"]
    latents = np.array(result["latents"], dtype=np.int64).reshape(-1, 2)
    return Outcome(
        np.array(result["patches"], dtype=np.int64).reshape(-1, 4),
        latents[:, 0],
        latents[:, 1] != 0,
        counters,
    )
