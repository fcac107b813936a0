"""Rows by Toom-Cook: four neighbouring outputs of an image row as products at points of polynomials.

The correlation of two taps with five pixels is a product of polynomials, found from their values at the points 0, 1,
-1, 2 and -2; three taps with six pixels take infinity as well. So four outputs, a *quad*, take five or six products
instead of eight or twelve. Pixels and weights are evaluated (:data:`PIXELS`, :data:`TAPS`), the products of all
reduction indices are summed point by point, and the sums give the outputs (:data:`OUTPUTS`)::

    24 * y = OUTPUTS @ ((PIXELS @ d) * (TAPS @ g))

Infinity has the pixels of point 0 one pixel further on, and of the taps the last one, as point 0 has the first one: so
five rows serve six points. The threefold weight there leaves nothing but powers of two in :data:`OUTPUTS`.

All of it is modulo ``2**(bits + 3)`` where outputs have ``bits``: they fit, so nothing on the way has to. A division by
8 is a shift, one by 3 a multiplication by its inverse.

Toom 1963, Cook 1966; for convolutions Winograd, *Arithmetic complexity of computations*, 1980.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = [
    "DIVISOR_SHIFT",
    "INFINITY",
    "OUTPUTS",
    "PIXELS",
    "POINTS",
    "QUAD",
    "SUMS",
    "TAPS",
    "Fetch",
    "TapRow",
    "TapStep",
    "divided",
    "extent",
    "tap_row",
]

#: Finite points, in the order of the rows below.
POINTS = (0, 1, -1, 2, -2)
#: Number of the point at infinity, and how many points there are.
INFINITY, SUMS = 5, 6
#: Outputs that are made at once.
QUAD = 4
#: Outputs come 3 * 2**DIVISOR_SHIFT times too large.
DIVISOR_SHIFT = 3

#: Five pixels at the finite points.
PIXELS = np.array([[4, 0, -5, 0, 1], [0, -4, -4, 1, 1], [0, 4, -4, -1, 1], [0, -2, -1, 2, 1], [0, 2, -1, -2, 1]])
#: Three taps (or two, the third zero) at the finite points; three times at point 0.
TAPS = np.array([[3, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [1, -2, 4]])
#: 24 times a quad, from the sums of six points.
OUTPUTS = np.array([[2, -4, -4, 1, 1, 0], [0, -4, 4, 2, -2, 0], [0, -4, -4, 4, 4, 0], [0, -4, 4, 8, -8, 8]])

# Taps that share a point.
_MOST_TAPS = 3


@dataclass(frozen=True)
class TapStep:
    """A step of a tap row.

    Attributes
    ----------
    shift : int
        Pixels by which the window has moved: pixel k of five is ``shift + k * stride`` of the window.
    point : int or None
        Of the six, whose sum takes the product. None: the step is for nothing.
    taps : tuple of int
        Kernel columns that are evaluated, up to three; none where the product is to be zero.
    """

    shift: int
    point: int | None
    taps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fetch:
    """A weight that is read for a tap row.

    Attributes
    ----------
    position : int
        Cycle of the tap row.
    column : int or None
        Kernel column; None for a weight of zero, which fills a pair.
    register : str
        ``x``, ``y`` or ``z``: first, second and third of the taps that are evaluated.
    """

    position: int
    column: int | None
    register: str


@dataclass(frozen=True)
class TapRow:
    """The steps of one kernel row of one pair of channels.

    Attributes
    ----------
    columns, stride : int
        Kernel columns; input columns from one output to the next.
    steps : tuple of TapStep
    fetches : tuple of Fetch
        In their order, which is that of the weights in memory. If each stands in its register a cycle later, and the
        third tap moves to the first one's in front of the step at infinity, the registers hold what a step evaluates
        ``LEAD`` cycles behind the position of its number.
    """

    columns: int
    stride: int
    steps: tuple[TapStep, ...]
    fetches: tuple[Fetch, ...]

    #: Cycles from a position of the tap row to that of the step of the same number.
    LEAD = 2

    @property
    def pixels(self) -> int:
        """Pixels from the first one to the last one that the steps of a quad read."""
        return max(step.shift for step in self.steps) + (len(POINTS) - 1) * self.stride + 1

    @property
    def has_infinity(self) -> bool:
        """Some step is for the point at infinity; else its sum is none."""
        return any(step.point == INFINITY for step in self.steps)

    def first(self, position: int) -> bool:
        """The step is the tap row's first one for its sum."""
        return self._points.index(self._points[position]) == position

    def last(self, position: int) -> bool:
        """The step is the tap row's last one for its sum."""
        return self._points[position] not in (None, *self._points[position + 1 :])

    @property
    def _points(self) -> list[int | None]:
        return [step.point for step in self.steps]


def _cut(taps: list[int]) -> list[tuple[int, ...]]:
    """Taps of one parity, by threes and twos, a single one where there is no other."""
    found = []
    while taps:
        count = 2 if len(taps) == 4 else _MOST_TAPS
        found.append(tuple(taps[:count]))
        taps = taps[count:]
    return found


@lru_cache
def tap_row(columns: int, stride: int) -> TapRow:
    """Lay the taps of a kernel row out.

    Parameters
    ----------
    columns : int
        Kernel columns, at least 1.
    stride : int
        1 or 2.

    Raises
    ------
    ValueError
        The taps of the point at infinity would have to wait for longer than their register holds them.
    """
    parts = [part for parity in range(stride) for part in _cut(list(range(parity, columns, stride)))]
    events = [(part[0], 0, part) for part in parts]
    events += [(part[0] + stride, 1, part) for part in parts if len(part) == _MOST_TAPS]
    steps: list[TapStep] = []
    fetches: list[Fetch] = []
    shift, waiting = 0, None
    for at, infinite, part in sorted(events):
        steps += [TapStep(between, None) for between in range(shift + 1, at)]
        shift = at
        if infinite:
            if waiting != part:
                raise ValueError(f"{columns} taps of stride {stride} overtake each other")
            waiting = None
            steps.append(TapStep(at, INFINITY, part[-1:]))
            continue
        begin = len(steps)
        if len(part) == _MOST_TAPS:
            if waiting is not None:
                raise ValueError(f"{columns} taps of stride {stride} overtake each other")
            waiting = part
            fetches.append(Fetch(begin, part[2], "z"))
        fetches += [Fetch(begin + 1, part[0], "x"), Fetch(begin + 2, part[1] if len(part) > 1 else None, "y")]
        steps += [TapStep(at, point, part) for point in range(len(POINTS))]
    found = TapRow(columns, stride, tuple(steps), tuple(fetches))
    ends = [position for position in range(len(steps)) if found.last(position)]
    if ends[-1] - ends[0] >= SUMS:
        # the sums of a row's elements leave through as many trees as there are points
        found = TapRow(columns, stride, (*steps, TapStep(shift, INFINITY)), tuple(fetches))
    return found


def extent(matrix: np.ndarray, low: int, high: int) -> int:
    """Largest magnitude of what a matrix makes of numbers from ``low`` to ``high``."""
    rows = [[int(v) for v in row] for row in matrix]
    ends = [
        (sum(v * (low if v > 0 else high) for v in row), sum(v * (high if v > 0 else low) for v in row)) for row in rows
    ]
    return max(max(-least, most) for least, most in ends)


def divided(value: np.ndarray, bits: int) -> np.ndarray:
    """24 times a number modulo ``2**(bits + 3)``, divided: the number, which ``bits`` signed bits hold."""
    third = pow(3, -1, 1 << bits)
    modulus = 1 << bits
    found = (np.asarray(value, dtype=object) >> DIVISOR_SHIFT) * third % modulus
    return (found + modulus // 2) % modulus - modulus // 2
