"""The tile of output channels at work, of a group's convolution or of the pending GDN."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import Destination, address_width, max_gdn_channels
from licgate.gateware.resident.groups import group_layout
from licgate.gateware.resident.pending import pending_layout

__all__ = ["TileWalk", "at_work_layout"]


def at_work_layout(program):
    """A tile, as the descriptors of its pass have it.

    gdn: it is one of the pending GDN. pass_kind, window, mask, weight: of its pass, see ``pass_layout``. op, count,
    param, x: of its tile, see ``tile_layout``. to, address: of its write, see ``write_layout``. last: the last one
    of its operation.
    """
    address = address_width(program)
    return data.StructLayout(
        {
            "gdn": 1,
            "pass_kind": range(max(2, len(program.pass_kinds))),
            "window": address,
            "mask": program.window_words,
            "weight": range(max(memory.depth for memory in program.weight_memories)),
            "op": range(max(2, len(program.ops))),
            "count": range(program.most_channels + 1),
            "param": range(len(program.biases) + program.most_channels),
            "x": range(2 * max_gdn_channels(program) + program.most_channels),
            "to": 2,
            "address": address,
            "last": 1,
        }
    )


class TileWalk(Component):
    """Walk the tiles of an operation.

    Parameters
    ----------
    program : Program

    Members
    -------
    conv_begins, gdn_begins, continues : :py:`In(1)`
        Begin the tiles of the group's convolution; those of the pending GDN; move on to the next output channels.
    stage, group, has_gdn : :py:`In(...)`, :py:`In(group_layout(program))`, :py:`In(1)`
        The group at work.
    gdn, gdn_half : :py:`In(pending_layout(program))`, :py:`In(1)`
        The group whose GDN is pending; the half for the inputs of that of the group at work.
    tile : :py:`Out(at_work_layout(program))`

    Resources: a register for the tile; five adders; tables of stages.
    """

    def __init__(self, program):
        self._program = program
        super().__init__(
            {
                "conv_begins": In(1),
                "gdn_begins": In(1),
                "continues": In(1),
                "stage": In(range(max(2, len(program.stages)))),
                "group": In(group_layout(program)),
                "has_gdn": In(1),
                "gdn": In(pending_layout(program)),
                "gdn_half": In(1),
                "tile": Out(at_work_layout(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, tile = self._program, self.tile
        self._left = Signal(range(1 + max(op.tiles for op in program.ops)), name="left")
        self._final_count = Signal(range(program.most_channels + 1), name="final_count")
        # Channels of a pass: the same for all, or as many again where it is packed.
        self._channels = Signal.like(tile.count, name="channels") if program.packing else Const(program.cols)
        self._steps = Signal(range(1 + max(pass_kind.steps for pass_kind in program.pass_kinds)), name="steps")
        m.d.comb += tile.count.eq(Mux(tile.last, self._final_count, self._channels))
        with m.If(self.continues):
            m.d.sync += [
                self._left.eq(self._left - 1),
                tile.last.eq(self._left == 2),
                tile.weight.eq(tile.weight + self._steps),
                *(tile[name].eq(tile[name] + self._channels) for name in ("param", "x", "address")),
            ]
        with m.If(self.conv_begins):
            self._first_of_convolution(m)
        with m.If(self.gdn_begins):
            self._first_of_gdn(m)
        return m

    def _first_of_convolution(self, m):
        """Begin the tiles of a group's pass kind, two cycles old; kernel rows above the image are left out."""
        program, tile, group = self._program, self.tile, self.group
        last = Array(int(s.last) for s in program.stages)[self.stage]
        x = Mux(self.gdn_half, max_gdn_channels(program), 0)
        self._first(m, self.stage, [s.conv for s in program.stages])
        m.d.sync += [
            tile.gdn.eq(0),
            *(tile[name].eq(group[name]) for name in ("pass_kind", "window", "mask", "weight")),
            self._steps.eq(Array(pass_kind.steps for pass_kind in program.pass_kinds)[group.pass_kind]),
            tile.x.eq(x),
            tile.to.eq(Mux(self.has_gdn, Destination.NORM, Mux(last, Destination.OUTPUT, Destination.LINE))),
            tile.address.eq(Mux(self.has_gdn, x, group.target)),
        ]

    def _first_of_gdn(self, m):
        """Begin the tiles of the pending GDN."""
        program, tile, gdn = self._program, self.tile, self.gdn
        ops = [s.last_op for s in program.stages]
        last = Array(int(s.last) for s in program.stages)[gdn.stage]
        self._first(m, gdn.stage, ops)
        m.d.sync += [
            tile.gdn.eq(1),
            tile.pass_kind.eq(Array(op.pass_kinds[0].index for op in ops)[gdn.stage]),
            self._steps.eq(Array(op.pass_kinds[0].steps for op in ops)[gdn.stage]),
            tile.weight.eq(Array(op.base for op in ops)[gdn.stage]),
            tile.x.eq(Mux(gdn.half, max_gdn_channels(program), 0)),
            tile.to.eq(Mux(last, Destination.OUTPUT, Destination.LINE)),
            tile.address.eq(gdn.target),
        ]

    def _first(self, m, stage, ops):
        """What a stage says of its operation."""
        program, tile = self._program, self.tile
        full = [program.tile_channels(op) for op in ops]
        m.d.sync += [
            register.eq(Array(int(v) for v in values)[stage])
            for register, values in (
                *([(self._channels, full)] if program.packing else []),
                (tile.op, [op.index for op in ops]),
                (self._left, [op.tiles for op in ops]),
                (tile.last, [op.tiles == 1 for op in ops]),
                (self._final_count, [op.channels_out - (op.tiles - 1) * n for op, n in zip(ops, full, strict=True)]),
                (tile.param, [op.param_base for op in ops]),
            )
        ]
