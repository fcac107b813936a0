"""Inline SVG and tables of the report's page: what cycles are spent on, what is moved, and the roofline."""

from __future__ import annotations

import math
from html import escape

from licgate.perf.causes import CAUSES

__all__ = ["roofline_plot", "spent_rows", "traffic_rows"]

_LEFT, _RIGHT, _TOP, _BOTTOM, _WIDTH, _HEIGHT = 100, 130, 24, 46, 910, 260


def spent_rows(cost: dict) -> list[tuple[str, str, float, float, float]]:
    """Cause, meaning, cycles, share of all cycles, and length of a bar beside the longest of the idle causes."""
    cycles = cost["cycles"]
    total = sum(cycles.values())
    longest = max([number for name, number in cycles.items() if name != "products"], default=0) or 1
    return [
        (name, CAUSES[name], number, number / total, 0.0 if name == "products" else number / longest)
        for name, number in cycles.items()
    ]


def traffic_rows(cost: dict, fps: float) -> list[tuple[str, int, float]]:
    """What is moved: kind, bytes a frame, and bytes a second at so many frames."""
    link = cost["link"]
    rows = [(f"external memory: {kind}", number) for kind, number in cost["traffic"].items()]
    if not rows:
        rows = [("external memory", 0)]
    rows += [("host link: to the accelerator", link["in"]), ("host link: from the accelerator", link["out"])]
    return [(kind, number, number * fps) for kind, number in rows]


def roofline_plot(cost: dict, performance: dict) -> str:
    """SVG: frames a second that a bandwidth allows, both logarithmic, with the design's point.

    The bandwidth is that of the external memory, or of the host link, each way, where nothing else leaves the chip.
    """
    roofline, link = cost["roofline"], cost["link"]
    external = cost["bytes"] > 0
    moved = cost["bytes"] if external else max(link["in"], link["out"])
    given = cost["bandwidth"] if external else link["bandwidth"]
    peak, fps = roofline["peak_fps"], performance["fps"]
    if not moved:
        return "<p class='sub'>Nothing is moved, so nothing but the multipliers bounds a frame.</p>"
    knee, needed = peak * moved, fps * moved
    marks = [number for number in (knee, needed, given) if number]
    low, high = 10 ** math.floor(math.log10(min(marks) / 3)), 10 ** math.ceil(math.log10(max(marks) * 3))
    bottom, top = 10 ** math.floor(math.log10(min(low / moved, fps))), 10 ** math.ceil(math.log10(peak * 1.2))

    def x(bandwidth):
        return _LEFT + _WIDTH * math.log(bandwidth / low) / math.log(high / low)

    def y(rate):
        return _TOP + _HEIGHT * math.log(top / rate) / math.log(top / bottom)

    parts = []
    for decade in _decades(low, high):
        parts.append(_line("grid", x(decade), _TOP, x(decade), _TOP + _HEIGHT))
        parts.append(_text(x(decade), _TOP + _HEIGHT + 17, _bytes(decade), anchor="middle", soft=True))
    for decade in _decades(bottom, top):
        parts.append(_line("grid", _LEFT, y(decade), _LEFT + _WIDTH, y(decade)))
        parts.append(_text(_LEFT - 8, y(decade) + 4, f"{decade:g}", anchor="end", soft=True))
    what = "external memory" if external else "the host link, each way"
    parts.append(_text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 38, f"bandwidth of {what}", anchor="middle"))
    corners = [(low, low / moved), (knee, peak), (high, peak)]
    line = " ".join(f"{x(bandwidth):.1f},{y(rate):.1f}" for bandwidth, rate in corners)
    parts.append(f'<polyline class="roof" points="{line}"/>')
    parts.append(_text(_LEFT - 8, _TOP - 10, "frames/s", anchor="end"))
    parts.append(_text(_LEFT + _WIDTH, y(peak) - 8, f"no multiplier ever idle: {peak:.3g} frames/s", anchor="end"))
    if given:
        parts.append(_line("given", x(given), _TOP, x(given), _TOP + _HEIGHT))
        name = "memory" if external else "serial port"
        parts.append(_text(x(given) + 6, _TOP + _HEIGHT - 8, f"{name}: {_bytes(given)}"))
    parts.append(f'<circle class="dot" cx="{x(needed):.1f}" cy="{y(fps):.1f}" r="5"/>')
    # above the slope and the peak's label, or below them where there is no room at its left
    above = -24 if y(fps) < y(peak) + 16 else -8
    anchor, right, down = ("end", -12, above) if x(needed) > _LEFT + _WIDTH / 3 else ("start", 14, 24)
    design = f"this design: {fps:.3g} frames/s take {_bytes(needed)}"
    parts.append(_text(x(needed) + right, y(fps) + down, design, anchor=anchor))
    box = f"0 0 {_LEFT + _WIDTH + _RIGHT} {_TOP + _HEIGHT + _BOTTOM}"
    label = f"Roofline: frames a second over the bandwidth of {what}"
    return f'<svg viewBox="{box}" width="100%" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _decades(low: float, high: float) -> list[float]:
    first, last = round(math.log10(low)), round(math.log10(high))
    return [10.0**power for power in range(first, last + 1)]


def _bytes(rate: float) -> str:
    for unit, size in (("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)):
        if rate >= size:
            return f"{rate / size:.3g} {unit}"
    return f"{rate:.3g} B/s"


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", soft: bool = False) -> str:
    mark = ' class="soft"' if soft else ""
    return f'<text{mark} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
