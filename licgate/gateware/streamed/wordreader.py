"""Reading words from external memory: requests that cross no page, and the beats that come made into words."""

from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.memory.port import MemoryPort
from licgate.gateware.stream import Queue, connect
from licgate.gateware.streamed.burst import PageCutter, stretch_layout
from licgate.gateware.streamed.unpacker import Unpacker, record_layout, word_members

__all__ = ["WordReader"]

# Records announced whose beats have not all come.
_AHEAD = 4


class WordReader(Component):
    """Ask for stretches of memory and make words of them, a few records ahead.

    Parameters
    ----------
    program : StreamedProgram
    kinds : sequence of int
        Bits of a word of each kind.
    page_beats, most_beats : int
        No request crosses a multiple of the first; a stretch has no more beats than the second.
    most_words, part, tag
        Of records, see :class:`~licgate.gateware.streamed.unpacker.Unpacker`.

    Members
    -------
    port : :py:`Out(MemoryPort(...))`
    stretch : :py:`In(stream.Signature(stretch_layout(...)))`
        What to read: the stretches of records one after the other.
    record : :py:`In(stream.Signature(record_layout(kinds, most_words, tag)))`
        What comes: each record with its first stretch.
    o_valid, word, tag, first, last
        As of the Unpacker.

    Attributes
    ----------
    latency : int
        Cycles from a stretch to its first request: 2; a word comes 3 cycles behind its last beat.

    Resources: a PageCutter, an Unpacker, and a queue of four records in distributed memory.
    """

    latency = PageCutter.latency

    def __init__(self, program, kinds, *, page_beats, most_beats, most_words, part=None, tag=1):
        bits = program.beat_bits, program.address_bits
        self._unpacker = Unpacker(program.beat_bits, kinds, most_words=most_words, part=part, tag=tag)
        self._cutter = PageCutter(*bits, page_beats=page_beats, most_beats=most_beats)
        self._words = word_members(kinds, tag)
        super().__init__(
            {
                "port": Out(MemoryPort(*bits)),
                "stretch": In(stream.Signature(stretch_layout(program.address_bits, most_beats))),
                "record": In(stream.Signature(record_layout(kinds, most_words, tag))),
                **self._words,
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.unpacker = unpacker = self._unpacker
        m.submodules.cutter = cutter = self._cutter
        m.submodules.records = records = Queue(self.record.payload.shape(), _AHEAD)
        connect(m, cutter.request, flipped(self.port.request))
        connect(m, flipped(self.stretch), cutter.i)
        connect(m, flipped(self.record), records.i)
        connect(m, records.o, unpacker.i)
        m.d.comb += [
            self.port.w.valid.eq(0),
            unpacker.valid.eq(self.port.r_valid),
            unpacker.beat.eq(self.port.r_data),
            *(getattr(self, name).eq(getattr(unpacker, name)) for name in self._words),
        ]
        return m
