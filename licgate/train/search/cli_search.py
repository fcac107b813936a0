"""The verb ``search``: how many bits each layer needs."""

from __future__ import annotations

import argparse

from licgate.errors import TrainingError
from licgate.train.start import start_torch

MODES = ("near-lossless", "budget")
ALL_KINDS = "activation,weight,gdn,gamma,latent"


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate search``."""
    parser.add_argument("checkpoint", help="float checkpoint of licgate train")
    parser.add_argument("--data", required=True, help="photographs to calibrate and measure on")
    parser.add_argument("--out", required=True, help="JSON file to write, for licgate quantize --widths")
    parser.add_argument("--mode", choices=MODES, default="near-lossless")
    parser.add_argument(
        "--tolerance", type=float, help="loss allowed, in %% of the float model's rate (default 0.5, for a budget 2)"
    )
    parser.add_argument("--tolerance-db", type=float, help="loss allowed, in dB of PSNR, instead")
    parser.add_argument("--pm", type=float, metavar="BITS", help="budget: equivalent bit width P_m at most this")
    parser.add_argument("--pm-of", choices=("all", "g_a", "g_s"), default="all", help="whose P_m (default all)")
    parser.add_argument("--bit-operations", type=float, metavar="G", help="budget: 10^9 bit operations an image")
    parser.add_argument("--memory-kbit", type=float, metavar="K", help="budget: kbit of memory on the first board")
    parser.add_argument("--block-rams", type=int, metavar="N", help="budget: its block RAMs")
    parser.add_argument(
        "--board",
        action="append",
        default=[],
        help="board to count cells and cycles for; may be repeated (default: all boards)",
    )
    parser.add_argument("--size", default="768x512", metavar="WxH", help="image that costs are for (768x512)")
    parser.add_argument("--image", dest="size", default=argparse.SUPPRESS, help=argparse.SUPPRESS)  # of 0.1 and 0.2
    parser.add_argument("--kinds", default=ALL_KINDS, help=f"widths to search (default {ALL_KINDS})")
    for name, bits in (("activation", 10), ("weight", 8), ("gdn", 12), ("gamma", 8), ("latent", 12)):
        text = f"{name} bits where they are not searched (default {bits})"
        parser.add_argument(f"--{name}-bits", type=int, default=bits, help=text)
    parser.add_argument(
        "--finetune-iterations", type=int, default=0, help="training steps before each answer (default 0: none)"
    )
    parser.add_argument("--crops", type=int, default=8, help="crops of 256 x 256 a loss is measured on (default 8)")
    parser.add_argument("--check", metavar="DIR", help="other photographs to measure the outcome on")
    parser.add_argument("--trials", metavar="FILE", help="trials made so far, carried on (default: OUT.trials.json)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--quiet", action="store_true", help="no line for every step")


def run_search(args: argparse.Namespace) -> int:
    """Body of ``licgate search``."""
    import sys
    from pathlib import Path

    tolerance, given = _tolerance(args), _given_budget(args)
    wanted_kinds = _kinds(args.kinds)
    width, height = _size(args.size)
    if args.crops < 1 or args.finetune_iterations < 0:
        raise TrainingError(f"--crops {args.crops} must be 1 or more, --finetune-iterations not negative")
    start_torch(args.threads)
    from licgate.target.board import find_board, list_boards
    from licgate.train.quant.widths import LayerBits, Widths
    from licgate.train.search.bitreport import result_text, search_result
    from licgate.train.search.bitsearch import meet_budget, near_lossless, tolerance_in_loss
    from licgate.train.search.hwcost import BoardCost
    from licgate.train.search.modelshape import shape_of
    from licgate.train.search.sensitivity import coordinates
    from licgate.train.search.trials import Trials, write_json

    found = [find_board(name) for name in args.board] if args.board else list_boards()
    held = LayerBits(activation=args.activation_bits, weight=args.weight_bits, gdn=args.gdn_bits, gamma=args.gamma_bits)
    start = Widths(default=held, latent=args.latent_bits)
    model, evaluator = _evaluator(args)
    shape = shape_of(model, height=height, width=width, inputs=evaluator.inputs)
    boards = [BoardCost(shape, each) for each in found]
    trials = Trials(
        evaluator,
        coordinates(shape),
        path=args.trials or f"{args.out}.trials.json",
        iterations=args.finetune_iterations,
        report=None if args.quiet else (lambda line: print(line, file=sys.stderr, flush=True)),
    )
    wanted = coordinates(shape, wanted_kinds)
    allowed = tolerance_in_loss(evaluator, **tolerance)
    if args.mode == "budget":
        budget = _budget(args, shape, boards)
        outcome = meet_budget(trials, start, wanted, allowed, budget)
        uniform_within = _widest_uniform(start, outcome, budget)
    else:
        outcome, uniform_within = near_lossless(trials, start, wanted, allowed), {}
    configurations = {"baseline": outcome.baseline, **uniform_within, "found": outcome.widths}
    measured = _measured(args, evaluator, configurations)
    about = {
        "checkpoint": Path(args.checkpoint).name,
        "mode": args.mode,
        "tolerance_in_loss": allowed,
        **({"budget": {given: getattr(args, given), "of": args.pm_of}} if given else {}),
        "kinds": wanted_kinds,
        "trials_made": trials.asked,
        **evaluator.settings,
    }
    parts = {"trials": trials, "shape": shape, "boards": boards, "configurations": configurations, "measured": measured}
    write_json(Path(args.out), search_result(outcome, **parts, about=about))
    print(result_text(outcome, shape, boards, configurations, measured))
    return 0


def _tolerance(args: argparse.Namespace) -> dict[str, float | None]:
    if args.tolerance is not None and args.tolerance_db is not None:
        raise TrainingError("--tolerance and --tolerance-db exclude each other: give one")
    if args.tolerance is None and args.tolerance_db is None:
        return {"percent": 0.5 if args.mode == "near-lossless" else 2.0}
    return {"percent": args.tolerance, "decibel": args.tolerance_db}


def _given_budget(args: argparse.Namespace) -> str | None:
    """Return the option that gives the budget: one in that mode, none in the other."""
    given = [n for n in ("pm", "bit_operations", "memory_kbit", "block_rams") if getattr(args, n) is not None]
    if len(given) != (args.mode == "budget"):
        names = "--pm, --bit-operations, --memory-kbit, --block-rams"
        raise TrainingError(f"mode {args.mode} takes {'one' if args.mode == 'budget' else 'none'} of {names}")
    return given[0] if given else None


def _evaluator(args: argparse.Namespace) -> tuple:
    """Return the model, and what measures it: with fine-tuning or without."""
    from licgate.train.network.checkpoint import load_model
    from licgate.train.search.imitation import ImitationEvaluator

    model, recipe = load_model(args.checkpoint)
    if not args.finetune_iterations:
        return model, ImitationEvaluator(model, recipe, args.data, crops=args.crops)
    from licgate.train.search.tuned import TrainingEvaluator

    return model, TrainingEvaluator(model, recipe, args.data, kept=f"{args.out}.kept", crops=args.crops)


def _measured(args: argparse.Namespace, evaluator, configurations: dict) -> dict[str, dict]:
    """Measure the float model and what was found, on the crops of the search and on others."""
    from pathlib import Path

    from licgate.train.quant.calibrate import calibration_crops

    sets = {"crops of the search": evaluator.crops}
    if args.check:
        sets[f"other crops ({Path(args.check).name})"] = calibration_crops(args.check, count=24)
    return {
        name: {
            "float": evaluator.measure_float(crops),
            **{key: evaluator.measure(widths, crops) for key, widths in configurations.items()},
            **({"found, fine-tuned": evaluator.measure_kept(crops)} if args.finetune_iterations else {}),
        }
        for name, crops in sets.items()
    }


def _kinds(text: str) -> list[str]:
    known = ALL_KINDS.split(",")
    kinds = [kind.strip() for kind in text.split(",")]
    for kind in kinds:
        if kind not in known:
            raise TrainingError(f"kind of width {kind!r} is unknown: choose among {ALL_KINDS}")
    return kinds


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) <= 16384 and 0 < int(height) <= 16384):
        raise TrainingError(f"size {text!r} is not WIDTHxHEIGHT in pixels up to 16384, for example 768x512")
    return int(width), int(height)


def _budget(args: argparse.Namespace, shape, boards: list):
    from licgate.train.search.budget import Budget
    from licgate.train.search.hwcost import bit_operations, equivalent_width

    board = boards[0]

    def kilobits(widths) -> float:
        return board.memory_bits(widths) / 1e3

    if args.pm is not None:
        name = "P_m" if args.pm_of == "all" else f"P_m of {args.pm_of}"
        value = weigh = lambda widths: equivalent_width(shape, widths, args.pm_of)
        limit = args.pm
    elif args.bit_operations is not None:
        name, limit = "10^9 bit operations", args.bit_operations
        value = weigh = lambda widths: bit_operations(shape, widths) / 1e9
    elif args.memory_kbit is not None:
        name, limit, value, weigh = f"kbit on {board.board.name}", args.memory_kbit, kilobits, kilobits
    else:
        name, limit, weigh = f"{board.board.memory} on {board.board.name}", args.block_rams, kilobits
        value = lambda widths: board.cost(widths)["block_rams"]  # noqa: E731
    if not 0 < limit < float("inf"):
        raise TrainingError(f"budget {name} of {limit:g} is not above 0")
    return Budget(name, limit, value, weigh)


def _widest_uniform(start, outcome, budget) -> dict:
    """Give the widest uniform configuration of the widths searched that keeps the budget, to compare with.

    Latents of so few bits lose much more than other maps do, so the same with the latents as they were given is beside
    it, though it may exceed the budget: without it the search would look better than it is.
    """
    from licgate.train.search.bitsearch import uniform
    from licgate.train.search.sensitivity import LATENT

    for bits in range(16, 3, -1):
        widths = uniform(start, list(outcome.sensitivity), bits)
        if budget.met(widths):
            others = uniform(start, [c for c in outcome.sensitivity if c != LATENT], bits)
            wide = {f"{bits}, latent {start.latent}": others} if others.latent > widths.latent else {}
            return {f"uniform {bits} bits": widths, **wide}
    return {}
