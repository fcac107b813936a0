"""``licgate plan --memory sdram``: models of any size, by the exact cycle model of a streaming accelerator."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from licgate.errors import ConfigError, TimingError
from licgate.files import write_whole
from licgate.gateware.extmem.timing import ULX3S_SDRAM, SdramCycles
from licgate.gateware.streaming.options import memory_config
from licgate.perf.streamcost import streaming_cost
from licgate.program.cores import core_jobs
from licgate.synth.streaming import choose_streaming

__all__ = ["run_plan_external"]


def run_plan_external(args, board, clock, manifests) -> int:
    """Predict every model on one shape of array; exit code 4 if none reaches the frames a second that are wanted.

    Raises
    ------
    ConfigError
        The board has no SDRAM, the memory is too slow or too small, or an array does not fit the multipliers.
    """
    width, height = args.size
    usual = board.streaming or (8, 16)
    rows, cols = args.rows or usual[0], args.cols or usual[1]
    try:
        timing = SdramCycles.at(getattr(board.make_platform(), "sdram_timing", ULX3S_SDRAM), clock)
    except ValueError as error:
        raise ConfigError(f"{error}: take another --clock") from None
    print(
        f"{board.title} ({board.device}), g_a of {width} x {height} on {args.cores} x {rows} x {cols} with SDRAM, "
        f"{clock:g} MHz assumed: a prediction, nothing is placed or routed"
    )
    plans = []
    length = max(len(manifest.name) for manifest in manifests)
    for manifest in manifests:
        config = memory_config(args, rows=rows, cols=cols, packing=args.packing, packed_bits=board.packed_bits)
        config, program, fit = choose_streaming(manifest, board, config, cores=args.cores, must_fit=False)
        jobs = core_jobs(program, program.chains[0], width, height, args.cores)
        prediction, cost = streaming_cost(jobs, width, height, timing, clock_mhz=clock)
        plan = {
            "model": manifest.name,
            "config": asdict(replace(config, weight_words=program.weight_words)),
            "cores": len(jobs),
            "multipliers": config.multipliers * len(jobs),
            "blocks": fit.needed,
            "fits": fit.fits,
            "cycles": prediction.cycles,
            "fps": clock * 1e6 / prediction.cycles,
            "macs": prediction.macs,
            "utilization": prediction.utilization,
            "recompute_factor": prediction.recompute_factor,
            "cycles_by_cause": cost.cycles,
            "traffic": cost.traffic,
            "bandwidth": cost.bandwidth,
        }
        plans.append(plan)
        share = sum(cost.traffic.values()) * plan["fps"] / cost.bandwidth
        print(
            f"{manifest.name:{length}}  {plan['fps']:.3f} frames/s: {100 * plan['utilization']:.1f} % of "
            f"{plan['multipliers']} multipliers busy with needed products (recompute factor "
            f"{plan['recompute_factor']:.3f}), {sum(cost.traffic.values()) / 1e6:.0f} MB a frame, {100 * share:.0f} % "
            f"of the memory's cycles; {fit}{'' if fit.fits else ': DOES NOT FIT'}",
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
            "board": board.name, "device": board.device, "memory": "sdram", "image": [width, height],
            "clock_mhz": clock, "clock": "assumed", "fps_wanted": args.fps, "plans": plans,
        }  # fmt: skip
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return TimingError.exit_code if args.fps is not None and not fast else 0
