"""The range decoder: words and tables in, symbols out."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.coder.layouts import answer_layout, question_layout, word_layout
from licgate.gateware.coder.product import Product, scales, small_bits
from licgate.gateware.coder.remainder import Remainder
from licgate.gateware.coder.search import EntrySearch
from licgate.gateware.coder.words import WordReader
from licgate.gateware.stream import connect
from licgate.target.rangecoder import SCALE_BITS

__all__ = ["RangeDecoder"]


class RangeDecoder(Component):
    """Decode symbols from a stream of words, each with the table that it is asked for: constriction's range decoder.

    One stream follows the other; a reset begins a new one. Every question is answered, whatever the words are.

    Parameters
    ----------
    tables : CoderTables
        Of :func:`licgate.target.codertables.coder_tables`.

    Members
    -------
    i : :py:`In(stream.Signature(word_layout()))`
        Words. Behind the last one zeros are read; words that are left over behind the last symbol are thrown away.
    ask : :py:`In(stream.Signature(question_layout(tables)))`
        Which table codes the next symbol.
    o : :py:`Out(stream.Signature(answer_layout(tables)))`
        Symbols. ``bad`` is high where `licgate.codec.coder.SymbolReader` raises an error: at the symbol that its
        ``take`` stops at, or at the last one where its ``finish`` does.

    Attributes
    ----------
    interval : int
        Cycles from one question to the next, at most, where words, questions and room for answers wait for the decoder:
        ``precision + 2 + 2 * max(1, halvings)``, 40 for 20 bits and tables with a middle of 257 entries, see
        :class:`EntrySearch`. Two more to begin a stream, two to end one.
    latency : int
        From a question to its answer: ``interval``, one more for the last symbol.

    Numerics: :class:`licgate.target.rangecoder.RangeDecoder`, exactly.

    Timing: ``i.ready`` depends on ``o.ready``.

    Resources on ECP5: see docs/coder.md.
    """

    def __init__(self, tables):
        self.tables = tables
        self.latency = self.interval = tables.precision + 2 + 2 * max(1, tables.halvings)
        super().__init__(
            {
                "i": In(stream.Signature(word_layout())),
                "ask": In(stream.Signature(question_layout(tables))),
                "o": Out(stream.Signature(answer_layout(tables))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parts, flags = m.submodules, self._wired(m)
        steps, scale, triple = Signal(range(parts.rest.steps + 1), init=1), Signal(SCALE_BITS, init=-1), flags["triple"]
        for part in (parts.width, parts.rest):
            m.d.comb += [part.scale.eq(scale), part.triple.eq(triple)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("FILL"):
                m.d.comb += parts.words.fetch.eq(1)
                with m.If(parts.words.there):
                    m.d.sync += steps.eq(0)
                    with m.If(steps == 0):
                        m.next = "ASK"
            with m.State("ASK"):
                m.d.sync += [triple.eq(scale + (scale << 1)), steps.eq(parts.rest.steps)]
                self._take_question(m, flags)
            with m.State("DIVIDE"):
                m.d.comb += parts.rest.divide.eq(~flags["beyond"])
                m.d.sync += steps.eq(steps - 1)
                with m.If(flags["beyond"]):
                    m.next = "JUDGE"
                with m.Elif(steps == 1):
                    m.next = "SEARCH"
            with m.State("SEARCH"):
                m.d.comb += parts.search.go.eq(1)
                m.d.sync += [steps.eq(parts.rest.steps), flags["codes"].eq(~parts.search.single)]
                with m.If(parts.search.done):
                    m.d.comb += [parts.width.start.eq(~parts.search.single), parts.rest.load.eq(1)]
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                m.d.comb += [parts.width.step.eq(flags["codes"]), parts.rest.multiply.eq(1)]
                m.d.sync += steps.eq(steps - 1)
                with m.If(steps == 1):
                    m.next = "NORMALISE"
            with m.State("NORMALISE"):
                self._normalise(m, flags, scale)
            self._end(m, flags)
        with m.If(parts.words.drained):
            m.d.sync += [scale.eq(-1), steps.eq(1), flags["coded"].eq(0), flags["failed"].eq(0)]
        return m

    def _wired(self, m):
        """Add the parts and what connects them; return signals of the state by name."""
        precision = self.tables.precision
        m.submodules.width = width = Product(precision)
        m.submodules.rest = rest = Remainder(precision)
        m.submodules.search = search = EntrySearch(self.tables)
        m.submodules.words = words = WordReader(precision)
        connect(m, flipped(self.i), words.i)
        flags = {name: Signal(name=name) for name in ("last", "failed", "beyond", "codes", "coded", "small", "room")}
        m.d.comb += [
            flags["small"].eq(~width.product[small_bits(precision) :].any()),
            flags["room"].eq(~self.o.valid | self.o.ready),
            search.table.eq(self.ask.payload.table),
            search.quantile.eq(rest.quotient),
            width.share.eq(search.share),
            rest.distance.eq(search.distance),
            rest.shift.eq(words.fetch & words.there),
            rest.word.eq(words.word),
            words.coded.eq(flags["coded"]),
            words.product.eq(width.product),
            words.offset.eq(rest.offset),
        ]
        return {**flags, "triple": Signal(SCALE_BITS + 2, name="triple")}

    def _take_question(self, m, flags):
        """Begin with a question; where words are known to be bad, answer it."""
        search, failed, question = m.submodules.search, flags["failed"], self.ask.payload
        m.d.comb += [self.ask.ready.eq(~failed | flags["room"]), search.ask.eq(self.ask.valid & ~failed)]
        m.d.sync += [flags["last"].eq(question.last), flags["beyond"].eq(m.submodules.rest.beyond)]
        with m.If(search.ask):
            m.next = "DIVIDE"
        with m.Elif(self.ask.valid & flags["room"]):
            self._answer(m, search, question.last, bad=1)
            with m.If(question.last):
                m.next = "DRAIN"

    def _normalise(self, m, flags, scale):
        """Read a word if the range is small, and answer."""
        words, goes_on = m.submodules.words, flags["last"] | flags["room"]
        wants = flags["codes"] & flags["small"]
        m.d.comb += words.fetch.eq(wants & goes_on)
        with m.If(goes_on & (words.there | ~wants)):
            with m.If(flags["codes"]):
                short, long = scales(m.submodules.width.product)
                m.d.sync += [scale.eq(Mux(flags["small"], short, long)), flags["coded"].eq(1)]
            with m.If(flags["last"]):
                m.next = "CHECK"
            with m.Else():
                self._answer(m, m.submodules.search)
                m.next = "ASK"

    def _end(self, m, flags):
        """The states that find words bad, and end a stream."""
        search, words, last = m.submodules.search, m.submodules.words, flags["last"]
        with m.State("JUDGE"):
            # the point is beyond what an encoder can have reached, which matters once a symbol takes bits
            m.d.sync += flags["codes"].eq(0)
            with m.If(search.known & search.single):
                m.next = "NORMALISE"
            with m.Elif(search.known & flags["room"]):
                self._answer(m, search, last, bad=1)
                m.d.sync += flags["failed"].eq(1)
                m.next = "ASK"
                with m.If(last):
                    m.next = "DRAIN"
        with m.State("CHECK"), m.If(flags["room"]):
            self._answer(m, search, 1, bad=~words.whole)
            m.next = "DRAIN"
        with m.State("DRAIN"):
            m.d.comb += words.drain.eq(1)
            with m.If(words.drained):
                m.next = "FILL"

    def _answer(self, m, search, last=0, *, bad=0):
        """What goes out next."""
        out = self.o.payload
        m.d.sync += [self.o.valid.eq(1), out.last.eq(last), out.bad.eq(bad)]
        m.d.sync += [out.symbol.eq(search.symbol), out.low.eq(search.low), out.high.eq(search.high)]
