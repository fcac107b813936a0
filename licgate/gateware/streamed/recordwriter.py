"""Sends results to external memory, packed to the bits of their layer."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.arith import delayed
from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.passes import record_layout
from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.stream import Queue, connect
from licgate.gateware.streamed.blockqueue import BlockQueue, moved_level
from licgate.gateware.streamed.burst import PageCutter
from licgate.gateware.streamed.interleaver import Interleaver
from licgate.gateware.streamed.packer import Packer
from licgate.gateware.streamed.quadrecords import QuadRecords
from licgate.program.streamed import WRITES

__all__ = ["RecordWriter"]


class RecordWriter(Component):
    """Collect the words of a pass, pack them into beats, and write these once they are complete.

    Passes that go to consecutive addresses are written as one. Packing begins when fewer than ``WRITES`` writes are
    under way, so that the packer is never stopped.

    Parameters
    ----------
    program : StreamedProgram
    result_width : int
        Of a result.

    Members
    -------
    start : :py:`In(1)`
        No write is done.
    i : :py:`In(stream.Signature(record_layout(program)))`
        A pass, before its first word comes; by points at every fourth cycle at most.
    enable, word : :py:`In(1)`, :py:`In(result_width).array(rows)`
        The next word of the oldest pass. There are never more passes under way than
        ``program.output_credits``, those ``beyond`` the image not counted, and those of quads as many times as they
        make records; where words come in another order than that of records, none comes in the cycle behind another.
    packed : :py:`Out(1)`
        The words of a pass have left their queue, the cycle before; of quads, those of a record.
    writes : :py:`Out(24)`
        Writes that are in memory, since ``start``.
    port : :py:`Out(MemoryPort(...))`
    idle : :py:`Out(1)`
        Nothing is under way.

    Attributes
    ----------
    interval : int
        A word takes ``ceil(bits / beat_bits)`` cycles on its way.

    Resources: a :class:`~licgate.gateware.streamed.packer.Packer`, queues of ``output_words`` words (an
    :class:`~licgate.gateware.streamed.interleaver.Interleaver` where parities are made apart) and of the beats of
    ``WRITES`` writes.
    """

    def __init__(self, program, result_width):
        if not isinstance(result_width, int) or not 1 <= result_width <= 18:
            raise ValueError(f"result_width must be an integer from 1 to 18, not {result_width!r}")
        self._program, self._width = program, result_width
        self._kinds = sorted(set(program.output_kinds))
        self._most = max(
            sum(
                program.beats(min(program.cols, s.last_op.channels_out - c) * kind)
                for c in range(0, s.last_op.channels_out, program.cols)
            )
            if s.gdn is not None
            else sum(
                program.beats(min(program.cols, s.conv.channels_out - c) * kind)
                for c in range(0, min(program.tile_channels(s.conv), s.conv.channels_out), program.cols)
            )
            for s, kind in zip(program.stages, program.output_kinds, strict=True)
        )
        self._packer = Packer(program.beat_bits, self._kinds)
        self._cutter = PageCutter(
            program.beat_bits, program.address_bits, page_beats=program.page_beats, most_beats=self._most, write=True
        )
        super().__init__(
            {
                "start": In(1),
                "i": In(stream.Signature(record_layout(program))),
                "enable": In(1),
                "word": In(result_width).array(program.rows),
                "packed": Out(1),
                "writes": Out(24),
                "idle": Out(1),
                "port": Out(MemoryPort(program.beat_bits, program.address_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, kinds = self._program, self._kinds
        m.submodules.packer = packer = self._packer
        m.submodules.cutter = cutter = self._cutter
        m.submodules.words = words = self._queue(m, max(kinds) // program.rows)
        m.submodules.beats = beats = BlockQueue(WRITES * self._most, program.beat_bits)
        m.submodules.passes = passes = Queue(self.i.payload.shape(), program.output_credits)
        m.submodules.targets = targets = Queue(cutter.i.payload.shape(), WRITES)
        connect(m, targets.o, cutter.i)
        if program.arithmetic.points:
            m.submodules.records = records = QuadRecords(program)
            connect(m, records.o, passes.i)
            m.d.comb += [
                records.i.payload.eq(self.i.payload),
                records.i.valid.eq(self.i.valid),
                self.i.ready.eq(records.i.ready),
            ]
        else:
            m.d.comb += [
                passes.i.payload.eq(self.i.payload),
                passes.i.valid.eq(self.i.valid & (~self.i.payload.beyond if program.upsampling else 1)),
                self.i.ready.eq(passes.i.ready),
            ]
        m.d.comb += words.enable.eq(self.enable)
        completes, under_way = self._write(m, cutter, beats)
        busy, moved = self._pack(m, passes, words, completes)
        written = self._collect(m, moved, beats, targets)
        waiting = passes.o.valid | targets.o.valid | beats.o.valid
        m.d.comb += self.idle.eq(~(waiting | busy | packer.busy | written | under_way | ~cutter.i.ready))
        return m

    def _pack(self, m, passes, words, completes):
        """Words of the pass at work, through the packer; return whether there is a pass, and what moved.

        The pass is seen through a register: it stays a cycle longer than in its queue. What moved is whether a word
        did, whether it was the first of a write, whether the last of its pass, and the pass.
        """
        program, kinds, packer = self._program, self._kinds, self._packer
        coming, current = Signal.like(self.i.payload), Signal.like(self.i.payload)
        left, current_kind, of_one = Signal.like(self.i.payload.count), Signal(range(max(2, len(kinds)))), Signal()
        # `ends_pass` and `ends_part` say that one word is left.
        busy, first, ends_pass, ends_part = Signal(), Signal(), Signal(), Signal()
        # A part of a record has as many channels as the array columns; a packed pass makes two.
        part_left = Signal(range(program.cols + 1))
        kind_of = Array(kinds.index(k) for k in program.output_kinds)
        kind, bits = Signal(range(max(2, len(kinds)))), max(kinds) // program.rows
        values = [words.o.payload.word_select(r, bits) for r in range(program.rows)]
        moved, through = Signal(), Signal()
        m.d.comb += [
            coming.eq(passes.o.payload),
            packer.i.payload.word.eq(Array(Cat(v[: k // program.rows] for v in values) for k in kinds)[kind]),
            packer.i.payload.kind.eq(kind),
            packer.i.payload.last.eq(ends_pass | ends_part),
            packer.i.valid.eq(busy & words.o.valid),
            words.o.ready.eq(busy & packer.i.ready),
            moved.eq(packer.i.valid & packer.i.ready),
            through.eq(moved & ends_pass),
            passes.o.ready.eq(self.packed),
        ]
        m.d.sync += [
            current.eq(coming),
            current_kind.eq(kind_of[coming.stage]),
            of_one.eq(coming.count == 1),
            self.packed.eq(through),
        ]
        with m.If(moved):
            m.d.sync += [
                left.eq(left - 1),
                first.eq(0),
                ends_pass.eq(left == 2),
                part_left.eq(Mux(ends_part, program.cols, part_left - 1)),
                ends_part.eq(Mux(ends_part, program.cols == 1, part_left == 2)),
            ]
            with m.If(ends_pass):
                m.d.sync += busy.eq(0)
        # Writes that have begun to be packed and are not done.
        begins, begun = Signal(), Signal(WRITES)
        m.d.sync += begins.eq(~busy & ~begins & ~self.packed & passes.o.valid & (~begun[-1] | ~coming.first))
        m.d.sync += begun.eq(moved_level(begun, begins & current.first, completes))
        with m.If(begins):
            m.d.sync += [
                busy.eq(1),
                left.eq(current.count),
                first.eq(current.first),
                ends_pass.eq(of_one),
                part_left.eq(program.cols),
                ends_part.eq(program.cols == 1),
                kind.eq(current_kind),
            ]
        return busy, (moved, first, ends_pass, current)

    def _collect(self, m, word, beats, targets):
        """Beats and where they go, with their number counted as they come; return that a write is complete."""
        packer, (moved, first, ends_pass, current) = self._packer, word
        target = Signal.like(targets.i.payload)
        beat_count = Signal.like(target.beats)
        # Of the word that the packer took last, and that comes out of it; known a cycle after it was taken.
        ends, waiting = Signal(), Signal.like(target.address)
        took, was_first, was_end = Signal(), Signal(), Signal()
        m.d.sync += [took.eq(moved), was_first.eq(moved & first), was_end.eq(ends_pass)]
        with m.If(took):
            m.d.sync += ends.eq(current.last & was_end)
        with m.If(was_first):
            m.d.sync += waiting.eq(current.address)
        out = delayed(m, Cat(ends, waiting), packer.latency - 2, name="out")
        complete, written = Signal(), Signal()
        m.d.comb += [
            complete.eq(packer.o_valid & packer.last & out[0]),
            beats.enable.eq(packer.o_valid),
            beats.word.eq(packer.beat),
            targets.i.payload.eq(target),
            targets.i.valid.eq(written),
        ]
        # A cycle later: a write is asked for when its last beat is on its way to the port.
        m.d.sync += [written.eq(complete), target.address.eq(out[1:]), target.beats.eq(beat_count + 1)]
        with m.If(packer.o_valid):
            m.d.sync += beat_count.eq(beat_count + 1)
            with m.If(complete):
                m.d.sync += beat_count.eq(0)
        return written

    def _write(self, m, cutter, beats):
        """Requests, and the writes that they complete; return that one is complete, and that a request is under way."""
        port, final, under_way, asked, completes = self.port, Signal(), Signal(), Signal(), Signal()
        connect(m, cutter.request, flipped(port.request))
        m.d.comb += [
            port.w.payload.eq(beats.o.payload),
            port.w.valid.eq(beats.o.valid),
            beats.o.ready.eq(port.w.ready),
            asked.eq(port.request.valid & port.request.ready),
            completes.eq(port.done & final),
        ]
        with m.If(port.done):
            m.d.sync += [self.writes.eq(self.writes + final), under_way.eq(0)]
        with m.If(asked):
            m.d.sync += [final.eq(cutter.ends), under_way.eq(1)]
        with m.If(self.start):
            m.d.sync += self.writes.eq(0)
        return completes, under_way

    def _queue(self, m, bits):
        """The queue of words, of ``bits`` a pixel, fed."""
        program = self._program
        if not program.interleaves:
            queue = BlockQueue(program.output_depth, program.rows * bits)
            m.d.comb += queue.word.eq(Cat(word[:bits] for word in self.word))
            return queue
        stages, points = program.stages, program.arithmetic.points
        queue = Interleaver(
            program.rows,
            bits,
            most_words=program.most_words,
            most_apart=max(stage.last_op.channels_out for stage in stages),
            depth=program.output_depth,
            quads=points,
        )
        coming, out = self.i.payload, queue.i.payload
        names = ("count", "column", "beyond", "first", "last", "quads")
        # the tiles of a GDN are one write, those of a convolution one each
        channels = of_stage(coming.stage, (stage.last_op.channels_out for stage in stages))
        whole = of_stage(coming.stage, (stage.gdn is not None for stage in stages))
        m.d.comb += [
            *(mine.eq(word[:bits]) for mine, word in zip(queue.word, self.word, strict=True)),
            queue.i.valid.eq(self.i.valid),
            *(getattr(out, name).eq(getattr(coming, name)) for name in names if name in coming.shape().members),
            out.apart.eq(Mux(whole, channels, coming.count >> 2 if points else coming.count)),
            out.pair.eq(of_stage(coming.stage, (stage.upsampling for stage in stages))),
        ]
        return queue
