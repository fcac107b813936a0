"""The sequencer: carries out bands, pass by pass, for resident and streamed cores."""

from abc import ABC, abstractmethod
from types import SimpleNamespace

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.passes import pass_layout, place_names, tile_layout, write_layout
from licgate.gateware.sequence.results import ResultCredits
from licgate.gateware.sequence.tables import of_stage
from licgate.gateware.sequence.walk import BandWalk
from licgate.target.points import QUAD

__all__ = ["PassSequencer"]


class PassSequencer(Component, ABC):
    """Issue the passes of bands: every tile of the convolution over all groups, then GDN group by group.

    A band is some groups of one stage, as its fields ``stage``, ``groups`` and ``pixels`` (of the last group) say. What
    else it has, and where its passes read and write, is the business of the kind of core, which derives from this
    class: of its `parts`, *places* follow the walk with what a pass reads, and *weights* with where its tile
    begins; others may say what a pass waits for.

    Parameters
    ----------
    program : Program
    band : data.StructLayout
        Of a band.
    members : dict
        Those of the kind of core.

    Members
    -------
    i : :py:`In(stream.Signature(band))`
    o_pass, o_tile, o_write
        Descriptors for feeder, post-processor and result writer; the latter two move with ``o_pass``.
    written : :py:`In(1)`
        A pass is through.
    idle : :py:`Out(1)`
        No band is at work, every pass is through.

    Attributes
    ----------
    latency : int
        Cycles from a band to its first pass: 5, when what it needs is there.
    interval : int
        Cycles between passes, at least: 5, and one more in front of GDN. The next band is taken three cycles behind
        the last pass.
    both_parities : bool
        Bands of upsampling stages have whole pairs of rows and both parities of columns; else a field ``column``, and
        one ``odd`` for the row, say which of them a band has.
    """

    latency = 5
    interval = 5
    both_parities = False

    def __init__(self, program, band, members):
        self._program = program
        super().__init__(
            {
                "i": In(stream.Signature(band)),
                "o_pass": Out(stream.Signature(pass_layout(program))),
                "o_tile": Out(stream.Signature(tile_layout(program))),
                "o_write": Out(stream.Signature(write_layout(program))),
                "written": In(1),
                "idle": Out(1),
                **members,
            }
        )

    @abstractmethod
    def parts(self):
        """Components by their names, ``places`` and ``weights`` among them.

        Their inputs are connected by name: to what this component is told, to what the walk says, to outputs of other
        parts, to ``band`` and its fields, and to

        - ``next_tile``, ``again``: the pass that went was the last one before another tile; it is followed by GDN's
          first tile again;
        - ``leaves``: the pass's results leave the stage;
        - ``pass_kind``: of the convolution, three cycles behind the band or the parity.
        """

    @abstractmethod
    def describe(self, m, at):
        """Drive what else there is to drive, and return what the kind of core says of passes.

        Parameters
        ----------
        m : Module
        at : namespace
            ``band``, the band at work; ``walk`` and all other parts; ``issue``, ``issued``, ``offering``: a pass goes,
            went in the cycle before, is there to be offered; ``ends``: the band is done with; ``leaves``: see `parts`;
            ``column``, ``odd``: parities of the pass's columns and rows, where they are made apart.

        Returns
        -------
        tuple of (dict, dict, list)
            Fields of ``o_pass`` and ``o_write``, there in the cycle before a pass may be offered; and flags, all of
            which a pass waits for, a cycle behind what they tell.
        """

    def elaborate(self, platform):
        m = Module()
        names = ("begin", "issue", "issued", "offering", "ends", "leaves", "can")
        at = SimpleNamespace(band=Signal.like(self.i.payload), **{name: Signal(name=name) for name in names})
        parts = {"walk": self._walk(), **self.parts()}
        parts["results"] = results = ResultCredits(self._pixels(at).shape())
        for name, part in parts.items():
            m.submodules[name] = part
            setattr(at, name, part)
        at.column, at.odd = (at.walk.column, at.walk.parity) if self.both_parities else (at.band.column, at.band.odd)
        waits = self._descriptors(m, at)
        self._connect(m, at, parts)
        m.d.comb += [
            at.leaves.eq(at.walk.is_gdn | ~at.walk.has_gdn),
            self.o_pass.valid.eq(at.offering & at.can),
            at.issue.eq(self.o_pass.valid & self.o_pass.ready),
            self.o_tile.valid.eq(at.issue),
            self.o_write.valid.eq(at.issue),
        ]
        m.d.sync += [
            # What states say as well: a flip-flop knows it too, and many wait for it.
            at.begin.eq(self.i.valid & self.i.ready),
            at.issued.eq(at.issue),
            # Up to date when a pass is offered: nothing but other units' reports changes them in the cycles before.
            at.can.eq(Cat(results.arrived, self.o_tile.ready, self.o_write.ready, *waits).all()),
        ]
        self._states(m, at)
        return m

    def _walk(self):
        fields = self.i.payload.shape().members
        rows = fields["rows"] if self.both_parities else range(2)
        return BandWalk(self._program, fields["groups"], rows, both_parities=self.both_parities)

    def _pixels(self, at):
        """Pixels of the band: groups, in each of its rows and parities of columns."""
        stages, band = self._program.stages, at.band
        if not self.both_parities:
            return band.groups
        pairs = [stage.upsampling for stage in stages]
        pixels = band.groups * band.rows
        return pixels << of_stage(band.stage, pairs) if any(pairs) else pixels

    def _connect(self, m, at, parts):
        """Tell each part what the others know."""
        walk, known = at.walk, {}
        for component, flow in (*((part, Out) for part in parts.values()), (self, In)):
            members = component.signature.members.items()
            known |= {name: getattr(component, name) for name, member in members if member.flow == flow}
        if not self.both_parities:
            known |= {"rows": 1}
        known |= {name: at.band[name] for name in self.i.payload.shape().members}
        known |= {name: getattr(at, name) for name in ("band", "begin", "issued", "leaves", "pass_kind")}
        known |= {
            "next_tile": at.issued & (walk.is_gdn | walk.moves_tile),
            "again": at.issued & walk.goes_back,
            "band_pixels": self._pixels(at),
        }
        for part in parts.values():
            for name, member in part.signature.members.items():
                if member.flow == In and name in known:
                    m.d.comb += getattr(part, name).eq(known[name])

    def _descriptors(self, m, at):
        """Describe the pass in the cycle before it may be offered; return what it waits for."""
        program, walk, band = self._program, at.walk, at.band
        convs, lasts = [stage.conv for stage in program.stages], [stage.last_op for stage in program.stages]
        at.pass_kind = Signal.like(self.o_pass.payload.pass_kind, name="pass_kind")
        place = Cat(at.column, at.odd) if program.upsampling else 0
        m.d.sync += at.pass_kind.eq(of_stage(band.stage, (op.pass_kinds[0].index for op in convs)) + place)
        of_pass, of_write, waits = self.describe(m, at)
        x, places = walk.x + walk.channel, at.places
        gdn_kind, gdn_op = (
            of_stage(band.stage, numbers)
            for numbers in ((op.pass_kinds[0].index for op in lasts), (op.index for op in lasts))
        )
        fields = {
            self.o_pass: {
                "pass_kind": Mux(walk.is_gdn, gdn_kind, at.pass_kind),
                **{name: getattr(places, name) for name in place_names(program)},
                "x": walk.x,
                **of_pass,
            },
            self.o_tile: {
                "op": Mux(walk.is_gdn, gdn_op, of_stage(band.stage, (op.index for op in convs))),
                "count": walk.count,
                "param": walk.param + self._params(at),
                "x": x,
                "pixels": self._tile_pixels(at),
            },
            self.o_write: {"count": walk.count, **of_write},
        }
        for flow, values in fields.items():
            m.d.sync += [flow.payload[name].eq(value) for name, value in values.items()]
        # this alone is said in the cycle itself
        m.d.comb += self.o_pass.payload.weight.eq(at.weights.weight)
        return waits

    def _tile_pixels(self, at):
        """Pixels of the tile: of a group, or of a quarter of it."""
        program, walk = self._program, at.walk
        pixels = Mux(walk.last_group, at.band.pixels, program.group_columns)
        if not program.arithmetic.points:
            return pixels
        return Mux(walk.is_gdn, (pixels + (QUAD - 1 - walk.quarter)) >> 2, pixels)

    def _params(self, at):
        """Where the parameters of the pass's kind begin, from those of its layer on."""
        params = [pass_kind.params for pass_kind in self._program.pass_kinds]
        return Mux(at.walk.is_gdn, 0, Array(params)[at.pass_kind]) if any(params) else 0

    def _states(self, m, at):
        walk, free = at.walk, Signal(init=1)
        m.d.comb += self.i.ready.eq(free)
        # Whatever is there, band or none: what enables so many registers is one, and asks for nothing else.
        with m.If(free):
            m.d.sync += at.band.eq(self.i.payload)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(at.results.none)
                with m.If(self.i.valid):
                    m.d.sync += free.eq(0)
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.next = "ROWS"
            # what is said of a pass takes so many cycles
            with m.State("ROWS"):
                m.next = "PLACES"
            with m.State("PLACES"):
                m.next = "WEIGHT"
            with m.State("WEIGHT"):
                m.d.sync += at.offering.eq(1)
                m.next = "ISSUE"
            with m.State("ISSUE"), m.If(at.issue):
                m.d.sync += at.offering.eq(0)
                m.next = "NEXT"
            with m.State("NEXT"):
                m.next = "ROWS"
                with m.If(walk.stage_ends):
                    m.next = "END"
                    with m.If(walk.to_gdn):
                        m.next = "GDN"
            with m.State("GDN"):
                m.next = "ROWS"
            with m.State("END"):
                m.d.comb += at.ends.eq(1)
                m.d.sync += free.eq(1)
                m.next = "IDLE"
