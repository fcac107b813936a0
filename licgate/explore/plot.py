"""The Pareto set as one picture: frames a second over multipliers, shaded by block RAMs."""

from __future__ import annotations

from html import escape

__all__ = ["pareto_plot"]

_LEFT, _TOP, _WIDTH, _HEIGHT = 70, 56, 720, 380
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1c2430}.soft{fill:#5c6775}.grid{stroke:#d9dee5}"
    ".peak{stroke:#c62f38;stroke-dasharray:5 4}circle{stroke:#1c2430;stroke-width:.6}"
)


def pareto_plot(rows: list[dict], *, title: str, macs: int, clock_mhz: float, block_rams: int) -> str:
    """SVG of the shapes in ``rows`` (as they go into JSON).

    Parameters
    ----------
    rows : list of dict
        At least one.
    title : str
    macs : int or float
        Multiply-accumulates of an image, or the cycles of a multiplier that they take where some are packed; the line
        of multipliers that are never idle is drawn from them.
    clock_mhz : float
    block_rams : int
        Block RAMs of the device: the darkest shade.
    """
    right = _round(max(row["multipliers"] for row in rows))
    peak = clock_mhz * 1e6 / macs
    top = _round(max(max(row["fps"] for row in rows), 1e-9))
    x = lambda value: _LEFT + _WIDTH * value / right  # noqa: E731
    y = lambda value: _TOP + _HEIGHT * (1 - value / top)  # noqa: E731
    parts = []
    for tick in range(5):
        across, up = right * tick / 4, top * tick / 4
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y(up):.1f}" y2="{y(up):.1f}"/>'
            f'<text class="soft" x="{_LEFT - 8}" y="{y(up) + 4:.1f}" text-anchor="end">{up:g}</text>'
            f'<text class="soft" x="{x(across):.1f}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{across:g}</text>'
        )
    end = min(right, top / peak)
    parts.append(f'<line class="peak" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(end):.1f}" y2="{y(end * peak):.1f}"/>')
    for row in rows:
        between = row.get("buffers") or f"lines of {row['max_width']}"
        name = (
            f"{row['rows']} x {row['cols']}, {row['lanes']} lanes, {between}: {row['fps']:.2f} frames/s, "
            f"{row['multipliers']} multipliers, {row['block_rams']} block RAMs"
        )
        lightness = 92 - 62 * min(1.0, row["block_rams"] / block_rams)
        parts.append(
            f'<circle cx="{x(row["multipliers"]):.1f}" cy="{y(row["fps"]):.1f}" r="6" '
            f'fill="hsl(216,70%,{lightness:.0f}%)"><title>{escape(name)}</title></circle>'
        )
    middle = _LEFT + _WIDTH / 2
    box = f"0 0 {_LEFT + _WIDTH + 30} {_TOP + _HEIGHT + 56}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{_LEFT}" y="24" font-weight="600">{escape(title)}'
        f'</text><text class="soft" x="{_LEFT}" y="43">frames a second; the darker, the more of {block_rams} block '
        f"RAMs; dashed: multipliers that are never idle</text>{''.join(parts)}"
        f'<text class="soft" x="{middle}" y="{_TOP + _HEIGHT + 42}" text-anchor="middle">multipliers</text></svg>\n'
    )


def _round(value: float) -> float:
    """The next number of one or two digits that is divisible by four steps."""
    step = 1e-6
    while step < value:
        step *= 10
    return next(part * step for part in (0.12, 0.16, 0.2, 0.28, 0.4, 0.6, 0.8, 1.0) if part * step >= value)
