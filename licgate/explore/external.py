"""``licgate plan --memory sdram``: models of any size, on a shape that is given or the fastest that fits.

A shape is searched with the estimate; what is printed of it, and of one that is given, is the exact cycle model's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from licgate.errors import TimingError
from licgate.explore.exact import exact_frame
from licgate.explore.progress import Progress
from licgate.explore.space import Budget
from licgate.explore.streamsearch import fastest_stream
from licgate.explore.streamspace import StreamSpace, sdram_cycles
from licgate.files import write_whole
from licgate.gateware.streamed.options import MEMORY_SHAPE, memory_config
from licgate.synth.streaming import choose_streaming

__all__ = ["run_plan_external"]


def run_plan_external(args, board, clock, manifests) -> int:
    """Predict every model; exit code 4 if none reaches the frames a second that are wanted.

    Raises
    ------
    ConfigError
        The board has no SDRAM, the memory is too slow or too small, or an array does not fit the multipliers.
    """
    width, height = args.size
    timing = sdram_cycles(board, clock)
    searched = all(getattr(args, name) is None for name in ("rows", "cols", *MEMORY_SHAPE))
    rows, cols = (given or usual for given, usual in zip((args.rows, args.cols), board.streamed or (8, 16)))
    shape = f"{args.cores} x {rows} x {cols}" if not searched else "the fastest shape that fits"
    print(
        f"{board.title} ({board.device}), g_a of {width} x {height} on {shape} with SDRAM, {clock:g} MHz assumed: a "
        "prediction, nothing is placed or routed",
        flush=True,
    )
    plans = []
    length = max(len(manifest.name) for manifest in manifests)
    for manifest in manifests:
        if searched:
            config = _fastest(args, board, timing, manifest)
        else:
            config = memory_config(args, rows=rows, cols=cols, packing=args.packing, packed_bits=board.packed_bits)
        if config is None:
            plans.append({"model": manifest.name, "fits": False})
            print(f"{manifest.name:{length}}  fits in no shape of {args.cores} {_cores(args)}", flush=True)
            continue
        config, program, fit = choose_streaming(manifest, board, config, cores=args.cores, must_fit=False)
        figures = exact_frame(program, width, height, timing, cores=args.cores, clock_mhz=clock)
        plan = {
            "model": manifest.name,
            "searched": searched,
            "config": asdict(replace(config, weight_words=program.weight_words)),
            "cores": args.cores,
            "multipliers": config.multipliers * args.cores,
            "blocks": fit.needed,
            "fits": fit.fits,
            **figures,
        }
        plans.append(plan)
        share = sum(plan["traffic"].values()) * plan["fps"] / plan["bandwidth"]
        print(
            f"{manifest.name:{length}}  {plan['fps']:.3f} frames/s{_on(config, program) if searched else ''}: "
            f"{100 * plan['utilization']:.1f} % of {plan['multipliers']} multipliers busy with needed products "
            f"(recompute factor {plan['recompute_factor']:.3f}), {sum(plan['traffic'].values()) / 1e6:.0f} MB a frame, "
            f"{100 * share:.0f} % of the memory's cycles; {fit}{'' if fit.fits else ': DOES NOT FIT'}",
            flush=True,
        )
    fast = [plan for plan in plans if plan["fits"] and args.fps is not None and plan["fps"] >= args.fps]
    if args.fps is not None:
        if fast:
            widest = max(fast, key=lambda plan: plan["macs"])
            print(f"the widest model that reaches {args.fps:g} frames/s is {widest['model']}, with {widest['fps']:.3f}")
        else:
            print(f"no model that fits reaches {args.fps:g} frames/s")
    if args.json:
        result = {
            "board": board.name,
            "device": board.device,
            "memory": "sdram",
            "image": [width, height],
            "clock_mhz": clock,
            "clock": "assumed",
            "fps_wanted": args.fps,
            "plans": plans,
        }
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return TimingError.exit_code if args.fps is not None and not fast else 0


def _fastest(args, board, timing, manifest):
    """Configuration of the fastest shape that fits, or None.

    Raises
    ------
    ConfigError
        The array does not run the model.
    """
    space = StreamSpace(manifest, board, *args.size, timing, cores=(args.cores,), packing=args.packing)
    found = fastest_stream(space, Budget.of(board), Progress(f"{manifest.name}: arrays searched"))
    if found is None:
        # whatever the reason is, if it lies with the model or with the image
        space.usual(4, 4)
        return None
    return found.config


def _cores(args) -> str:
    return "core" if args.cores == 1 else "cores"


def _on(config, program) -> str:
    return (
        f" on {config.rows} x {config.cols}, blocks of {config.block_rows} rows, bands of {config.band_groups} groups, "
        f"{config.prefetch_words or 'all'} columns ahead, {program.weight_words} weight words, {config.output_words} "
        "words of results"
    )
