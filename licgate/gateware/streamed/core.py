"""The core of a streamed accelerator: a list of commands in external memory is carried out."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.arith import delayed
from licgate.gateware.clear import clearable
from licgate.gateware.engine.engine import Engine
from licgate.gateware.engine.memory import BankedMemory, PartedMemory
from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.stream import Queue, connect
from licgate.gateware.streamed.commander import Commander
from licgate.gateware.streamed.maploader import MapLoader
from licgate.gateware.streamed.recordwriter import RecordWriter
from licgate.gateware.streamed.release import StepRelease
from licgate.gateware.streamed.sequencer import BandSequencer
from licgate.gateware.streamed.weightloader import WeightLoader
from licgate.gateware.watchdog import Probe

__all__ = ["PORTS", "StreamedCore"]

#: Ports to external memory, in the order of ``StreamedCore.ports``.
PORTS = ("commands", "weights", "maps", "results")

# Commands that wait for each unit.
_QUEUES = {"weights": 2, "load": 16, "band": 2}


class StreamedCore(Component):
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
        self._commander, self._sequencer = Commander(program), BandSequencer(program)
        self._engine = Engine(program)
        self._records = RecordWriter(program, self._engine.result_width)
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
    def events(self):
        """What models are held against: 1 in the cycle of a column, a tile, a step or a wait; ``writes`` counts."""
        return {
            "columns": self._maps.loaded,
            "tiles": self._weights.loaded,
            "writes": self._records.writes,
            "steps": self.step,
            "wait_output": self.wait_output,
        }

    def probes(self):
        """The core's streams, for a `Watchdog`, in the order of docs/hostlink.md."""

        def probe(name, flow, source, sink):
            return Probe(name, flow.valid, flow.ready, source, sink)

        commands = "the list of commands"
        return [
            probe("weights", self._weights.i, commands, "the weight loader"),
            probe("load", self._maps.i, commands, "the map loader"),
            probe("band", self._sequencer.i, commands, "the sequencer"),
            *self._engine.probes("the sequencer"),
            probe("records", self._sequencer.o_record, "the sequencer", "the record writer"),
            probe("words", self._records._packer.i, "the lanes", "the packer"),
            *(
                probe(f"{name} request", port.request, "its unit", "the memory")
                for name, port in zip(PORTS, self.ports, strict=True)
            ),
        ]

    def elaborate(self, platform):
        m = Module()
        program = self._program
        commander, sequencer, engine = self._commander, self._sequencer, self._engine
        records, maps, weights = self._records, self._maps, self._weights
        m.submodules.engine = engine
        for name in ("commander", "sequencer", "records", "maps", "weights"):
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

        connect(m, sequencer.o_pass, engine.i_pass)
        connect(m, sequencer.o_tile, engine.i_tile)
        connect(m, sequencer.o_write, engine.i_write)
        connect(m, sequencer.o_record, records.i)

        # What is used up is free when the last read has reached its memory.
        m.submodules.release = release = clearable(m, self.clear, "release", StepRelease(program))
        m.d.comb += [
            release.step.eq(engine.reads if program.arithmetic.points else engine.busy),
            release.release.eq(engine.release),
            release.ended.eq(engine.released),
        ]
        freed = delayed(m, release.released.as_value(), program.feed_latency - StepRelease.latency, name="freed")
        released = Signal.like(engine.released)
        m.d.comb += [
            released.as_value().eq(freed),
            maps.released.eq(released.slots),
            weights.released.eq(released.words),
            sequencer.column_loaded.eq(maps.loaded),
            sequencer.tile_loaded.eq(weights.loaded),
            sequencer.written.eq(engine.written),
            sequencer.packed.eq(records.packed),
            maps.writes.eq(records.writes),
            Cat(records.word).eq(Cat(engine.output_word)),
            records.enable.eq(engine.output_enable),
            engine.clear.eq(self.clear),
        ]

        self._memories(m)

        idle = Signal()
        m.d.sync += idle.eq(commander.ended & ~Cat(waiting).any() & sequencer.idle & records.idle & ~self.start)
        settled = Signal(2)
        m.d.sync += settled.eq(Cat(idle, settled[0] & idle))
        m.d.comb += [
            # units tell each other things a cycle late
            self.done.eq(idle & settled.all()),
            self.step.eq(engine.busy),
            *(
                getattr(self, f"wait_{name}").eq(getattr(sequencer, f"wait_{name}") & ~engine.busy)
                for name in ("map", "weights", "output")
            ),
        ]
        return m

    def _memories(self, m):
        program, engine = self._program, self._engine
        for name, loader, kinds, parts, views, count, address, data in (
            (
                "lines",
                self._maps,
                program.map_kinds,
                program.arithmetic.indices,
                program.line_memories,
                program.rows,
                engine.line_address,
                engine.line_data,
            ),
            (
                "ring",
                self._weights,
                program.weight_kinds,
                1,
                program.weight_memories,
                program.cols,
                engine.weight_address,
                engine.weight_data,
            ),
        ):
            depth, width = views[0].depth, max(kinds)
            m.submodules[name] = memory = PartedMemory(
                [BankedMemory(depth, width, registered=True) for _ in range(parts)]
            )
            m.d.comb += [
                memory.address.eq(address[: len(memory.address)]),
                memory.write_enable.eq(loader.write_enable),
                memory.write_address.eq(loader.write_address),
                memory.write_data.eq(loader.write_data),
                # all kinds of words lie in the low bits of a part
                *(
                    data[f"m{k}"].eq(
                        Cat(
                            memory.data.word_select(part, width)[: count * view.field // parts] for part in range(parts)
                        )
                    )
                    for k, view in enumerate(views)
                ),
            ]
