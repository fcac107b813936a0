"""The core of a streaming accelerator: a list of commands in external memory is carried out."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.arith import delayed
from licgate.gateware.engine.array import SystolicArray
from licgate.gateware.engine.feeder import Feeder
from licgate.gateware.engine.memory import BankedMemory
from licgate.gateware.engine.post import PostProcessor
from licgate.gateware.engine.writer import ResultWriter
from licgate.gateware.extmem.port import MemoryPort
from licgate.gateware.shared import clearable, gdn_memories
from licgate.gateware.stream import Queue, connect
from licgate.gateware.streamed.commander import Commander
from licgate.gateware.streamed.maploader import MapLoader
from licgate.gateware.streamed.recordwriter import RecordWriter
from licgate.gateware.streamed.release import StepRelease
from licgate.gateware.streamed.sequencer import BandSequencer
from licgate.gateware.streamed.weightloader import WeightLoader
from licgate.gateware.watchdog import Tap
from licgate.program import IN_FLIGHT

__all__ = ["PORTS", "StreamingCore"]

#: Ports to external memory, in the order of ``StreamingCore.ports``.
PORTS = ("commands", "weights", "maps", "results")

# Commands that wait for each unit.
_QUEUES = {"weights": 2, "load": 16, "band": 2}


class StreamingCore(Component):
    """Run a schedule.

    Parameters
    ----------
    program : StreamedProgram

    Members
    -------
    start, address : :py:`In(1)`, :py:`In(address_bits)`
        Begin with the command at ``address``; only while ``done``.
    done : :py:`Out(1)`
        All commands are carried out, all results are in memory (level).
    ports : :py:`Out(MemoryPort(...)).array(4)`
        Ports to external memory: commands, weights, maps, results.
    clear : :py:`In(1)`
        Give up whatever is under way. Held until the pipelines have drained and no transaction is under way.
    step, wait_map, wait_weights, wait_output : :py:`Out(1)`
        What this cycle was spent on: a step of the array, or waiting. At most one is set.

    Numerics: docs/numerics.md; results equal ``licgate.reference.run_transform`` bit by bit, whatever the memory's
    timing.

    Timing: licgate.perf.streamed.frame.
    """

    def __init__(self, program):
        self._program = program
        self._commander, self._sequencer, self._feeder = Commander(program), BandSequencer(program), Feeder(program)
        self._array = SystolicArray(
            program.rows,
            program.cols,
            a_width=program.activation_width,
            w_width=program.weight_width,
            acc_width=program.accumulator_width,
            pack_shift=program.pack_shift,
            high_width=program.packed_accumulator_width or None,
        )
        self._post = PostProcessor(program)
        result_width, norm_width = len(self._post.word[0]), len(self._post.norms[0])
        self._writer = ResultWriter(program, result_width, norm_width)
        self._records = RecordWriter(program, result_width)
        self._maps, self._weights = MapLoader(program), WeightLoader(program)
        port = MemoryPort(program.beat_bits, program.address_bits)
        super().__init__(
            {
                "start": In(1),
                "address": In(program.address_bits),
                "clear": In(1),
                "done": Out(1),
                "ports": Out(port).array(len(PORTS)),
                "step": Out(1),
                "wait_map": Out(1),
                "wait_weights": Out(1),
                "wait_output": Out(1),
            }
        )

    @property
    def probes(self):
        """What models are held against: 1 in the cycle of a column, a tile, a step or a wait; ``writes`` counts."""
        return {
            "columns": self._maps.loaded,
            "tiles": self._weights.loaded,
            "writes": self._records.writes,
            "steps": self.step,
            "wait_output": self.wait_output,
        }

    def taps(self):
        """The core's streams, for a `Watchdog`, in the order of docs/hostlink.md."""

        def tap(name, flow, source, sink):
            return Tap(name, flow.valid, flow.ready, source, sink)

        commands = "the list of commands"
        return [
            tap("weights", self._weights.i, commands, "the weight loader"),
            tap("load", self._maps.i, commands, "the map loader"),
            tap("band", self._sequencer.i, commands, "the sequencer"),
            tap("passes", self._sequencer.o_pass, "the sequencer", "the feeder"),
            tap("tiles", self._post.tile, "the sequencer", "the lanes"),
            tap("results", self._writer.i, "the sequencer", "the result writer"),
            tap("records", self._sequencer.o_record, "the sequencer", "the record writer"),
            tap("words", self._records._packer.i, "the lanes", "the packer"),
            *(
                tap(f"{name} request", port.request, "its unit", "the memory")
                for name, port in zip(PORTS, self.ports, strict=True)
            ),
        ]

    def elaborate(self, platform):
        m = Module()
        program = self._program
        commander, sequencer, feeder, array, post = (
            self._commander,
            self._sequencer,
            self._feeder,
            self._array,
            self._post,
        )
        writer, records, maps, weights = self._writer, self._records, self._maps, self._weights
        m.submodules.array = array
        m.d.comb += array.clear.eq(self.clear)
        units = ("commander", "sequencer", "feeder", "post", "writer", "records", "maps", "weights")
        for name in units:
            m.submodules[name] = clearable(m, self.clear, name, getattr(self, f"_{name}"))
        for port, unit in zip(self.ports, (commander, weights, maps, records), strict=True):
            connect(m, unit.port, flipped(port))

        # Commands.
        m.d.comb += [
            commander.start.eq(self.start),
            commander.address.eq(self.address),
            *(unit.start.eq(self.start) for unit in (sequencer, records, maps, weights)),
        ]
        waiting = []
        for kind, unit in (("weights", weights), ("load", maps), ("band", sequencer)):
            source = getattr(commander, kind)
            queue = Queue(source.payload.shape(), _QUEUES[kind])
            m.submodules[f"{kind}_commands"] = clearable(m, self.clear, f"{kind}_commands", queue)
            connect(m, source, queue.i)
            connect(m, queue.o, unit.i)
            waiting.append(queue.o.valid)

        # Passes leave descriptors for the drain and for the writers.
        connect(m, sequencer.o_pass, feeder.i)
        connect(m, sequencer.o_record, records.i)
        for name, source, target in (("tiles", sequencer.o_tile, post.tile), ("results", sequencer.o_write, writer.i)):
            queue = Queue(source.payload.shape(), IN_FLIGHT)
            m.submodules[name] = clearable(m, self.clear, name, queue)
            m.d.sync += [queue.i.payload.eq(source.payload), queue.i.valid.eq(source.valid)]
            m.d.comb += source.ready.eq(queue.i.ready)
            connect(m, queue.o, target)

        # What is used up is free when the last read has reached its memory.
        m.submodules.release = release = clearable(m, self.clear, "release", StepRelease(program))
        m.d.comb += [
            release.step.eq(feeder.busy),
            release.release.eq(feeder.release),
            release.ended.eq(feeder.released),
        ]
        freed = delayed(m, release.released.as_value(), program.feed_latency - StepRelease.latency, name="freed")
        released = Signal.like(feeder.released)
        m.d.comb += [
            released.as_value().eq(freed),
            maps.released.eq(released.slots),
            weights.released.eq(released.words),
            sequencer.column_loaded.eq(maps.loaded),
            sequencer.tile_loaded.eq(weights.loaded),
            sequencer.written.eq(writer.written),
            sequencer.packed.eq(records.packed),
            maps.writes.eq(records.writes),
        ]

        # Datapath.
        m.d.comb += [
            Cat(array.a).eq(Cat(feeder.a)),
            Cat(array.w).eq(Cat(feeder.w)),
            array.last.eq(feeder.last),
            post.last.eq(feeder.last),
            Cat(post.results).eq(Cat(array.results)),
            array.drain.eq(post.drain),
            Cat(writer.word).eq(Cat(post.word)),
            Cat(writer.norms).eq(Cat(post.norms)),
            writer.valid.eq(post.valid),
            Cat(records.word).eq(Cat(writer.output_word)),
            records.enable.eq(writer.output_enable),
        ]
        if program.packing:
            m.d.comb += Cat(post.highs).eq(Cat(array.highs))
        self._memories(m)

        idle = Signal()
        m.d.sync += idle.eq(commander.ended & ~Cat(waiting).any() & sequencer.idle & records.idle & ~self.start)
        settled = Signal(2)
        m.d.sync += settled.eq(Cat(idle, settled[0] & idle))
        m.d.comb += [
            # units tell each other things a cycle late
            self.done.eq(idle & settled.all()),
            self.step.eq(feeder.busy),
            *(
                getattr(self, f"wait_{name}").eq(getattr(sequencer, f"wait_{name}") & ~feeder.busy)
                for name in ("map", "weights", "output")
            ),
        ]
        return m

    def _memories(self, m):
        program, feeder, post, writer = self._program, self._feeder, self._post, self._writer
        for name, loader, kinds, views, count, address, data in (
            (
                "lines",
                self._maps,
                program.map_kinds,
                program.line_memories,
                program.rows,
                feeder.line_address,
                feeder.line_data,
            ),
            (
                "ring",
                self._weights,
                program.weight_kinds,
                program.weight_memories,
                program.cols,
                feeder.weight_address,
                feeder.weight_data,
            ),
        ):
            depth = views[0].depth
            m.submodules[name] = memory = BankedMemory(depth, max(kinds), registered=True)
            m.d.comb += [
                memory.address.eq(address[: len(memory.address)]),
                memory.write_enable.eq(loader.write_enable),
                memory.write_address.eq(loader.write_address),
                memory.write_data.eq(loader.write_data),
                # all kinds of words lie in the low bits
                *(data[f"m{k}"].eq(memory.data[: count * view.field]) for k, view in enumerate(views)),
            ]
        if any(op.is_gdn for op in program.ops):
            gdn_memories(m, feeder, post, writer)
