"""The input side of feature maps for what computes in quads: words of every fourth column."""

from amaranth.hdl import Cat, Mux, Signal
from amaranth.lib.memory import Memory

from licgate.gateware.resident.maps import MapWriter
from licgate.target.points import QUAD

__all__ = ["MapBlockWriter"]


class MapBlockWriter(MapWriter):
    """Collect up to four times ``rows`` neighbouring values of a channel and write them as four words.

    Members are those of a :class:`~licgate.gateware.resident.maps.MapWriter`; values come group of ``4 * rows`` columns
    by group. Columns beyond the map's width take a cycle each, and are zero.

    Attributes
    ----------
    latency : int
        Cycles from a group's last value of a channel to its first write: 3.
    interval : int
        A value a cycle, and one cycle for each channel of a group.

    Resources: ``rows`` distributed memories of eight values.
    """

    latency = 3

    def _first_place(self, m):
        return Signal.like(self.write_address, name="place")

    def _place_and_write(self, m):
        """Collect the values of a channel, hand them over, write them."""
        last_channel = self._constant(m, "last_channel", lambda stage: stage.conv.channels_in - 1)
        rows, channel, column = self._program.rows, Signal.like(last_channel), Signal.like(self._last_lane)
        lanes, part, bank = Signal(rows, init=1), Signal(range(QUAD)), Signal()
        filling, full, writing, word = Signal(), Signal(), Signal(), Signal(range(QUAD))
        taken, hand, group_ends = Signal(), Signal(), Signal()
        block_ends, values_end = lanes[-1] & (part == QUAD - 1), column == self._last_lane
        m.d.comb += [
            self.i.ready.eq(self._pending & ~filling & ~full),
            taken.eq(self.i.valid & self.i.ready),
            hand.eq(full & (~writing | (word == QUAD - 1))),
            group_ends.eq(hand & (channel == last_channel)),
        ]
        with m.If(taken | filling):
            m.d.sync += [part.eq(part + 1), full.eq(block_ends)]
            with m.If(part == QUAD - 1):
                m.d.sync += lanes.eq(lanes.rotate_left(1))
        with m.If(taken):
            m.d.sync += [column.eq(column + 1), filling.eq(values_end & ~block_ends)]
        with m.If(filling & block_ends):
            m.d.sync += filling.eq(0)
        with m.If(hand):
            m.d.sync += [full.eq(0), bank.eq(~bank), column.eq(0), channel.eq(channel + 1)]
        with m.If(group_ends):
            m.d.sync += [channel.eq(0), self._pending.eq(~self._final), *self._next_group()]
        collected = self._collected(m, (taken | filling, filling, lanes, Cat(part, bank)), Cat(word, ~bank))
        self._write(m, collected, (hand, group_ends, writing, word))
        with m.If(self.start):
            m.d.sync += [lanes.eq(1), *(s.eq(0) for s in (channel, column, part, full, filling))]

    def _collected(self, m, put, wanted):
        """The values of a word that is wanted, lane by lane."""
        moves, filling, lanes, address = put
        found = []
        for r in range(len(lanes)):
            m.submodules[f"lane_{r}"] = memory = Memory(
                shape=len(self.write_word[r]), depth=2 * QUAD, init=[], attrs={"ram_style": "distributed"}
            )
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(address),
                write.data.eq(Mux(filling, 0, self._magnitude())),
                write.en.eq(moves & lanes[r]),
                read.addr.eq(wanted),
            ]
            found.append(read.data)
        return found

    def _write(self, m, collected, control):
        """Write the four words of a channel, which lie as far apart as there are channels."""
        hand, group_ends, writing, word = control
        memory = self._constant(m, "memory", lambda stage: 1 << stage.memory)
        padded = self._program.arithmetic.padded
        pitch = self._constant(m, "pitch", lambda stage: padded(stage.conv.channels_in))
        beyond = self._constant(
            m, "beyond", lambda stage: QUAD * padded(stage.conv.channels_in) - stage.conv.channels_in + 1
        )
        row_ends, target = Signal(), Signal.like(self._place, name="target")
        with m.If(writing):
            m.d.sync += [word.eq(word + 1), writing.eq(word != QUAD - 1), target.eq(target + pitch)]
        with m.If(hand):
            m.d.sync += [writing.eq(1), target.eq(self._place), row_ends.eq(group_ends & self._final)]
            m.d.sync += self._place.eq(self._place + Mux(group_ends, beyond, 1))
        m.d.sync += [
            self.write_enable.eq(Mux(writing, memory, 0)),
            self.write_address.eq(target),
            self.row_done.eq(writing & row_ends & (word == QUAD - 1)),
            *(out.eq(value) for out, value in zip(self.write_word, collected, strict=True)),
        ]
