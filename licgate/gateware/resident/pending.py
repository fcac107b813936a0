"""The group whose GDN has still to come."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import address_width
from licgate.gateware.resident.groups import group_layout

__all__ = ["PendingGdn", "pending_layout"]


def pending_layout(program):
    """A group whose GDN is pending: its stage, the half of its inputs, and what is still needed of ``group_layout``."""
    return data.StructLayout(
        {
            "stage": range(max(2, len(program.stages))),
            "half": 1,
            "target": address_width(program),
            "pixels": range(program.rows + 1),
            "column": 1,
            "row_ends": 1,
        }
    )


class PendingGdn(Component):
    """Keep the group at work until its GDN is issued, and know when its inputs have arrived.

    The inputs of two groups have room: those of the group that waits, in its half, and those of the one at work, in the
    other.

    Parameters
    ----------
    program : Program

    Members
    -------
    clear : :py:`In(1)`
        Forget everything.
    keep, stage, group : :py:`In(1)`, :py:`In(...)`, :py:`In(group_layout(program))`
        The group at work, of ``stage``, becomes the one whose GDN is pending.
    issued : :py:`In(1)`
        The last pass of the GDN is issued.
    group_done, group_half : :py:`In(1)`
        From the writer: all inputs of the group in that half are there.
    pending, arrived : :py:`Out(1)`
        There is such a group; its inputs are there.
    gdn : :py:`Out(pending_layout(program))`
    gdn_half : :py:`Out(1)`
        Half of the group at work.

    Resources: a register for the group, two flags.
    """

    def __init__(self, program):
        super().__init__(
            {
                "clear": In(1),
                "keep": In(1),
                "stage": In(range(max(2, len(program.stages)))),
                "group": In(group_layout(program)),
                "issued": In(1),
                "group_done": In(1),
                "group_half": In(1),
                "pending": Out(1),
                "arrived": Out(1),
                "gdn": Out(pending_layout(program)),
                "gdn_half": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        arrived, gdn = Signal(2), self.gdn
        m.d.comb += self.arrived.eq(arrived.bit_select(gdn.half, 1))
        with m.If(self.group_done):
            m.d.sync += arrived.bit_select(self.group_half, 1).eq(1)
        with m.If(self.keep):
            m.d.sync += [
                self.pending.eq(1),
                gdn.stage.eq(self.stage),
                gdn.half.eq(self.gdn_half),
                self.gdn_half.eq(~self.gdn_half),
                *(gdn[name].eq(self.group[name]) for name in ("target", "pixels", "column", "row_ends")),
            ]
        with m.If(self.issued):
            m.d.sync += [self.pending.eq(0), arrived.bit_select(gdn.half, 1).eq(0)]
        with m.If(self.clear):
            m.d.sync += [self.pending.eq(0), self.gdn_half.eq(0), arrived.eq(0)]
        return m
