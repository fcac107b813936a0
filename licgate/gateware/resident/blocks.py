"""The input side of what computes in quads: packs pixels into words of every fourth column."""

from amaranth.hdl import Array, Cat, Mux, Signal
from amaranth.lib.memory import Memory

from licgate.gateware.resident.pixels import PixelWriter
from licgate.target.points import QUAD

__all__ = ["BlockWriter"]


class BlockWriter(PixelWriter):
    """Collect four times ``rows`` neighbouring pixels and write them as four words a channel, of every fourth each.

    Members are those of a :class:`~licgate.gateware.resident.pixels.PixelWriter`. Pixels beyond the image's width take
    a cycle each, and are zero.

    Attributes
    ----------
    latency : int
        Cycles from a block's last pixel to its first write: 4.
    interval : int
        A pixel a cycle, and one cycle for each block; channels more than ``rows`` slow it down.

    Resources: ``rows`` distributed memories of eight pixels.
    """

    def _collect(self, m):
        """Collect pixels; return those of each word of the block that was handed over."""
        rows, final = self._program.rows, self._final
        lanes, part, bank, filling = Signal(rows, init=1), Signal(range(QUAD)), Signal(), Signal()
        taken, self._word = self.i.valid & self.i.ready, Signal(range(QUAD), name="word")
        moves, block_ends = taken | filling, lanes[-1] & (part == QUAD - 1)
        m.d.comb += [self.i.ready.eq(self._open), self._hand.eq(self._full & (~self._writing | self._end))]
        self._handed = Signal(name="handed")
        m.d.sync += self._handed.eq(self._hand)
        with m.If(moves):
            m.d.sync += [part.eq(part + 1), self._full.eq(block_ends)]
            with m.If(part == QUAD - 1):
                m.d.sync += lanes.eq(lanes.rotate_left(1))
        follows = self._count(m, taken)
        with m.If(taken):
            m.d.sync += [
                final.eq(follows),
                self._open.eq(~block_ends & ~final),
                self._pending.eq(~final),
                filling.eq(final & ~block_ends),
            ]
        with m.If(filling & block_ends):
            m.d.sync += filling.eq(0)
        with m.If(self._hand):
            m.d.sync += [self._full.eq(0), self._open.eq(self._pending), bank.eq(~bank)]
        found = []
        for r in range(rows):
            m.submodules[f"lane_{r}"] = memory = Memory(
                shape=len(self.i.payload), depth=2 * QUAD, init=[], attrs={"ram_style": "distributed"}
            )
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(Cat(part, bank)),
                write.data.eq(Mux(filling, 0, self.i.payload)),
                write.en.eq(moves & lanes[r]),
                read.addr.eq(Cat(self._word, ~bank)),
            ]
            found.append(read.data)
        return found

    def _write(self, m, collected):
        """Write a block, word by word, channel by channel."""
        channels, bits = self._channels, self._bits
        channel = Signal(range(channels + 1))
        padding = self._program.arithmetic.padded(channels) - channels
        word_ends = channel == channels - 1
        m.d.comb += self._end.eq(word_ends & (self._word == QUAD - 1))
        with m.If(self._writing):
            m.d.sync += [channel.eq(channel + 1), self._target.eq(self._target + 1)]
            with m.If(word_ends):
                m.d.sync += [channel.eq(0), self._word.eq(self._word + 1), self._target.eq(self._target + 1 + padding)]
            with m.If(self._end):
                m.d.sync += self._writing.eq(0)
        with m.If(self._hand):
            m.d.sync += self._row_ends.eq(~self._pending)
        with m.If(self._handed):
            m.d.sync += self._writing.eq(1)
        m.d.sync += [
            self.write_enable.eq(self._writing),
            self.write_address.eq(self._target),
            self.write_data.eq(
                Array(Cat(pixel.word_select(c, bits) for pixel in collected) for c in range(channels))[channel]
            ),
        ]
