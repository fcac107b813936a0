"""Arguments and body of ``licgate plan``."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from licgate.backends.options import (
    add_array_arguments,
    add_channels_argument,
    add_frame_arguments,
    add_memory_arguments,
    clock_of,
)
from licgate.errors import ConfigError, TimingError
from licgate.files import write_whole

__all__ = ["add_plan_arguments", "run_plan"]

_PLANNERS = {"chip": "ChipPlanner", "sdram": "SdramPlanner", "axi": "AxiPlanner"}


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate plan``."""
    add_frame_arguments(parser)
    parser.add_argument("--model", nargs="+", metavar="M", help="models, by name or path (default: all under models/)")
    made = "also plan made-up models: the layers of the first --model, or of the default, with N and M channels"
    add_channels_argument(parser, made, nargs="+", default=[])
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second wanted; exit code 4 if none reaches it")
    parser.add_argument(
        "--encoder",
        action="store_true",
        help="instead: g_a, h_a, h_s and the entropy coder one after the other, against a pipeline of two arrays and "
        "the coder, on all multipliers of the board",
    )
    add_memory_arguments(parser)
    add_array_arguments(parser, "searched for sdram, the board's for axi; on the chip all are tried")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON as well")


def run_plan(args: argparse.Namespace) -> int:
    """Body of ``licgate plan``."""
    from licgate.target.board import find_board

    board = find_board(args.board)
    clock = clock_of(args, board)
    if args.fps is not None and not 0 < args.fps <= 1e6:
        raise ConfigError(f"{args.fps:g} frames a second make no sense: give --fps above 0")
    if args.encoder:
        from licgate.explore.arrangements import run_plan_encoder

        return run_plan_encoder(args, board, clock)
    module = importlib.import_module(f"licgate.explore.plan{args.memory}")
    return _planned(args, getattr(module, _PLANNERS[args.memory])(args, board, clock))


def _planned(args, planner) -> int:
    from licgate.explore.planner import widest

    chosen, left_out = _prepared(args, planner)
    print(planner.headline, flush=True)
    rows, length = [], max(len(name) for name, _ in chosen)
    for name, prepared in chosen:
        rows.append(planner.plan(prepared))
        print(f"{name:{length}}  {planner.line(rows[-1])}", flush=True)
    for line in left_out:
        print(line)
    found = None if args.fps is None else widest(rows, args.fps)
    if args.fps is not None:
        print(planner.verdict(found, rows))
    if args.json:
        result = {
            "board": planner.board.name,
            "device": planner.board.device,
            "mode": args.mode,
            "image": list(args.size),
            "clock_mhz": planner.clock_mhz,
            "clock": "assumed",
            **planner.facts,
            "fps_wanted": args.fps,
            "widest": found and found["model"],
            "plans": rows,
        }
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return TimingError.exit_code if args.fps is not None and found is None else 0


def _prepared(args, planner):
    """What is planned, by the name of its model; and lines on the models that the array does not run."""
    chosen, left_out = [], []
    for manifest in _manifests(args):
        try:
            chosen.append((manifest.name, planner.prepared(manifest)))
        except ConfigError as error:
            # who named it wants to know
            if args.model:
                raise
            left_out.append(f"{manifest.name} is left out: {error}")
    if not chosen:
        raise ConfigError(f"no model to plan for mode {args.mode}: {'; '.join(left_out) or 'there are no models'}")
    return chosen, left_out


def _manifests(args):
    """Models asked for, then those made up."""
    from licgate.manifest import find_model, list_models
    from licgate.manifest.scaled import scaled_manifest

    # a broken model is no reason not to plan the others, unless it was named
    there = sorted((row for row in list_models() if "error" not in row), key=lambda row: not row["default"])
    names = args.model or ([] if args.channels else [row["name"] for row in there])
    manifests = [find_model(name) for name in names]
    if args.channels:
        template = manifests[0] if manifests else find_model()
        manifests += [scaled_manifest(template, *pair) for pair in args.channels]
    return manifests
