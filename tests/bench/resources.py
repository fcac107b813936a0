"""Cells of the default model's accelerator by Yosys alone: no place-and-route, so no clock."""

import json

from licgate.errors import BuildError
from tests.bench.kit import Options, licgate_verb

SHAPES = ((8, 12), (12, 12))


def bench(options: Options) -> dict:
    """Synthesise some shapes."""
    figures, headline = {}, {}
    for rows, cols in SHAPES[: 1 if options.quick else None]:
        name = f"{rows}x{cols}"
        out = options.out / f"synthesis-{name}"
        words = ("--board", options.board, "--rows", str(rows), "--cols", str(cols), "--out", str(out))
        if licgate_verb("build", "--synthesis-only", *words):
            raise BuildError(f"licgate build --synthesis-only {' '.join(words)} failed: its last lines say why")
        report = json.loads((out / "report.json").read_text())
        figures[name] = {
            "cells": report["utilization"],
            "performance": report["performance"],
            "components": report["components"],
            "model": report["model"],
            "tools": report["tools"],
        }
        cells = ", ".join(f"{count['used']:g} {cell}" for cell, count in report["utilization"].items())
        headline[name] = f"{cells}; {report['performance']['lut_per_multiplier']} LUT per multiplier"
    return {
        "headline": headline,
        "configuration": {"board": options.board, "mode": "analysis"},
        "seeds": [],
        "figures": figures,
    }
