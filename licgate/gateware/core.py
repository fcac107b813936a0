"""The core: one patch of pixels in, its latents out."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import fifo, stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.array import SystolicArray
from licgate.gateware.feeder import Feeder
from licgate.gateware.latents import LatentReader
from licgate.gateware.memory import BankedMemory
from licgate.gateware.pixels import PixelWriter
from licgate.gateware.ports import latent_layout
from licgate.gateware.post import PostProcessor
from licgate.gateware.rows import DIMENSION
from licgate.gateware.sequencer import Sequencer
from licgate.gateware.writer import ResultWriter
from licgate.program import IN_FLIGHT

__all__ = ["Core"]


class Core(Component):
    """Run the program over one patch, which is an image of its own.

    Parameters
    ----------
    program : Program
    output_words : int
        Depth of the latent FIFO.

    Members
    -------
    start : :py:`In(1)`
        Begin; only while ``done``.
    width, height, skip_x, skip_y, keep_width, keep_height
        Size in pixels; window of kept latents. Stable until ``done``.
    i : :py:`In(stream.Signature(channels * bits))`, o : :py:`Out(stream.Signature(latent_layout))`
    clear : :py:`In(1)`
        Give up whatever is under way. Held until the pipelines have drained, see ``top.RESET_CYCLES``.
    done : :py:`Out(1)`
        The last latent has left.
    step, wait_input, wait_memory, wait_output : :py:`Out(1)`
        What this cycle was spent on: a step of the array, or waiting. At most one is set.

    Numerics: docs/numerics.md; latents equal ``licgate.reference.run_transform`` bit by bit.

    Timing: licgate.perf.
    """

    def __init__(self, program, *, output_words):
        self._program = program
        self._sequencer = Sequencer(program, output_words)
        self._feeder = Feeder(program)
        self._array = SystolicArray(
            program.rows, program.cols,
            a_width=program.activation_width, w_width=program.weight_width, acc_width=program.accumulator_width,
        )  # fmt: skip
        self._post = PostProcessor(program)
        result_width, norm_width = len(self._post.word[0]), len(self._post.norms[0])
        self._writer = ResultWriter(program, result_width, norm_width)
        self._pixels = PixelWriter(program)
        self._latents = LatentReader(program, output_words, result_width)
        size = {name: In(DIMENSION) for name in ("width", "height", "skip_x", "skip_y", "keep_width", "keep_height")}
        super().__init__({
            "start": In(1), "clear": In(1), "done": Out(1), **size,
            "i": In(self._pixels.signature.members["i"].signature),
            "o": Out(stream.Signature(latent_layout)),
            "step": Out(1), "wait_input": Out(1), "wait_memory": Out(1), "wait_output": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        sequencer, feeder, array, post = self._sequencer, self._feeder, self._array, self._post
        writer, pixels, latents = self._writer, self._pixels, self._latents
        m.submodules.array = array
        m.d.comb += array.clear.eq(self.clear)
        for name in ("sequencer", "feeder", "post", "writer", "pixels", "latents"):
            m.submodules[name] = self._clearable(m, name, getattr(self, f"_{name}"))

        # Control. Each pass leaves descriptors for the drain and for the writer.
        m.d.comb += [
            sequencer.start.eq(self.start), pixels.start.eq(self.start), latents.start.eq(self.start),
            sequencer.width.eq(self.width), sequencer.height.eq(self.height),
            pixels.width.eq(self.width), pixels.height.eq(self.height),
            latents.width.eq(sequencer.out_width), latents.height.eq(sequencer.out_height),
            latents.skip_x.eq(self.skip_x), latents.skip_y.eq(self.skip_y),
            latents.keep_width.eq(self.keep_width), latents.keep_height.eq(self.keep_height),
            pixels.room.eq(sequencer.input_room), sequencer.input_row.eq(pixels.row_done),
            sequencer.released.eq(feeder.released),
            sequencer.output_words.eq(latents.free),
        ]  # fmt: skip
        _connect(m, sequencer.o_pass, feeder.i)
        for name, source, target in (("tiles", sequencer.o_tile, post.tile), ("writes", sequencer.o_write, writer.i)):
            queue = fifo.SyncFIFO(width=len(source.payload.as_value()), depth=IN_FLIGHT)
            m.submodules[name] = self._clearable(m, name, queue)
            # Passes are issued at every second cycle at most, so a register in front of the queue is never overrun.
            m.d.sync += [queue.w_data.eq(source.payload.as_value()), queue.w_en.eq(source.valid)]
            m.d.comb += [
                source.ready.eq(queue.w_rdy),
                target.payload.as_value().eq(queue.r_data), target.valid.eq(queue.r_rdy), queue.r_en.eq(target.ready),
            ]  # fmt: skip
        for name in ("written", "output_written", "group_done", "group_slot", "row_done", "row_line"):
            m.d.comb += getattr(sequencer, name).eq(getattr(writer, name))

        # Datapath.
        m.d.comb += [
            Cat(array.a).eq(Cat(feeder.a)), Cat(array.w).eq(Cat(feeder.w)), array.last.eq(feeder.last),
            post.last.eq(feeder.last),
            Cat(post.results).eq(Cat(array.results)), array.shift.eq(post.shift),
            Cat(writer.word).eq(Cat(post.word)), Cat(writer.norms).eq(Cat(post.norms)), writer.valid.eq(post.valid),
            Cat(latents.word).eq(Cat(writer.output_word)), latents.enable.eq(writer.output_enable),
            pixels.i.payload.eq(self.i.payload), pixels.i.valid.eq(self.i.valid), self.i.ready.eq(pixels.i.ready),
            self.o.payload.eq(latents.o.payload), self.o.valid.eq(latents.o.valid), latents.o.ready.eq(self.o.ready),
        ]  # fmt: skip
        self._memories(m)

        m.d.comb += [
            self.done.eq(sequencer.done & latents.done & ~pixels.busy),
            self.step.eq(feeder.busy),
            self.wait_input.eq(sequencer.wait_input & ~feeder.busy),
            self.wait_output.eq(sequencer.wait_output & ~feeder.busy),
            self.wait_memory.eq(0),  # on-chip memories answer every cycle
        ]
        return m

    def _clearable(self, m, name, block):
        """The block with a reset of its own, a register away from the others', so that none crosses the chip."""
        reset = Signal(name=f"clear_{name}", attrs={"keep": 1})
        m.d.sync += reset.eq(self.clear)
        return ResetInserter(reset)(block)

    def _memories(self, m):
        program = self._program
        feeder, post, writer, pixels = self._feeder, self._post, self._writer, self._pixels
        for k, weights in enumerate(program.weight_memories):
            m.submodules[f"weights_{k}"] = rom = BankedMemory(
                weights.depth, program.cols * weights.bits, init=weights.init, writable=False, registered=True
            )
            m.d.comb += [
                rom.address.eq(feeder.weight_address[: len(rom.address)]),
                feeder.weight_data[f"m{k}"].eq(rom.data),
            ]
        for k, values in enumerate(program.line_memories):
            m.submodules[f"lines_{k}"] = lines = BankedMemory(
                values.depth, program.rows * values.bits, registered=True
            )
            m.d.comb += [
                lines.address.eq(feeder.line_address[: len(lines.address)]),
                feeder.line_data[f"m{k}"].eq(lines.data),
            ]
            if k == program.stages[0].memory:
                write = (pixels.write_enable, pixels.write_address, pixels.write_data)
            else:
                write = (writer.line_enable[k], writer.line_address, Cat(w[: values.bits] for w in writer.line_word))
            for target, source in zip((lines.write_enable, lines.write_address, lines.write_data), write, strict=True):
                m.d.comb += target.eq(source[: len(target)])
        if any(op.is_gdn for op in program.ops):
            for name, data, address, output in (
                ("norms", writer.norm_data, feeder.norm_address, feeder.norm_data),
                ("gdn_inputs", writer.x_data, post.x_address, post.x_data),
            ):
                m.submodules[name] = memory = BankedMemory(post.x_depth, len(data))
                m.d.comb += [
                    memory.write_enable.eq(writer.norm_enable), memory.write_address.eq(writer.norm_address),
                    memory.write_data.eq(data), memory.address.eq(address), output.eq(memory.data),
                ]  # fmt: skip


def _connect(m, source, target):
    """Connect two streams whose payloads must have the same shape; amaranth's own connect compares widths only."""
    if source.payload.shape() != target.payload.shape():
        raise TypeError(f"cannot connect a stream of {source.payload.shape()!r} to one of {target.payload.shape()!r}")
    m.d.comb += [target.payload.eq(source.payload), target.valid.eq(source.valid), source.ready.eq(target.ready)]
