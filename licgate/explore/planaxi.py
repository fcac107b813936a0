"""``licgate plan --memory axi``: cores with a frame and an AXI4 bus each, by the exact cycle model, as a projection."""

from __future__ import annotations

from dataclasses import asdict, replace

from licgate.backends.options import axi_timing
from licgate.explore.planner import StreamedPlanner, arithmetic_note, streamed_row
from licgate.synth.design import Design

__all__ = ["AxiPlanner", "project"]


class AxiPlanner(StreamedPlanner):
    """Cores of one shape under the roofline of their multipliers and of the board's memory."""

    reaches = "projected to reach", "is projected to reach"

    def __init__(self, args, board, clock_mhz):
        super().__init__(args, board, clock_mhz)
        timing, (width, height) = axi_timing(args), args.size
        self.facts |= {"projection": True, "axi": asdict(timing)}
        transforms = "g_a" if args.mode == "analysis" else args.mode
        self.headline = (
            f"{board.title} ({board.device}), {transforms} of {width} x {height} on {self.shape}, a frame and an AXI4 "
            f"bus of {timing.data_bits} bits each{arithmetic_note(**self.sums)}: a projection. {clock_mhz:g} "
            f"MHz are assumed, and a memory that answers after {timing.read_latency} cycles, writes after "
            f"{timing.write_latency}, and moves {timing.beats / timing.per:g} beats a cycle each way; nothing is "
            "placed or routed"
        )

    def plan(self, prepared):
        """See `Planner.plan`."""
        return project(self.design(prepared), self.args.size)

    def line(self, row):
        """See `Planner.line`."""
        needed, board = sum(row["traffic"].values()) * row["fps"], self.board
        share = f" of {row['bandwidth'] / 1e9:.1f}" if row["bandwidth"] else ""
        return (
            f"{row['fps']:.3f} frames/s projected, {row['roofline_fps']:.2f} by the roofline: {row['cycles']} cycles a "
            f"frame and core, {100 * row['utilization']:.1f} % of {row['multipliers']} multipliers busy with needed "
            f"products, {row['multiplier_blocks']} {board.multiplier} of {board.multipliers}, {row['block_rams']} "
            f"{board.memory} of {board.memories}, {needed / 1e9:.1f}{share} GB/s of the memory"
            f"{'' if row['fits'] else ': DOES NOT FIT'}"
        )


def project(design: Design, size: tuple[int, int]) -> dict:
    """What cores with a frame each come to, under the roofline of their multipliers and of the board's memory.

    Parameters
    ----------
    design : Design
        Of the backend axi.
    size : tuple of int
        Width and height of a frame.

    Raises
    ------
    ConfigError
        It cannot be built for that board.
    """
    design, frame, row = streamed_row(design, size)
    board, cost = design.board, frame.cost
    # the board's memory alone: what the buses carry at most is in the cycles
    roofline = replace(cost, bandwidth=board.memory_bandwidth).roofline(
        frame.work, design.multipliers, design.clock_mhz
    )
    block_rams = design.cores * design.program.multiplier_cells
    return row | {
        "multiplier_blocks": block_rams,
        "fits": row["fits"] and block_rams <= board.multipliers and row["fps"] <= roofline.fps(),
        "roofline_fps": roofline.fps(),
        "memory_bound": roofline.memory_bound,
        "bandwidth": board.memory_bandwidth,
        "bus_share": cost.bytes / (row["cycles"] * design.timing.data_bits // 8),
    }
