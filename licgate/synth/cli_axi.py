"""Body of ``licgate build --memory axi``: one core is synthesised, and placed beside the processor several times."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from licgate.errors import ConfigError
from licgate.target.board import Board

__all__ = ["run_build_axi"]


def run_build_axi(args: argparse.Namespace, board: Board) -> int:
    """Make the module that goes beside the processor, as Verilog, and a report of what it takes and should do."""
    from licgate.caches import cache_folder
    from licgate.gateware.streamed.options import axi_timing, memory_config
    from licgate.gateware.top.zynq import ZynqAccelerator
    from licgate.gateware.top.zynqmodule import ZynqModule
    from licgate.perf.streamed.cost import streaming_cost
    from licgate.program.cores import core_jobs
    from licgate.synth.build import build
    from licgate.synth.cli import chosen_model, packed_line, print_result
    from licgate.synth.output import OutputFolder
    from licgate.synth.streaming import choose_streaming

    if args.mode != "analysis":
        raise ConfigError(f"--memory axi goes with --mode analysis, not {args.mode}")
    if args.max_width is not None:
        raise ConfigError("--memory axi goes without --max-width: it takes images of any width")
    rows, cols = (given or default for given, default in zip((args.rows, args.cols), board.streamed or (8, 16)))
    manifest, timing, cores = chosen_model(args), axi_timing(args), args.cores
    config = memory_config(args, rows=rows, cols=cols, packing=args.packing, packed_bits=board.packed_bits)
    config, program, fit = choose_streaming(manifest, board, config, cores=cores, must_fit=False, memory="axi")
    if board.routed or not args.synthesis_only:
        raise ConfigError(
            f"there is no open place-and-route for {board.device}: --memory axi goes with --synthesis-only, and the "
            "Verilog that it writes to the maker's tools"
        )
    clock = args.frequency or board.frequency
    width, height = args.image
    out = args.out or Path("out") / f"{board.name}-{manifest.name}-axi"
    OutputFolder(out)
    print(
        f"{manifest.name} on {board.title} ({board.device}): g_a on {cores} x {rows} x {cols}, a frame and a bus of "
        f"{timing.data_bits} bits each, blocks of {config.block_rows} rows, bands of {config.band_groups} groups, "
        f"{program.slots} slots, {program.weight_words} weight words, {fit}",
        flush=True,
    )
    if config.packing:
        print(packed_line([op for op in program.ops if op.packed]), flush=True)
    jobs = core_jobs(program, program.chains[0], width, height, 1)
    prediction, cost = streaming_cost(jobs, width, height, timing, clock_mhz=clock)
    print(f"cycle model: {prediction.cycles} cycles, utilisation {100 * prediction.utilization:.1f} %", flush=True)
    # the weight ring as it was chosen, so that both are the same design
    config = replace(config, weight_words=program.weight_words)
    report = build(
        ZynqModule(ZynqAccelerator(manifest, config)),
        board=board,
        manifest=manifest,
        config=config,
        prediction=prediction,
        # what the cores' memory moves at most, for as many frames
        cost=replace(cost, bandwidth=min(cores * cost.bandwidth, board.memory_bandwidth or cores * cost.bandwidth)),
        external={
            "cores": cores,
            "block_rows": config.block_rows,
            "band_groups": config.band_groups,
            "slots": program.slots,
            "weight_words": program.weight_words,
            "bus": f"AXI4 of {timing.data_bits} bits, {timing.read_latency} cycles to a read's first beat, "
            f"{timing.write_latency} to a write's answer, {timing.beats / timing.per:g} beats a cycle each way",
        },
        copies=cores,
        mode=args.mode,
        fit=fit,
        route=False,
        image=args.image,
        out=out,
        frequency=clock,
        cache_folder=None if args.no_cache else cache_folder(),
        say=lambda line: print(line, flush=True),
    )
    print(f"Verilog, {out / 'licgate.v'}: module licgate, {cores} of them beside the processor")
    print_result(report, args.image, out)
    return 0
