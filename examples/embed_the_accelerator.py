"""Put the accelerator into an Amaranth design of one's own: a sensor's pixels go in, latents come out.

    python examples/embed_the_accelerator.py [--rtlil FILE]

`Frontend` is that design. It needs no host: it writes the few registers itself, takes one picture after the other as a
stream of pixels in raster order, and gives the latents as a stream. The example simulates it on a small picture
and compares every latent with the integer reference; `--rtlil` also writes the design for Yosys.
"""

import argparse
from pathlib import Path

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from licgate.gateware import Accelerator, AcceleratorConfig, Control, Register, Status, latent_layout
from licgate.images import synthetic_image
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program.order import stream_order
from licgate.reference import run_transform


class Frontend(Component):
    """Pictures of one size through g_a.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    width, height : int
        Of a picture, in pixels.

    Members
    -------
    i : :py:`In(stream.Signature(24))`
        Pixels in raster order, red in the low eight bits.
    o : :py:`Out(stream.Signature(latent_layout))`
        Latents: row by row, in it group by group of ``rows`` columns, in that channel by channel.
    """

    def __init__(self, manifest, config, width, height):
        self._accelerator = Accelerator(manifest, config)
        # one patch as large as the picture; whatever is not written keeps its first value
        self._registers = [
            (Register.WIDTH, width),
            (Register.HEIGHT, height),
            (Register.PATCH_WIDTH, width),
            (Register.PATCH_HEIGHT, height),
            (Register.CONTROL, Control.START),
        ]
        super().__init__({"i": In(stream.Signature(24)), "o": Out(stream.Signature(latent_layout))})

    def elaborate(self, platform):
        """Write the registers, then let a picture through."""
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        count = len(self._registers)
        index = Signal(range(count))
        m.d.comb += [
            accelerator.i.payload.eq(self.i.payload),
            accelerator.i.valid.eq(self.i.valid),
            self.i.ready.eq(accelerator.i.ready),
            self.o.payload.eq(accelerator.o.payload),
            self.o.valid.eq(accelerator.o.valid),
            accelerator.o.ready.eq(self.o.ready),
            # it asks for windows of the picture; here that is always the whole of it, in the order in which it comes
            accelerator.o_patch.ready.eq(1),
            accelerator.csr.addr.eq(Register.STATUS),
        ]
        with m.FSM():
            with m.State("WRITE"):
                m.d.comb += [
                    accelerator.csr.addr.eq(Array(address for address, _ in self._registers)[index]),
                    accelerator.csr.w_data.eq(Array(value for _, value in self._registers)[index]),
                    accelerator.csr.w_stb.eq(1),
                ]
                with m.If(index == count - 1):
                    m.next = "PICTURE"
                with m.Else():
                    m.d.sync += index.eq(index + 1)
            with m.State("PICTURE"), m.If(self.o.valid & self.o.ready & self.o.payload.last):
                m.next = "LEAVE"
            # once STATUS says that the picture is done, the next one can start: CONTROL alone is written anew
            with m.State("LEAVE"), m.If((accelerator.csr.r_data & Status.DONE).any()):
                m.next = "WRITE"
        return m


def run(design, pictures, latents):
    """Send pictures, (H, W, 3) each, through the design; return so many latents of each, and the cycles."""
    received, cycles = [], 0

    async def sensor(ctx):
        for red, green, blue in np.concatenate([picture.reshape(-1, 3) for picture in pictures]).tolist():
            ctx.set(design.i.payload, red | green << 8 | blue << 16)
            ctx.set(design.i.valid, 1)
            await ctx.tick().until(design.i.ready)
        ctx.set(design.i.valid, 0)

    async def receiver(ctx):
        nonlocal cycles
        ctx.set(design.o.ready, 1)
        async for _, _, valid, value in ctx.tick().sample(design.o.valid, design.o.payload.value):
            cycles += 1
            if valid:
                received.append(value)
            if len(received) == latents * len(pictures):
                break

    simulator = Simulator(design)
    simulator.add_clock(1e-8)
    simulator.add_testbench(sensor, background=True)
    simulator.add_testbench(receiver)
    simulator.run()
    return np.reshape(received, (len(pictures), latents)), cycles


def main():
    """Simulate two pictures."""
    parser = argparse.ArgumentParser(description="Put the accelerator into a design of one's own.")
    parser.add_argument("--rtlil", type=Path, metavar="FILE", help="also write the design as RTLIL, which Yosys reads")
    args = parser.parse_args()

    width, height = 24, 16
    manifest = synthetic_manifest(channels=(3, 4, 6))  # a made-up model, small enough for a simulation in Python
    config = AcceleratorConfig(rows=4, cols=4, max_width=width)

    pictures = [synthetic_image(height, width, seed) for seed in range(2)]
    wanted = [
        stream_order(run_transform(manifest.g_a, np.moveaxis(picture, 2, 0).astype(np.int64)), 0, config.rows)
        for picture in pictures
    ]
    received, cycles = run(Frontend(manifest, config, width, height), pictures, len(wanted[0]))
    wrong = np.count_nonzero(received != wanted)
    print(f"{len(pictures)} pictures of {width} x {height}: {received.size} latents in {cycles} cycles")
    print(f"{wrong} of them other than the reference's")
    if args.rtlil:
        args.rtlil.write_text(rtlil.convert(Frontend(manifest, config, width, height), name="frontend"))
        print(f"written: {args.rtlil}")
    if wrong:
        raise SystemExit("the gateware differs from the reference")


if __name__ == "__main__":
    main()
