"""Integer tables of the entropy model: made once at export, never computed again."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from licgate.errors import ManifestError
from licgate.manifest.checks import Integers, check_int, check_positive, check_span, frozen_array

__all__ = ["ENTROPY_NAMES", "CdfTables"]

ENTROPY_NAMES = ("factorized", "gaussian")


@dataclass(frozen=True, eq=False, kw_only=True)
class CdfTables:
    """Cumulative distributions in integers: one per channel of z (factorized) or per scale (gaussian).

    Parameters
    ----------
    precision : int
        16 to 24; every distribution ends at ``1 << precision``.
    offset : array of int, shape (L,)
        The symbol that stands first in each table.
    cdf : sequence of L arrays of int
        Each starts at 0 and increases strictly; symbol ``offset[l] + k`` has the share ``cdf[l][k] ... cdf[l][k + 1]``.
    scales : sequence of L floats, optional
        Standard deviations of a gaussian, increasing: what each table stands for, never computed with at run time.
    thresholds : array of int, shape (L - 1,), optional
        Not decreasing; table l codes where the entropy parameters give a number q with ``l`` thresholds at or below
        it. Without them q is the table.
    """

    precision: int
    offset: Integers
    cdf: tuple[Integers, ...]
    scales: tuple[float, ...] | None = None
    thresholds: Integers | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "precision", check_int(self.precision, 16, 24, "precision"))
        if not len(self.cdf):
            raise ManifestError("holds no table", "cdf")
        put(self, "cdf", tuple(frozen_array(table, (None,), f"cdf[{i}]") for i, table in enumerate(self.cdf)))
        put(self, "offset", frozen_array(self.offset, (self.count,), "offset"))
        check_span(self.offset, -(1 << 15), (1 << 15) - 1, "offset")
        for index, table in enumerate(self.cdf):
            self._check_table(table, f"cdf[{index}]")
        if self.scales is not None:
            if not isinstance(self.scales, tuple | list) or len(self.scales) != self.count:
                raise ManifestError(f"is not a list of {self.count} numbers", "scales")
            put(self, "scales", tuple(check_positive(s, f"scales[{i}]") for i, s in enumerate(self.scales)))
            if any(a >= b for a, b in zip(self.scales, self.scales[1:])):
                raise ManifestError("do not increase", "scales")
        if self.thresholds is not None:
            put(self, "thresholds", frozen_array(self.thresholds, (self.count - 1,), "thresholds"))
            check_span(self.thresholds, -(1 << 16), 1 << 16, "thresholds")
            if (np.diff(self.thresholds) < 0).any():
                raise ManifestError("decrease", "thresholds")

    def _check_table(self, table: Integers, path: str) -> None:
        total = 1 << self.precision
        if len(table) < 2:
            raise ManifestError(f"holds {len(table)} numbers, needs 2 or more", path)
        if table[0] != 0:
            raise ManifestError(f"{table[0]} is not 0", f"{path}[0]")
        if table[-1] != total:
            raise ManifestError(f"{table[-1]} is not 1 << {self.precision} = {total}", f"{path}[{len(table) - 1}]")
        flat = np.flatnonzero(np.diff(table) <= 0)
        if len(flat):
            at = int(flat[0]) + 1
            raise ManifestError(f"{table[at]} follows {table[at - 1]}; a CDF increases strictly", f"{path}[{at}]")

    @property
    def count(self) -> int:
        """Number of tables."""
        return len(self.cdf)

    def document(self) -> dict[str, Any]:
        """Return what goes into the JSON document."""
        own = {} if self.thresholds is None else {"thresholds": len(self.thresholds)}
        return {
            "precision": self.precision,
            "count": self.count,
            "scales": None if self.scales is None else list(self.scales),
            **own,
        }

    def tensors(self) -> dict[str, Integers]:
        """Return what goes into the weights file: the tables end to end, and their lengths."""
        own = {} if self.thresholds is None else {"thresholds": self.thresholds}
        return {
            "offset": self.offset,
            "length": np.array([len(t) for t in self.cdf]),
            "cdf": np.concatenate(self.cdf),
            **own,
        }
