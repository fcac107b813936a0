"""Body of ``licgate build --memory sdram``."""

from __future__ import annotations

import argparse
from pathlib import Path

from licgate.errors import ConfigError
from licgate.target.board import Board

__all__ = ["run_build_external"]


def run_build_external(args: argparse.Namespace, board: Board) -> int:
    """Build an accelerator for g_a whose weights and feature maps lie in the board's SDRAM."""
    from licgate.caches import cache_folder
    from licgate.gateware.streamed.options import memory_config
    from licgate.gateware.top.streamed import StreamingAccelerator
    from licgate.perf.streamed.cost import streaming_cost
    from licgate.program.cores import core_jobs
    from licgate.synth.build import build
    from licgate.synth.cli import chosen_model, packed_line, print_result
    from licgate.synth.output import OutputFolder
    from licgate.synth.pll import ecp5_pll
    from licgate.synth.streaming import choose_streaming
    from licgate.target.sdram import SdramCycles

    if args.mode != "analysis":
        raise ConfigError(f"--memory sdram goes with --mode analysis, not {args.mode}")
    if args.max_width is not None:
        raise ConfigError("--memory sdram goes without --max-width: it takes images of any width")
    rows, cols = (given or default for given, default in zip((args.rows, args.cols), board.streamed or (8, 16)))
    manifest, route = chosen_model(args), board.routed and not args.synthesis_only
    config = memory_config(args, rows=rows, cols=cols, packing=args.packing, packed_bits=board.packed_bits)
    config, program, fit = choose_streaming(manifest, board, config, cores=args.cores, must_fit=route)
    clock = ecp5_pll(board.clock_input, args.frequency or board.frequency).f_out
    timing = board.sdram
    try:
        cycles = SdramCycles.at(timing, clock)
    except ValueError as error:
        raise ConfigError(f"{error}: take another --frequency") from None
    width, height = args.image
    jobs = core_jobs(program, program.chains[0], width, height, args.cores)
    out = args.out or Path("out") / f"{board.name}-{manifest.name}-sdram"
    OutputFolder(out)
    print(
        f"{manifest.name} on {board.title} ({board.device}): g_a on {args.cores} x {rows} x {cols}, blocks of "
        f"{config.block_rows} rows, bands of {config.band_groups} groups, {program.slots} slots, "
        f"{program.weight_words} weight words, {fit}"
        + (", multipliers of the lanes in logic" if config.lane_multipliers == "fabric" else ""),
        flush=True,
    )
    if config.packing:
        print(packed_line([op for op in program.ops if op.packed]), flush=True)
    print(f"cycle model: an image of {width} x {height}", flush=True)
    prediction, cost = streaming_cost(jobs, width, height, cycles, clock_mhz=clock)
    print(f"cycle model: {prediction.cycles} cycles, utilisation {100 * prediction.utilization:.1f} %", flush=True)
    report = build(
        StreamingAccelerator(manifest, config, timing, clock, cores=args.cores),
        board=board,
        manifest=manifest,
        config=config,
        prediction=prediction,
        cost=cost,
        external={
            "cores": args.cores,
            "block_rows": config.block_rows,
            "band_groups": config.band_groups,
            "slots": program.slots,
            "weight_words": program.weight_words,
            "memory": timing.name,
        },
        mode=args.mode,
        fit=fit,
        route=route,
        image=args.image,
        out=out,
        frequency=args.frequency,
        seeds=args.seed,
        timing_allow_fail=args.timing_allow_fail,
        cache_folder=None if args.no_cache else cache_folder(),
        jobs=args.jobs,
        say=lambda line: print(line, flush=True),
    )
    print_result(report, args.image, out)
    return 0
