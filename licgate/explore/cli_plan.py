"""Arguments and body of ``licgate plan``."""

from __future__ import annotations

import argparse
import json

from licgate.errors import ConfigError, TimingError
from licgate.explore.options import add_shared_arguments, channels, clock_of, packing_note, positive
from licgate.files import write_whole

__all__ = ["add_plan_arguments", "run_plan"]


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate plan``."""
    add_shared_arguments(parser)
    parser.add_argument("--model", nargs="+", metavar="M", help="models, by name or path (default: all under models/)")
    parser.add_argument(
        "--channels",
        type=channels,
        nargs="+",
        default=[],
        metavar="N,M",
        help="also plan made-up models: the layers of the first --model, or of the default, with N and M channels",
    )
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second wanted; exit code 4 if none reaches it")
    parser.add_argument(
        "--encoder",
        action="store_true",
        help="instead: g_a, h_a, h_s and the entropy coder one after the other, against a pipeline of two arrays and "
        "the coder, on all multipliers of the board",
    )

    from licgate.gateware.streamed.options import add_memory_arguments

    add_memory_arguments(parser)
    off_chip = "with --memory sdram or axi: "
    searched = "(default: searched for sdram, else the board's)"
    parser.add_argument("--rows", type=positive, help=f"{off_chip}array rows {searched}")
    parser.add_argument("--cols", type=positive, help=f"{off_chip}array columns {searched}")
    parser.add_argument("--lanes", type=positive, help=f"{off_chip}lanes (default: enough for the model)")


def run_plan(args: argparse.Namespace) -> int:
    """Body of ``licgate plan``."""
    from licgate.explore.cycles import CycleCounter
    from licgate.explore.plan import plan_model, widest
    from licgate.explore.progress import Progress
    from licgate.explore.space import Space
    from licgate.target.board import find_board

    board = find_board(args.board)
    clock = clock_of(args, board)
    if args.fps is not None and not 0 < args.fps <= 1e6:
        raise ConfigError(f"{args.fps:g} frames a second make no sense: give --fps above 0")
    width, height = args.size
    if args.encoder:
        from licgate.explore.cli_encoder import run_plan_encoder

        return run_plan_encoder(args, board, clock)
    if args.memory == "axi":
        from licgate.explore.projection import run_plan_axi

        if args.mode != "analysis":
            raise ConfigError(f"--memory axi goes with --mode analysis, not {args.mode}")
        return run_plan_axi(args, board, clock, _manifests(args))
    if args.memory == "sdram":
        from licgate.explore.external import run_plan_external

        if args.mode != "analysis":
            raise ConfigError(f"--memory sdram goes with --mode analysis, not {args.mode}")
        return run_plan_external(args, board, clock, _manifests(args))
    if args.rows is not None or args.cols is not None or args.lanes is not None:
        raise ConfigError("--rows, --cols and --lanes go with --memory sdram or axi: without it all shapes are tried")
    spaces, left_out = [], []
    for manifest in _manifests(args):
        try:
            spaces.append(Space(manifest, board, args.mode, width, height, packing=args.packing))
        except ConfigError as error:
            if args.model:
                raise
            left_out.append(f"{manifest.name} is left out: {error}")
    if not spaces:
        raise ConfigError(f"no model to plan for mode {args.mode}: {'; '.join(left_out) or 'there are no models'}")
    print(
        f"{board.title} ({board.device}), {args.mode} of {width} x {height}, {clock:g} MHz assumed"
        f"{packing_note(args)}: a prediction, nothing is placed or routed"
    )
    counter = CycleCounter()
    plans = []
    length = max(len(space.manifest.name) for space in spaces)
    for space in spaces:
        plan = plan_model(space, clock, counter, Progress(f"{space.manifest.name}: arrays tried"))
        plans.append(plan)
        print(f"{plan.model:{length}}  {_line(plan, board)}", flush=True)
    for line in left_out:
        print(line)
    found = None if args.fps is None else widest(plans, args.fps)
    verdict = None if args.fps is None else _verdict(plans, found, args.fps, board)
    if verdict:
        print(verdict)
    if args.json:
        result = {
            "board": board.name,
            "device": board.device,
            "mode": args.mode,
            "image": [width, height],
            "clock_mhz": clock,
            "clock": "assumed",
            "packing": args.packing,
            "fps_wanted": args.fps,
            "widest": found and found.model,
            "plans": [plan.as_dict() for plan in plans],
        }
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return TimingError.exit_code if args.fps is not None and found is None else 0


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


def _line(plan, board) -> str:
    work = f"{'-'.join(map(str, plan.channels))}, {plan.macs / 1e9:.2f} G MAC:"
    if plan.candidate is None:
        return f"{work} fits in no shape, it takes {plan.least_blocks} {board.memory} at least, of {board.memories}"
    config, candidate = plan.candidate.config, plan.candidate
    return (
        f"{work} {plan.fps:.2f} frames/s on {config.rows} x {config.cols} with {config.lanes} lanes, lines of "
        f"{config.max_width}: {candidate.multipliers} {board.multiplier}, {candidate.blocks} {board.memory}, about "
        f"{candidate.lut} LUT; {100 * plan.utilization:.1f} % of the array's peak of {plan.peak_fps:.2f}; "
        f"{_binding(plan, board)}"
    )


def _binding(plan, board) -> str:
    if plan.binds == "shape":
        return "bound by compute: no limit of the device alone holds it down"
    what = {"multipliers": board.multiplier, "blocks": board.memory, "lut": "the estimate of LUT"}[plan.binds]
    given = "twice as many" if plan.binds == "multipliers" else "as many as it likes"
    return f"bound by {what} (with {given}: at most {plan.freed:.2f})"


def _verdict(plans, found, fps, board) -> str:
    if found is not None:
        return f"the widest model that reaches {fps:g} frames/s is {found.model}, with {found.fps:.2f}"
    fitting = [plan for plan in plans if plan.candidate is not None]
    if not fitting:
        return f"no model reaches {fps:g} frames/s: none of them fits the device"
    best = max(fitting, key=lambda plan: plan.fps)
    line = f"no model reaches {fps:g} frames/s: the fastest is {best.model}, with {best.fps:.2f}"
    if fps > best.device_fps:
        line += f"; all {board.multipliers} {board.multiplier}, never idle, would give {best.device_fps:.2f}"
    return line
