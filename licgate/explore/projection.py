"""``licgate plan --memory axi``: cores with a frame and an AXI4 bus each, by the exact cycle model, as a projection."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from licgate.errors import TimingError
from licgate.files import write_whole
from licgate.gateware.streamed.options import axi_timing, memory_config
from licgate.perf.roofline import Roofline
from licgate.perf.streamed.cost import streaming_cost
from licgate.program.cores import core_jobs
from licgate.synth.streaming import choose_streaming

__all__ = ["project", "run_plan_axi"]


def run_plan_axi(args, board, clock, manifests) -> int:
    """Project every model onto cores of one shape; exit code 4 if none reaches the frames a second that are wanted.

    Raises
    ------
    ConfigError
        The board has no such memory, a number is out of range, or the arrays do not fit the multipliers.
    """
    width, height = args.size
    rows, cols = (given or usual for given, usual in zip((args.rows, args.cols), board.streamed or (8, 16)))
    timing = axi_timing(args)
    config = memory_config(args, rows=rows, cols=cols, packing=args.packing, packed_bits=board.packed_bits)
    packing = ", two products a multiplier where widths allow it" if args.packing else ""
    print(
        f"{board.title} ({board.device}), g_a of {width} x {height} on {args.cores} x {rows} x {cols}, a frame and an "
        f"AXI4 bus of {timing.data_bits} bits each{packing}: a projection. {clock:g} MHz are assumed, and a memory "
        f"that answers after {timing.read_latency} cycles, writes after {timing.write_latency}, and moves "
        f"{timing.beats / timing.per:g} beats a cycle each way; nothing is placed or routed"
    )
    plans = []
    length = max(len(manifest.name) for manifest in manifests)
    for manifest in manifests:
        plan = project(manifest, board, config, timing, cores=args.cores, clock_mhz=clock, size=args.size)
        plans.append(plan)
        print(f"{manifest.name:{length}}  {_line(plan, board)}", flush=True)
    fast = [plan for plan in plans if plan["fits"] and args.fps is not None and plan["fps"] >= args.fps]
    if args.fps is not None:
        if fast:
            widest = max(fast, key=lambda plan: plan["macs"])
            found = f"{widest['model']}, {widest['fps']:.3f}"
            print(f"the widest model projected to reach {args.fps:g} frames/s is {found}")
        else:
            print(f"no model that fits is projected to reach {args.fps:g} frames/s")
    if args.json:
        result = {
            "board": board.name,
            "device": board.device,
            "memory": "axi",
            "projection": True,
            "image": [width, height],
            "clock_mhz": clock,
            "clock": "assumed",
            "axi": asdict(timing),
            "fps_wanted": args.fps,
            "plans": plans,
        }
        write_whole(args.json, json.dumps(result, indent=2) + "\n")
    return TimingError.exit_code if args.fps is not None and not fast else 0


def project(manifest, board, config, timing, *, cores, clock_mhz, size) -> dict:
    """What cores with a frame each come to, under the roofline of their multipliers and of the board's memory.

    Parameters
    ----------
    manifest : Manifest
    board : Board
        With AXI4 ports.
    config : StreamedConfig
        Of one core.
    timing : AxiTiming
        Assumed of each bus.
    cores : int
    clock_mhz : float
        Assumed.
    size : (int, int)
        Width and height of a frame.

    Raises
    ------
    ConfigError
        It cannot be built for that board.
    """
    width, height = size
    config, program, fit = choose_streaming(manifest, board, config, cores=cores, must_fit=False, memory="axi")
    jobs = core_jobs(program, program.chains[0], width, height, 1)
    prediction, cost = streaming_cost(jobs, width, height, timing, clock_mhz=clock_mhz)
    multipliers = config.multipliers * cores
    # two products of a packed layer are one piece of the multipliers' work
    work = sum(row["macs"] / row["products"] for row in prediction.layers)
    roofline = Roofline(
        macs=work, multipliers=multipliers, clock_mhz=clock_mhz, traffic=cost.bytes, bandwidth=board.memory_bandwidth
    )
    fps = cores * clock_mhz * 1e6 / prediction.cycles
    return {
        "model": manifest.name,
        "config": asdict(replace(config, weight_words=program.weight_words)),
        "cores": cores,
        "multipliers": multipliers,
        "multiplier_blocks": cores * program.multiplier_cells,
        "blocks": fit.needed,
        "fits": fit.fits and cores * program.multiplier_cells <= board.multipliers and fps <= roofline.fps(),
        "cycles": prediction.cycles,
        "fps": fps,
        "roofline_fps": roofline.fps(),
        "memory_bound": roofline.memory_bound,
        "macs": prediction.macs,
        "utilization": prediction.utilization,
        "recompute_factor": prediction.recompute_factor,
        "cycles_by_cause": cost.cycles,
        "traffic": cost.traffic,
        "bandwidth": board.memory_bandwidth,
        "bus_share": sum(cost.traffic.values()) / (prediction.cycles * timing.data_bits // 8),
    }


def _line(plan, board):
    needed = sum(plan["traffic"].values()) * plan["fps"]
    share = f" of {plan['bandwidth'] / 1e9:.1f}" if plan["bandwidth"] else ""
    return (
        f"{plan['fps']:.3f} frames/s projected, {plan['roofline_fps']:.2f} by the roofline: {plan['cycles']} cycles a "
        f"frame and core, {100 * plan['utilization']:.1f} % of {plan['multipliers']} multipliers busy with needed "
        f"products, {plan['multiplier_blocks']} {board.multiplier} of {board.multipliers}, {plan['blocks']} "
        f"{board.memory} of {board.memories}, {needed / 1e9:.1f}{share} GB/s of the memory"
        f"{'' if plan['fits'] else ': DOES NOT FIT'}"
    )
