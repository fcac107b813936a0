"""Rate-distortion plots."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from licgate.errors import TrainingError
from licgate.train.measure.results import METRICS, Curve, write_file

FORMATS = ("svg", "png", "pdf")
MARKERS = "osD^vPX<>*"


def plot_format(path: str | Path) -> str:
    """Give the format of a plot by the ending of its file.

    Raises
    ------
    TrainingError
        When plots are not written in that format.
    """
    form = Path(path).suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise TrainingError(f"plot {path} ends in none of {', '.join('.' + f for f in FORMATS)}")
    return form


def plot_curves(path: str | Path, curves: Sequence[Curve], metric: str, max_rate: float | None = None) -> None:
    """Draw curves into one figure; the same curves give the same bytes of SVG.

    Parameters
    ----------
    path : path
        ``.svg``, ``.png`` or ``.pdf``.
    curves : sequence of Curve
    metric : str
        What their quality is, for the axis.
    max_rate : float, optional
        Largest rate shown, in bits per pixel; all when left out.

    Raises
    ------
    TrainingError
        When the file cannot be written, or no point lies below `max_rate`.
    """
    form = plot_format(path)
    # a Figure without pyplot draws with Agg or as vectors, wherever it runs, and keeps no window
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if max_rate is not None and not any(curve.rate[0] <= max_rate for curve in curves):
        raise TrainingError(f"no curve has a point up to {max_rate:g} bpp: show a larger rate")
    with matplotlib.rc_context({"svg.hashsalt": "licgate", "font.size": 10}):
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        axes = figure.add_subplot()
        colours = matplotlib.colormaps["tab10"].colors
        shown = []
        for i, curve in enumerate(curves):
            style = {"color": colours[i % 10], "marker": MARKERS[i % 10], "linestyle": ("-", "--")[i // 10 % 2]}
            axes.plot(curve.rate, curve.quality, label=curve.name, linewidth=1.5, markersize=5, **style)
            shown += [q for r, q in zip(curve.rate, curve.quality, strict=True) if max_rate is None or r <= max_rate]
        if max_rate is not None:
            axes.set_xlim(0, max_rate)
            margin = 0.05 * (max(shown) - min(shown)) or 1.0
            axes.set_ylim(min(shown) - margin, max(shown) + margin)
        else:
            axes.set_xlim(left=0)
        axes.set_xlabel("rate (bit per pixel)")
        axes.set_ylabel(f"{METRICS[metric]} (dB)")
        axes.grid(color="0.88", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="0.85")
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, dpi=160, metadata={"Date": None} if form == "svg" else None)
    write_file(path, buffer.getvalue())
