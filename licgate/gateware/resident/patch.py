"""The patch scheduler: walks an image in patches and asks for the pixels that each of them needs."""

from itertools import pairwise

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ports import patch_layout
from licgate.gateware.resident.rows import DIMENSION
from licgate.manifest.patches import margins

__all__ = ["PatchScheduler"]

_SIZES = ("width", "height", "patch_width", "patch_height", "overlap")
_CORE = ("core_width", "core_height", "skip_x", "skip_y", "keep_width", "keep_height")


class PatchScheduler(Component):
    """Cut an image into patches, in raster order, one at a time.

    With ``independent`` low, patches keep parts of ``patch_width`` × ``patch_height`` pixels and are larger by
    the margins on every side that is cut, so that the kept latents are those of the whole image. Positions outside
    the image do not exist: there the patch ends, and the core pads every feature map as the model does. With
    ``independent`` high, patches overlap by ``overlap`` pixels and each is an image of its own.

    Parameters
    ----------
    transform : Transform or None
        Gives the margins and the total stride, a power of two; None where nothing is cut.
    max_width : sequence of int
        Widest window of each chain.

    Members
    -------
    start : :py:`In(1)`
    chain : :py:`In(range(...))`
    width, height, patch_width, patch_height, overlap, independent
        Stable until ``done``. Halo patches are multiples of the stride.
    o_patch : :py:`Out(stream.Signature(patch_layout))`
        The pixels wanted next.
    core_start, core_done, core_width, core_height, skip_x, skip_y, keep_width, keep_height
        To the core.
    done : :py:`Out(1)`
        No image is at work (level).
    error : :py:`Out(1)`
        The image was given up: a size is zero or a window wider than ``max_width`` (level, until the next ``start``).

    Numerics: the walk is that of :func:`licgate.manifest.patches.patches`.

    Timing: 9 cycles a patch beside those from ``core_start`` to ``core_done``, when the window is taken at once.

    Raises
    ------
    ValueError
        The stride is not a power of two, or ``max_width`` not a 16-bit size.
    ConfigError
        The transform has no margins, see :func:`licgate.manifest.patches.margins`.
    """

    def __init__(self, transform, *, max_width):
        self._before, self._after = (0, 0) if transform is None else margins(transform)
        stride = 1 if transform is None else transform.stride
        self._shift = stride.bit_length() - 1
        if stride != 1 << self._shift:
            raise ValueError(f"stride must be a power of two, not {stride!r}")
        for width in max_width:
            if not isinstance(width, int) or not 1 <= width < 1 << DIMENSION:
                raise ValueError(f"max_width must be an integer from 1 to {(1 << DIMENSION) - 1}, not {width!r}")
        self._max_width = tuple(max_width)
        super().__init__(
            {
                "start": In(1),
                "chain": In(range(max(2, len(self._max_width)))),
                **{name: In(DIMENSION) for name in _SIZES},
                "independent": In(1),
                "o_patch": Out(stream.Signature(patch_layout)),
                "core_start": Out(1),
                "core_done": In(1),
                **{name: Out(DIMENSION) for name in _CORE},
                "done": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        widest = Array(self._max_width)[self.chain]
        x, y = _Axis(self, m, "x", "width", widest), _Axis(self, m, "y", "height")
        window = self.o_patch.payload
        m.d.comb += [
            window.x.eq(x.start),
            window.y.eq(y.start),
            window.width.eq(self.core_width),
            window.height.eq(self.core_height),
        ]
        # The states MOVE and, at first, IDLE, without their decoding.
        moves, ends = Signal(), Signal()
        m.d.sync += [moves.eq(0), ends.eq(0)]
        with m.If(moves):
            with m.If(x.more):
                m.d.sync += x.part.eq(x.part + x.step)
            with m.Else():
                m.d.sync += [x.part.eq(0), y.part.eq(y.part + y.step)]
        with m.If(ends):
            m.d.sync += [x.part.eq(0), y.part.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.d.sync += self.error.eq(0)
                    m.next = "BOUNDS"
            # The registers of an axis follow its kept part in five cycles.
            for state, following in pairwise(("BOUNDS", "EXTENT", "LIMIT", "SIZE", "CHECK", "DECIDE")):
                with m.State(state):
                    m.next = following
            with m.State("DECIDE"):
                with m.If(x.refused | y.refused):
                    m.d.sync += [self.error.eq(1), ends.eq(1)]
                    m.next = "IDLE"
                with m.Else():
                    m.next = "PATCH"
            with m.State("PATCH"):
                m.d.comb += self.o_patch.valid.eq(1)
                with m.If(self.o_patch.ready):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += self.core_start.eq(1)
                m.next = "STARTED"
            with m.State("STARTED"):
                m.next = "RUN"
            with m.State("RUN"), m.If(self.core_done):
                m.d.sync += moves.eq(1)
                m.next = "MOVE"
            with m.State("MOVE"):
                with m.If(x.more | y.more):
                    m.next = "BOUNDS"
                with m.Else():
                    m.d.sync += ends.eq(1)
                    m.next = "IDLE"
        return m


class _Axis:
    """One axis of the walk: registers that follow from ``part``, the pixel at which the patch's own part begins."""

    def __init__(self, scheduler, m, name, side, widest=None):
        length, skip = getattr(scheduler, side), getattr(scheduler, f"skip_{name}")
        patch, size, keep = (getattr(scheduler, f"{kind}_{side}") for kind in ("patch", "core", "keep"))
        wide = DIMENSION + 2
        shift = scheduler._shift
        self.part, self.start, self.step = (Signal(DIMENSION, name=f"{name}_{n}") for n in ("part", "start", "step"))
        self.more, self.refused = (Signal(name=f"{name}_{n}") for n in ("more", "refused"))
        stop, end, limit = (Signal(wide, name=f"{name}_{n}") for n in ("stop", "end", "limit"))
        ahead, excess = (Signal(signed(DIMENSION + 1), name=f"{name}_{n}") for n in ("ahead", "excess"))
        kept, limited, owned = (Signal(DIMENSION, name=f"{name}_{n}") for n in ("kept", "limited", "owned"))
        cut, empty, stuck, beyond = (Signal(name=f"{name}_{n}") for n in ("cut", "empty", "stuck", "beyond"))
        before, after = scheduler._before << shift, scheduler._after << shift
        margin = ~scheduler.independent
        m.d.sync += [
            # 1
            stop.eq(self.part + patch),
            ahead.eq(self.part - before),
            excess.eq(patch - scheduler.overlap),
            # 2
            self.start.eq(Mux(margin, Mux(ahead < 0, 0, ahead), self.part)),
            self.step.eq(Mux(margin, patch, Mux(excess < 0, 0, excess))),
            self.more.eq(stop < length),
            end.eq(Mux(margin, stop + after, stop)),
            # 3
            cut.eq(length < end),
            kept.eq(Mux(self.more, stop, length)),
            skip.eq((self.part - self.start) >> shift),
            # 4
            limited.eq(Mux(cut, length, end)),
            owned.eq(kept - self.part),
            # 5
            size.eq(limited - self.start),
            keep.eq((owned + (1 << shift) - 1) >> shift),
            empty.eq(limited == self.start),
            stuck.eq(self.step == 0),
        ]
        if widest is not None:
            m.d.sync += [limit.eq(self.start + widest), beyond.eq(limited > limit)]
        m.d.comb += self.refused.eq(empty | stuck | beyond)
