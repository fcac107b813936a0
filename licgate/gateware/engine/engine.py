"""The engine: carries out passes, whoever makes them, from what lies in memories to words for memories."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.clear import clearable
from licgate.gateware.engine.array import SystolicArray
from licgate.gateware.engine.feed.window import words_layout
from licgate.gateware.engine.feeder import Feeder
from licgate.gateware.engine.memory import BankedMemory, PartedMemory
from licgate.gateware.engine.points.array import PointArray
from licgate.gateware.engine.post import PostProcessor
from licgate.gateware.engine.writer import ResultWriter
from licgate.gateware.passes import address_width, pass_layout, release_shape, tile_layout, write_layout
from licgate.gateware.stream import Queue, SkidBuffer, StreamBuffer, connect
from licgate.gateware.watchdog import Probe
from licgate.program import IN_FLIGHT

__all__ = ["Engine"]

_REPORTS = ("written", "output_written", "row_done", "row_line")


def _array(program):
    """The array of a program."""
    widths = {"a_width": program.activation_width, "w_width": program.weight_width, "acc_width": program.sum_width}
    if program.arithmetic.points:
        options = {"width": program.multiplicand_width, "interval": program.lane_rows}
        return PointArray(program.rows, program.cols, **widths, **options)
    packing = {"pack_shift": program.pack_shift, "high_width": program.packed_accumulator_width or None}
    return SystolicArray(program.rows, program.cols, **widths, **packing, arithmetic=program.arithmetic)


class Engine(Component):
    """Feeder, array, lanes and writer, the queues of descriptors between them, and the inputs of GDN.

    Parameters
    ----------
    program : Program

    Members
    -------
    clear : :py:`In(1)`
        Give up whatever is under way. Held until the pipelines have drained, see ``licgate.gateware.top``.
    i_pass, i_tile, i_write : :py:`In(stream.Signature(...))`
        A pass and its descriptors, see :mod:`licgate.gateware.passes`; the latter may come at every second cycle, with
        the pass or later, ``IN_FLIGHT`` of them before their tile is written.
    busy, reads : :py:`Out(1)`
        A step is issued in this cycle; one that reads a weight, which by points not all do.
    release, released : :py:`Out(release_shape(program))`
        What the pass at work releases; what the pass that ends now does, else zero.
    line_address, line_data, weight_address, weight_data
        Read ports of line buffers and weights, see :class:`~licgate.gateware.engine.feeder.Feeder`.
    line_enable, line_write_address, line_word
        Write ports of the line buffers, see :class:`~licgate.gateware.engine.writer.ResultWriter`.
    output_enable, output_word
        Words that leave.
    written, output_written, row_done, row_line
        What is complete, see there.

    Attributes
    ----------
    result_width : int
        Bits of a result in a word.

    Timing: :class:`licgate.perf.engine.EngineModel`.
    """

    def __init__(self, program):
        self._program = program
        self._feeder, self._post = Feeder(program), PostProcessor(program)
        self._array = _array(program)
        self.result_width, norm_width = len(self._post.word[0]), len(self._post.norms[0])
        self._writer = writer = ResultWriter(program, self.result_width, norm_width)
        word = signed(self.result_width)
        super().__init__(
            {
                "clear": In(1),
                "i_pass": In(stream.Signature(pass_layout(program))),
                "i_tile": In(stream.Signature(tile_layout(program))),
                "i_write": In(stream.Signature(write_layout(program))),
                "busy": Out(1),
                **({"reads": Out(1)} if program.arithmetic.points else {}),
                "release": Out(release_shape(program)),
                "released": Out(release_shape(program)),
                "line_address": Out(address_width(program)),
                "line_data": In(words_layout(program.line_memories, program.rows)),
                "weight_address": Out(self._feeder.weight_address.shape()),
                "weight_data": In(words_layout(program.weight_memories, program.cols)),
                "line_enable": Out(len(writer.line_enable)),
                "line_write_address": Out(len(writer.line_address)),
                "line_word": Out(word).array(program.rows),
                "output_enable": Out(1),
                "output_word": Out(word).array(program.rows),
                **{name: Out(len(getattr(writer, name))) for name in _REPORTS},
            }
        )

    def probes(self, sequencer):
        """Streams as a watchdog sees them, by the name of who makes the passes."""
        passes, tiles, writes = self._feeder.i, self._post.tile, self._writer.i
        return [
            Probe("passes", passes.valid, passes.ready, sequencer, "the feeder"),
            Probe("tiles", tiles.valid, tiles.ready, sequencer, "the lanes"),
            Probe("writes", writes.valid, writes.ready, sequencer, "the writer"),
        ]

    def elaborate(self, platform):
        m = Module()
        feeder, array, post, writer = self._feeder, self._array, self._post, self._writer
        m.submodules.array = array
        for name in ("feeder", "post", "writer"):
            m.submodules[name] = clearable(m, self.clear, name, getattr(self, f"_{name}"))
        connect(m, flipped(self.i_pass), feeder.i)
        self._wait(m, "tiles", self.i_tile, post.tile)
        self._wait(m, "writes", self.i_write, writer.i)
        m.d.comb += [
            array.clear.eq(self.clear),
            Cat(array.a).eq(Cat(feeder.a)),
            Cat(array.w).eq(Cat(feeder.w)),
            array.step.eq(feeder.step) if self._program.arithmetic.points else array.last.eq(feeder.last),
            post.last.eq(feeder.last),
            Cat(post.results).eq(Cat(array.results)),
            array.drain.eq(post.drain),
            Cat(writer.word).eq(Cat(post.word)),
            Cat(writer.norms).eq(Cat(post.norms)),
            writer.valid.eq(post.valid),
            *(getattr(self, name).eq(getattr(feeder, name)) for name in ("busy", "release", "released")),
            *(getattr(self, name).eq(getattr(feeder, name)) for name in ("line_address", "weight_address")),
            *(getattr(feeder, name).eq(getattr(self, name)) for name in ("line_data", "weight_data")),
            *(getattr(self, name).eq(getattr(writer, name)) for name in ("line_enable", "output_enable", *_REPORTS)),
            self.line_write_address.eq(writer.line_address),
            Cat(self.line_word).eq(Cat(writer.line_word)),
            Cat(self.output_word).eq(Cat(writer.output_word)),
        ]
        if self._program.arithmetic.points:
            m.d.comb += self.reads.eq(feeder.reads)
        if self._program.packing:
            m.d.comb += Cat(post.highs).eq(Cat(array.highs))
        if any(op.is_gdn for op in self._program.ops):
            self._gdn_inputs(m)
        return m

    def _wait(self, m, name, source, target):
        """Descriptors wait between two registers: one before the queue, which is far off, one behind its memory."""
        shape = source.payload.shape()
        # By points the writer looks up where a tile's words go a cycle before the first one, which may come two cycles
        # behind the last one of another tile. All together they are as many places as elsewhere.
        ahead = name == "writes" and self._program.arithmetic.points
        queue = Queue(shape, IN_FLIGHT - ahead)
        front = SkidBuffer(shape) if ahead else StreamBuffer(shape)
        m.submodules[name] = clearable(m, self.clear, name, queue)
        m.submodules[f"{name}_front"] = clearable(m, self.clear, f"{name}_front", front)
        # Passes come at every second cycle at most, so the register is never overrun.
        m.d.sync += [queue.i.payload.eq(source.payload), queue.i.valid.eq(source.valid)]
        m.d.comb += source.ready.eq(queue.i.ready)
        connect(m, queue.o, front.i)
        connect(m, front.o, target)

    def _gdn_inputs(self, m):
        """The two copies of the GDN inputs: what the array sums, in parts of words, and what the lanes divide.

        Writes come through a register: nobody reads within many cycles of them, and the blocks may be far from the
        lanes.
        """
        feeder, post, writer = self._feeder, self._post, self._writer
        enable, address = Signal(name="write_norms"), Signal.like(writer.norm_address, name="write_norms_to")
        m.d.sync += [enable.eq(writer.norm_enable), address.eq(writer.norm_address)]
        for name, parts, written, wanted, output in (
            ("norms", self._program.arithmetic.indices, writer.norm_data, feeder.norm_address, feeder.norm_data),
            ("gdn_inputs", 1, writer.x_data, post.x_address, post.x_data),
        ):
            depth, width = post.x_depth // parts, len(written)
            m.submodules[name] = memory = PartedMemory([BankedMemory(depth, width) for _ in range(parts)])
            held = Signal.like(written, name=f"write_{name}", reset_less=True)
            m.d.sync += held.eq(written)
            m.d.comb += [
                memory.write_enable.eq(enable),
                memory.write_address.eq(address),
                memory.write_data.eq(held),
                memory.address.eq(wanted),
                output.eq(memory.data),
            ]
