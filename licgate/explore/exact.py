"""Shapes with external memory by the exact cycle model, kept as JSON so that a second run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from licgate.backends import get_backend
from licgate.explore.route import read_result, result_key
from licgate.explore.streamedshape import StreamCandidate
from licgate.explore.streamedspace import StreamSpace
from licgate.synth.design import Design, Frame
from licgate.synth.output import OutputFolder

__all__ = ["exact_frames", "frame_figures"]


def frame_figures(design: Design, frame: Frame) -> dict:
    """Figures of a frame by the exact model, for JSON."""
    prediction, cost = frame.prediction, frame.cost
    return {
        "cycles": prediction.cycles,
        "fps": frame.fps(design),
        "macs": prediction.macs,
        "utilization": prediction.utilization,
        "recompute_factor": prediction.recompute_factor,
        "cycles_by_cause": cost.cycles,
        "traffic": cost.traffic,
        "bandwidth": cost.bandwidth,
    }


def exact_frames(
    space: StreamSpace,
    candidates: Sequence[StreamCandidate],
    *,
    out: Path,
    clock_mhz: float,
    say: Callable[[str], None] = print,
) -> list[dict]:
    """Count the cycles of shapes exactly; what has a result under ``out`` is not counted again.

    Parameters
    ----------
    space : StreamSpace
    candidates : sequence of StreamCandidate
        With estimates.
    out : Path
        Folder: a file ``KEY-exact.json`` for each shape.
    clock_mhz : float
    say : callable
        Takes progress lines.

    Returns
    -------
    list of dict
        See `frame_figures`; ``error`` is by how much the estimate was off, as a share.

    Raises
    ------
    ConfigError
        The folder cannot be written to.
    """
    backend, folder, results = get_backend("sdram"), OutputFolder(out), []
    for number, candidate in enumerate(candidates, 1):
        key = result_key(space, candidate, clock_mhz, ())
        name = f"{key}-exact.json"
        found = read_result(folder.path / name)
        kept = found is not None and "cycles" in found
        if not kept:
            say(f"{key}: counting cycle by cycle ({number} of {len(candidates)})")
            begun = time.monotonic()
            design = space.design(candidate, clock_mhz)
            found = frame_figures(design, backend.cost(design, space.width, space.height))
            found["seconds"] = round(time.monotonic() - begun, 1)
            found["error"] = candidate.bound / found["cycles"] - 1
            folder.write(name, json.dumps(found, indent=2) + "\n")
        results.append(found)
        say(
            f"{key}: {found['cycles']} cycles, {found['fps']:.3f} frames/s, {100 * found['utilization']:.2f} % busy; "
            f"the estimate was {100 * found['error']:+.2f} % off{' (kept)' if kept else ''}"
        )
    return results
