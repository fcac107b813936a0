"""The report as one self-contained page: no scripts, no fonts, nothing fetched from anywhere."""

from __future__ import annotations

from html import escape

from licgate.synth.charts import roofline_plot, spent_rows, traffic_rows
from licgate.synth.report import headline, lacking

__all__ = ["render_html", "utilization_plot"]

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6775; --line: #d9dee5; --page: #f5f7fa; --card: #fff;
  --bar: #2f6fde; --rest: #e3e8ef; --good: #1a7f4b; --bad: #c62f38; --note: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --soft: #98a5b5; --line: #313b48; --page: #11161d;
  --card: #1a212b; --bar: #6aa0ff; --rest: #2b3542; --good: #4cc38a; --bad: #ff6b72; --note: #e3b341 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1200px; margin: 0 auto; padding: 28px 24px 48px }
.verdict { padding: 12px 18px; border-radius: 8px; color: #fff; font-weight: 600; font-size: 17px }
.good { background: #1a7f4b } .bad { background: #c62f38 } .note { background: #7d5600 }
h1 { font-size: 26px; margin: 22px 0 2px } h2 { font-size: 17px; margin: 0 0 12px }
.sub { color: var(--soft); margin: 0 0 20px; overflow-wrap: anywhere }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px }
section { padding: 18px 20px; margin-top: 18px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 18px }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px }
.tile b { display: block; font-size: 23px; font-variant-numeric: tabular-nums }
.tile span { color: var(--soft); font-size: 13px }
.wide { overflow-x: auto } .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 18px }
@media (max-width: 900px) { .pair { grid-template-columns: 1fr } }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th { text-align: right; color: var(--soft); font-weight: 500; font-size: 13px; vertical-align: bottom }
td { text-align: right; font-size: 14px } th, td { padding: 5px 7px; white-space: nowrap }
th, td { border-bottom: 1px solid var(--line) } td:first-child { white-space: normal }
tr:last-child td { border-bottom: 0 } th:first-child, td:first-child { text-align: left; padding-left: 0 }
tr.sum td { font-weight: 600 } .meter { width: 110px; height: 8px; background: var(--rest); display: inline-block }
.meter { border-radius: 4px }
.meter i { display: block; height: 100%; border-radius: 4px; background: var(--bar) }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif } svg .soft { fill: var(--soft) }
svg .bar { fill: var(--bar) } svg .rest { fill: var(--rest) } svg .grid { stroke: var(--line) }
svg .roof { fill: none; stroke: var(--ink); stroke-width: 2 } svg .dot { fill: var(--bar) }
svg .given { stroke: var(--note); stroke-dasharray: 5 4 }
ul { margin: 0; padding-left: 20px } li + li { margin-top: 6px } code { font-size: 13px }
"""


def _count(value) -> str:
    """Number with thin spaces between thousands; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.1f}".replace(",", "\u202f") if isinstance(value, float) else f"{value:,}".replace(",", "\u202f")


def _percent(value) -> str:
    return "–" if value is None else f"{100 * value:.1f}\u202f%"


def _table(head: list[str], rows: list[list[str]], *, summed: bool = False) -> str:
    """HTML table; cells are HTML already. `summed` sets the last row apart."""
    body = []
    for index, row in enumerate(rows):
        mark = ' class="sum"' if summed and index == len(rows) - 1 else ""
        body.append(f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>")
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f'<div class="wide"><table><thead><tr>{header}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _meter(share: float) -> str:
    return f'<span class="meter"><i style="width:{min(100.0, 100 * share):.1f}%"></i></span>'


def utilization_plot(layers: list[dict]) -> str:
    """SVG: one bar a layer, as long as its multipliers are busy and as thick as its share of the cycles."""
    layers = [layer for layer in layers if layer["cycles"] and layer["utilization"] is not None]
    if not layers:
        return "<p class='sub'>The cycle model gives no figures per layer.</p>"
    total = sum(layer["cycles"] for layer in layers)
    left, width, gap, least = 150, 760, 12, 16
    y, bars = 26, []
    for layer in layers:
        share = layer["cycles"] / total
        height = max(least, 260 * share)
        length = width * min(1.0, layer["utilization"])
        middle = y + height / 2 + 4
        bars.append(
            f'<rect class="rest" x="{left}" y="{y:.1f}" width="{width}" height="{height:.1f}" rx="3"/>'
            f'<rect class="bar" x="{left}" y="{y:.1f}" width="{length:.1f}" height="{height:.1f}" rx="3"/>'
            f'<text x="{left - 12}" y="{middle:.1f}" text-anchor="end">{escape(layer["name"])} '
            f'<tspan class="soft">{escape(layer["kind"])}</tspan></text>'
            f'<text x="{left + width + 12}" y="{middle:.1f}">{_percent(layer["utilization"])} '
            f'<tspan class="soft">of {_percent(share)} of the cycles</tspan></text>'
        )
        y += height + gap
    ticks = "".join(
        f'<line class="grid" x1="{x}" x2="{x}" y1="20" y2="{y - gap + 6:.1f}"/>'
        f'<text class="soft" x="{x}" y="14" text-anchor="middle">{100 * (x - left) // width} %</text>'
        for x in range(left, left + width + 1, width // 4)
    )
    box = f"0 0 {left + width + 230} {y:.0f}"
    label = "Utilisation of the multipliers per layer"
    return f'<svg viewBox="{box}" width="100%" role="img" aria-label="{label}">{ticks}{"".join(bars)}</svg>'


def _whole(report: dict) -> str:
    return "whole transform" if len(report["transforms"]) == 1 else "all transforms"


def _tiles(report: dict) -> str:
    performance = report["performance"]
    width, height = performance["image"]
    tiles = [
        (f"{performance['fps']:.2f}", f"frames/s of {width} × {height} at {performance['clock_mhz']:g} MHz"),
        (_percent(performance["utilization"]), f"of the multipliers busy, {_whole(report)}"),
        (f"{performance['recompute_factor']:.3f}", "recompute factor of the margin"),
        (f"{performance['rows']} × {performance['cols']}", f"array, {performance['multipliers']} multipliers"),
        (_count(performance["cycles"]), "cycles per image"),
        (f"{performance['lut_per_multiplier']:g}", "LUT per multiplier, whole design"),
    ]
    return "".join(f'<div class="tile"><b>{value}</b><span>{escape(label)}</span></div>' for value, label in tiles)


def _timing(report: dict) -> str:
    timing = report["timing"]
    rows = []
    for name, clock in timing["clocks"].items():
        achieved, constraint = clock["achieved_mhz"], clock["constraint_mhz"]
        slack = "–" if achieved is None else f"{1000 / constraint - 1000 / achieved:+.2f}"
        rows.append([escape(name), "–" if achieved is None else f"{achieved:.1f}", f"{constraint:.1f}", slack])
    text = _table(["clock", "achieved MHz", "constraint MHz", "slack ns"], rows)
    if len(timing.get("seeds", ())) > 1:
        seeds = ", ".join(f"{run['achieved_mhz']:.1f} (seed {run['seed']})" for run in timing["seeds"])
        text += f"<p class='sub'>Median of {len(timing['seeds'])} seeds: {timing['median_mhz']:.1f} MHz. {seeds}.</p>"
    return text


def _resources(report: dict) -> str:
    rows = []
    for cell, count in report["utilization"].items():
        share = count["used"] / count["available"] if count["available"] else 0.0
        numbers = [_count(count["used"]), _count(count["available"]), _percent(share), _meter(share)]
        rows.append([f"<code>{escape(cell)}</code>", *numbers])
    return _table(["cell", "used", "available", "", ""], rows)


def _components(report: dict) -> str:
    components = report["components"]
    kinds = [kind for kind in (components[0] if components else {}) if kind != "component"]
    counts = [[_count(component[kind]) if component[kind] else "" for kind in kinds] for component in components]
    rows = [[escape(component["component"]), *row] for component, row in zip(components, counts)]
    rows.append(["total", *(_count(sum(component[kind] for component in components)) for kind in kinds)])
    return _table(["component", *kinds], rows, summed=True)


def _transforms(report: dict) -> str:
    """Section of the transforms; of a single one the tiles say it all."""
    if len(report["transforms"]) == 1:
        return ""
    rows = [
        [
            f"<code>{escape(row['name'])}</code>",
            _count(row["runs"]),
            _count(row["macs"]),
            _count(row["cycles"]),
            _percent(row["utilization"]),
            f"{row['recompute_factor']:.3f}",
        ]
        for row in report["transforms"]
    ]
    performance = report["performance"]
    total = [_count(performance["macs"]), _count(performance["cycles"]), _percent(performance["utilization"])]
    rows.append([_whole(report), "", *total, f"{performance['recompute_factor']:.3f}"])
    head = ["transform", "patches", "MACs", "cycles", "utilisation", "recompute factor"]
    return f"<section><h2>Transforms</h2>{_table(head, rows, summed=True)}</section>\n"


def _memories(report: dict) -> str:
    memories = report["memories"]
    rows = [
        [
            escape(row["holds"]),
            _count(row["cells"]),
            "" if row["bits"] is None else _count(-(-row["bits"] // 1024)),
            _meter(row["cells"] / memories["available"]),
        ]
        for row in sorted(memories["by"], key=lambda row: -row["cells"])
    ]
    bits = sum(row["bits"] or 0 for row in memories["by"])
    rows.append([f"all, of {_count(memories['available'])}", _count(memories["needed"]), _count(-(-bits // 1024)), ""])
    return _table(["what they hold", memories["cell"], "Kibit", ""], rows, summed=True)


def _layers(report: dict) -> str:
    rows = []
    for layer in report["layers"]:
        step = f"{'×' if layer['transposed'] else '/'}{layer['stride']}"
        shape = f"{layer['kernel']}×{layer['kernel']} {step}" if layer["kind"] == "conv2d" else ""
        rows.append(
            [
                f"{escape(layer['name'])} {escape(layer['kind'])}{', packed' if layer['packed'] else ''}",
                shape,
                f"{layer['in_channels']} → {layer['out_channels']}",
                *(str(layer[f"{kind}_bits"]) for kind in ("input", "weight", "accumulator", "output")),
                _count(layer["macs"]),
                _count(layer["cycles"]),
                _percent(layer["utilization"]),
            ]
        )
    performance = report["performance"]
    # What a layer is charged with are its steps of the array; the rest of the cycles belongs to no layer.
    rest = performance["cycles"] - sum(layer["cycles"] or 0 for layer in report["layers"])
    if rest > 0:
        rows.append(["filling, draining, waiting", "", "", "", "", "", "", "", _count(rest), ""])
    total = [_count(performance["macs"]), _count(performance["cycles"]), _percent(performance["utilization"])]
    rows.append([_whole(report), "", "", "", "", "", "", *total])
    head = ["layer", "kernel", "channels", "input bits", "weight bits", "accumulator", "output bits", "MACs", "cycles"]
    return _table([*head, "utilisation"], rows, summed=True)


def _costs(report: dict) -> str:
    """Sections of what a frame costs, where the report says so."""
    cost = report.get("cost")
    if cost is None:
        return ""
    performance = report["performance"]
    spent = [
        [
            f"{escape(name)} <span class='sub'>{escape(meaning)}</span>",
            _count(round(number)),
            _fine(share),
            _meter(bar) if bar else "",
        ]
        for name, meaning, number, share, bar in spent_rows(cost)
    ]
    spent.append([_whole(report), _count(performance["cycles"]), _percent(1.0), ""])
    moved = [
        [escape(kind), _count(number), f"{rate / 1e6:.2f}"]
        for kind, number, rate in traffic_rows(cost, performance["fps"])
    ]
    return (
        f"<section><h2>What the cycles of a frame are spent on</h2>"
        f"{_table(['cause', 'cycles', 'share', ''], spent, summed=True)}</section>\n"
        f"<section><h2>What a frame moves</h2>{_table(['', 'bytes', 'MB/s at this rate'], moved)}</section>\n"
        f"<section><h2>Roofline</h2>{roofline_plot(cost, performance)}</section>\n"
    )


def _fine(share: float) -> str:
    return f"{100 * share:.2f}\u202f%"


def _memory_line(performance: dict) -> str:
    if performance.get("external") is None:
        return f"lines of {performance['max_width']} pixels"
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in performance["external"].items()]
    return f"external memory, {', '.join(parts)}"


def _tool(name: str, row: dict) -> str:
    return f"{name} {row['version']} ({row['kind']})"


def render_html(report: dict) -> str:
    """The page for what `make_report` returned."""
    met = report["timing"]["met"]
    mood = "bad" if met is False or lacking(report) else "note" if met is None else "good"
    model, tools = report["model"], ", ".join(_tool(name, row) for name, row in report["tools"].items())
    assumptions = "".join(f"<li>{escape(text)}</li>" for text in report["assumptions"])
    title = f"{model['name']} on {report['title']}"
    names = ", ".join(row["name"] for row in report["transforms"])
    sub = f"{report['mode']} ({names}), {_memory_line(report['performance'])}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>
<div class="verdict {mood}">{escape(headline(report))}</div>
<h1>{escape(title)}</h1>
<p class="sub">{escape(report["device"])} · {escape(sub)} · manifest {escape(model["hash"])} · {escape(tools)}</p>
<div class="tiles">{_tiles(report)}</div>
<section><h2>Where the multipliers' time goes</h2>{utilization_plot(report["layers"])}</section>
{_transforms(report)}<section><h2>Layers</h2>{_layers(report)}</section>
{_costs(report)}<div class="pair"><section><h2>Device</h2>{_resources(report)}</section>
<section><h2>Memories</h2>{_memories(report)}</section></div>
<section><h2>Timing</h2>{_timing(report)}</section>
<section><h2>Components</h2>{_components(report)}</section>
<section><h2>Assumed and measured</h2><ul>{assumptions}</ul></section>
</main></body></html>
"""
