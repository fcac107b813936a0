"""The core: one patch of pixels in, its latents out; or a feature map in, what its transform makes of it out."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.arith import delayed
from licgate.gateware.clear import clearable
from licgate.gateware.engine.engine import Engine
from licgate.gateware.engine.memory import BankedMemory, PartedMemory, SplitMemory
from licgate.gateware.ports import latent_layout
from licgate.gateware.resident.blocks import BlockWriter
from licgate.gateware.resident.latents import LatentReader
from licgate.gateware.resident.mapblocks import MapBlockWriter
from licgate.gateware.resident.maps import MapWriter
from licgate.gateware.resident.pixels import PixelWriter
from licgate.gateware.resident.rows import DIMENSION
from licgate.gateware.resident.sequencer import Sequencer
from licgate.gateware.resident.turner import QuadTurner
from licgate.gateware.stream import connect
from licgate.gateware.watchdog import Probe

__all__ = ["Core"]

_REPORTS = ("released", "written", "output_written", "row_done", "row_line")


class Core(Component):
    """Run a chain of the program over one patch, which is an image of its own.

    Parameters
    ----------
    program : Program

    Members
    -------
    start : :py:`In(1)`
        Begin; only while ``done``. ``chain`` is stable since the cycle before.
    chain : :py:`In(range(chains))`
    width, height, skip_x, skip_y, keep_width, keep_height
        Size of the input; window of kept latents, where the chain takes pixels. Stable until ``done``.
    i : :py:`In(stream.Signature(...))`, o : :py:`Out(stream.Signature(latent_layout))`
    clear : :py:`In(1)`
        Give up whatever is under way. Held until the pipelines have drained, see ``licgate.gateware.top.run``.
    done : :py:`Out(1)`
        The last latent has left.
    step, wait_input, wait_memory, wait_output : :py:`Out(1)`
        What the cycle before was spent on: a step of the array, or waiting. At most one is set.

    Numerics: docs/numerics.md; latents equal ``licgate.reference.run_transform`` bit by bit.

    Timing: licgate.perf.
    """

    def __init__(self, program):
        self._program = program
        self._sequencer, self._engine = Sequencer(program), Engine(program)
        self._pixel_chain = next((chain.index for chain in program.chains if chain.pixels), None)
        self._inputs = {}
        if self._pixel_chain is not None:
            self._inputs["pixels"] = BlockWriter(program) if program.arithmetic.points else PixelWriter(program)
        if any(not chain.pixels for chain in program.chains):
            self._inputs["maps"] = MapBlockWriter(program) if program.arithmetic.points else MapWriter(program)
        # Beside feature maps, which come value by value, pixels of 24 bits are what the host link carries.
        least = 24 if "maps" in self._inputs else 0
        i_width = max(least, *(len(block.i.payload) for block in self._inputs.values()))
        self._latents = LatentReader(program, program.output_words, self._engine.result_width)
        size = {name: In(DIMENSION) for name in ("width", "height", "skip_x", "skip_y", "keep_width", "keep_height")}
        super().__init__(
            {
                "start": In(1),
                "clear": In(1),
                "done": Out(1),
                "chain": In(range(max(2, len(program.chains)))),
                **size,
                "i": In(stream.Signature(i_width)),
                "o": Out(stream.Signature(latent_layout)),
                "step": Out(1),
                "wait_input": Out(1),
                "wait_memory": Out(1),
                "wait_output": Out(1),
            }
        )

    def probes(self):
        """Streams as a watchdog sees them: in and out, a pass on its way to the array, its tiles on their way back."""
        return [
            Probe("pixels", self.i.valid, self.i.ready, "the host", "the line buffer"),
            Probe("latents", self.o.valid, self.o.ready, "the array", "the host", self._latents.free, "words free"),
            *self._engine.probes("the sequencer"),
        ]

    def elaborate(self, platform):
        m = Module()
        sequencer, engine, latents = self._sequencer, self._engine, self._latents
        m.submodules.engine = engine
        for name in ("sequencer", "latents"):
            m.submodules[name] = clearable(m, self.clear, name, getattr(self, f"_{name}"))
        for name, block in self._inputs.items():
            m.submodules[name] = clearable(m, self.clear, name, block)
        connect(m, sequencer.o_pass, engine.i_pass)
        connect(m, sequencer.o_tile, engine.i_tile)
        connect(m, sequencer.o_write, engine.i_write)
        connect(m, latents.o, flipped(self.o))
        m.d.comb += [
            engine.clear.eq(self.clear),
            sequencer.start.eq(self._started(m, "sequencer")),
            latents.start.eq(self._started(m, "latents")),
            sequencer.chain.eq(self.chain),
            latents.chain.eq(self.chain),
            sequencer.width.eq(self.width),
            sequencer.height.eq(self.height),
            latents.width.eq(sequencer.out_width),
            latents.height.eq(sequencer.out_height),
            sequencer.output_words.eq(latents.free),
            *(getattr(sequencer, name).eq(getattr(engine, name)) for name in _REPORTS if name != "output_written"),
        ]
        self._results(m)
        busy = self._connect_inputs(m)
        self._memories(m)

        # A start reaches the blocks a cycle later.
        starting = self._started(m, "core")
        m.d.sync += self.done.eq(sequencer.done & latents.done & ~busy & ~self.start & ~starting)
        m.d.sync += [
            self.step.eq(engine.busy),
            self.wait_input.eq(sequencer.wait_input & ~engine.busy),
            self.wait_output.eq(sequencer.wait_output & ~engine.busy),
        ]
        m.d.comb += self.wait_memory.eq(0)  # on-chip memories answer every cycle
        return m

    def _results(self, m):
        """Words that leave, and that those of a pass have left."""
        engine, latents, written = self._engine, self._latents, self._engine.output_written
        enable, word = engine.output_enable, engine.output_word
        if self._program.arithmetic.points:
            m.submodules.turner = turner = QuadTurner(self._program.rows, engine.result_width)
            m.d.comb += [turner.enable.eq(enable), Cat(turner.word).eq(Cat(word)), turner.clear.eq(self.clear)]
            enable, word = turner.o_enable, turner.o_word
            written = delayed(m, written, turner.latency, name="written")
        m.d.comb += [
            latents.enable.eq(enable),
            Cat(latents.word).eq(Cat(word)),
            self._sequencer.output_written.eq(written),
        ]

    def _connect_inputs(self, m):
        """Connect the chain's own input block to the stream; return whether one is at work."""
        sequencer, latents = self._sequencer, self._latents
        takes_pixels = Const(self._pixel_chain is not None)
        if len(self._inputs) > 1:
            takes_pixels = Signal()
            m.d.sync += takes_pixels.eq(self.chain == self._pixel_chain)
        for name, block in self._inputs.items():
            chosen = takes_pixels if name == "pixels" else ~takes_pixels
            m.d.comb += [
                block.start.eq(self._started(m, name) & chosen),
                block.width.eq(self.width),
                block.height.eq(self.height),
                block.room.eq(sequencer.input_room),
                block.i.payload.eq(self.i.payload[: len(block.i.payload)]),
                block.i.valid.eq(self.i.valid & chosen),
            ]
            if name == "maps":
                m.d.comb += block.chain.eq(self.chain)
        blocks = list(self._inputs.values())
        m.d.comb += [
            self.i.ready.eq(Cat(block.i.ready for block in blocks).any()),
            sequencer.input_row.eq(Cat(block.row_done for block in blocks).any()),
        ]
        for kept, given, all_of_it in (
            (latents.skip_x, self.skip_x, 0),
            (latents.keep_width, self.keep_width, sequencer.out_width),
            (latents.skip_y, self.skip_y, 0),
            (latents.keep_height, self.keep_height, sequencer.out_height),
        ):
            m.d.sync += kept.eq(Mux(takes_pixels, given, all_of_it))
        return Cat(block.busy for block in blocks).any()

    def _started(self, m, name):
        """The start, a cycle later."""
        start = Signal(name=f"start_{name}")
        m.d.sync += start.eq(self.start)
        return start

    def _memories(self, m):
        """Weights and line buffers, read by the engine."""
        program, engine = self._program, self._engine
        for k, weights in enumerate(program.weight_memories):
            m.submodules[f"weights_{k}"] = rom = BankedMemory(
                weights.depth, program.cols * weights.field, init=weights.init, writable=False, registered=True
            )
            m.d.comb += [
                rom.address.eq(engine.weight_address[: len(rom.address)]),
                engine.weight_data[f"m{k}"].eq(rom.data),
            ]
        for k, values in enumerate(program.line_memories):
            parts = [self._line_memory(values) for _ in range(values.indices)]
            m.submodules[f"lines_{k}"] = lines = PartedMemory(parts)
            m.d.comb += [
                lines.address.eq(engine.line_address[: len(lines.address)]),
                engine.line_data[f"m{k}"].eq(lines.data),
            ]
            ports = (lines.write_enable, lines.write_address, lines.write_data)
            for port, value in zip(ports, self._line_writes(k, values), strict=True):
                m.d.comb += port.eq(value[: len(port)])

    def _line_memory(self, values):
        """A memory for a part of the words of a line buffer."""
        if values.split:
            return SplitMemory(values.depth, self._program.rows, values.bits)
        return BankedMemory(values.depth, self._program.rows * values.bits, registered=True)

    def _line_writes(self, k, values):
        """Who writes a line buffer: the host's values, or results. Enable, address and word."""
        program, engine = self._program, self._engine
        owners = {program.stages[c.first].memory: "pixels" if c.pixels else "maps" for c in program.chains}
        if owners.get(k) == "pixels":
            pixels = self._inputs["pixels"]
            return pixels.write_enable, pixels.write_address, pixels.write_data
        if owners.get(k) == "maps":
            maps = self._inputs["maps"]
            return maps.write_enable[k], maps.write_address, Cat(w[: values.bits] for w in maps.write_word)
        halves = engine.line_enable.word_select(k, 2)
        word = Cat(w[: values.bits] for w in engine.line_word)
        return halves if values.split else halves[0], engine.line_write_address, word
