"""Bjøntegaard differences between rate-distortion curves, with two interpolations and the overlap they rest on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from licgate.errors import TrainingError
from licgate.train.measure.results import METRICS, Curve, read_curve

METHODS = ("pchip", "akima")
FEW_POINTS = 4
"""Below so many points a Bjøntegaard difference says more of the interpolation than of the codec."""


def read_curves(paths: Sequence[str | Path], metric: str) -> list[Curve]:
    """Read result files and tell curves of one name apart by the names of their files."""
    curves = [read_curve(path, metric) for path in paths]
    names = [curve.name for curve in curves]
    return [
        Curve(f"{curve.name} ({Path(path).stem})", curve.rate, curve.quality) if names.count(curve.name) > 1 else curve
        for curve, path in zip(curves, paths, strict=True)
    ]


def check_monotone(curve: Curve) -> None:
    """Raise a `TrainingError` when a curve does not rise from point to point, so that it has no inverse."""
    for i in range(1, len(curve.rate)):
        if curve.rate[i] <= curve.rate[i - 1] or curve.quality[i] <= curve.quality[i - 1]:
            first, second = (f"{curve.rate[j]:.4f} bpp, {curve.quality[j]:.3f} dB" for j in (i - 1, i))
            raise TrainingError(
                f"curve {curve.name} does not rise from ({first}) to ({second}): leave out the point that is worse"
            )


def bjontegaard_difference(reference: Curve, other: Curve) -> dict:
    """Measure a curve against a reference (Bjøntegaard 2001; Herglotz et al. 2022 for Akima).

    Parameters
    ----------
    reference, other : Curve
        Rising, of at least two points each.

    Returns
    -------
    dict
        ``bd_rate_pchip``, ``bd_rate_akima``: mean difference of rate at equal quality in per cent;
        ``bd_psnr_pchip``, ``bd_psnr_akima``: mean difference of quality at equal rate in dB; None where the ranges do
        not overlap. ``overlap_percent``: the range of quality that both have, of the range that either has.
    """
    from bjontegaard import bd_psnr, bd_rate

    low, high = zip(*((c.quality[0], c.quality[-1]) for c in (reference, other)), strict=True)
    shared, whole = min(high) - max(low), max(high) - min(low)
    rates = min(c.rate[-1] for c in (reference, other)) - max(c.rate[0] for c in (reference, other))
    row: dict = {"overlap_percent": 100 * max(shared, 0.0) / whole}
    points = [np.array(values) for c in (reference, other) for values in (c.rate, c.quality)]
    for method in METHODS:
        for key, measure, length in (("bd_rate", bd_rate, shared), ("bd_psnr", bd_psnr, rates)):
            value = None
            if length > 0:
                with warnings.catch_warnings():
                    # no min_overlap: the overlap is told beside the figure
                    warnings.simplefilter("ignore")
                    value = float(measure(*points, method=method, require_matching_points=False, min_overlap=0))
            row[f"{key}_{method}"] = value
    return row


def difference_at_rates(reference: Curve, other: Curve) -> list[float | None]:
    """Quality in dB that each point has over the reference at the same rate; None outside of the reference's rates."""
    from scipy.interpolate import PchipInterpolator

    curve = PchipInterpolator(np.log10(reference.rate), reference.quality, extrapolate=False)
    gains = np.array(other.quality) - curve(np.log10(other.rate))
    return [None if np.isnan(gain) else float(gain) for gain in gains]


def compare_curves(curves: Sequence[Curve]) -> tuple[list[dict], list[str]]:
    """Compare every curve with the first.

    Parameters
    ----------
    curves : sequence of Curve
        Two or more. A curve of one point has no Bjøntegaard difference, but one at its own rate.

    Returns
    -------
    rows : list of dict
        One for each curve but the first: ``name``, ``points``, what `bjontegaard_difference` gives (None for a curve
        of one point) and ``at_rates``, see `difference_at_rates`.
    notes : list of str
        What to know before one believes the figures, a line each.

    Raises
    ------
    TrainingError
        When there is nothing to compare, a curve is not monotone, or no curve shares any range with the first.
    """
    if len(curves) < 2:
        raise TrainingError("one curve has nothing to be compared with: name two result files or more")
    reference = curves[0]
    if len(reference.rate) < 2:
        raise TrainingError(f"curve {reference.name} has one point: a reference needs two or more")
    rows, notes = [], []
    for curve in curves:
        check_monotone(curve)
        if len(curve.rate) < FEW_POINTS:
            what = "no BD figures" if len(curve.rate) == 1 else "BD figures are rough"
            notes.append(f"{curve.name} has {len(curve.rate)} of the {FEW_POINTS} points that one should have: {what}")
    empty = {f"{key}_{method}": None for method in METHODS for key in ("bd_rate", "bd_psnr")}
    for curve in curves[1:]:
        alone = len(curve.rate) < 2
        row = {**empty, "overlap_percent": None} if alone else bjontegaard_difference(reference, curve)
        row = {"name": curve.name, "points": len(curve.rate), **row, "at_rates": difference_at_rates(reference, curve)}
        rows.append(row)
        if row["bd_rate_pchip"] is None and not alone:
            notes.append(f"{curve.name} shares no quality with {reference.name}: no BD-rate")
    if all(row["bd_rate_pchip"] is row["bd_psnr_pchip"] is None and not any_number(row["at_rates"]) for row in rows):
        names = ", ".join(curve.name for curve in curves[1:])
        raise TrainingError(f"{reference.name} has neither a rate nor a quality in common with {names}")
    return rows, notes


def any_number(values: Sequence) -> bool:
    """Tell whether any of the values is not None."""
    return any(value is not None for value in values)


def comparison_text(reference: Curve, rows: Sequence[dict], metric: str) -> str:
    """Show a comparison as a table; curves of one point get a line of their own."""
    name = METRICS[metric]
    width = max(len(row["name"]) for row in rows) + 2
    lines = [
        f"against {reference.name} ({len(reference.rate)} points), by {name}",
        f"{'':{width}}{'BD-rate (%)':>24}{'BD-' + name + ' (dB)':>24}{'overlap':>10}",
        f"{'curve':{width}}{'pchip':>12}{'akima':>12}{'pchip':>12}{'akima':>12}{'(%)':>10}",
    ]
    for row in rows:
        cells = [_cell(row[f"bd_rate_{m}"], "+.2f", 12) for m in METHODS]
        cells += [_cell(row[f"bd_psnr_{m}"], "+.3f", 12) for m in METHODS]
        lines.append(f"{row['name']:{width}}{''.join(cells)}{_cell(row['overlap_percent'], '.1f', 10)}")
    lines += [
        f"{row['name']}: {row['at_rates'][0]:+.3f} dB at its own rate"
        for row in rows
        if row["points"] == 1 and any_number(row["at_rates"])
    ]
    return "\n".join(lines)


def _cell(value: float | None, form: str, width: int) -> str:
    return f"{'-' if value is None else format(value, form):>{width}}"
