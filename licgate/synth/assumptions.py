"""What the figures of a report rest on, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from licgate.synth.design import Design, Frame
from licgate.target.arithmetic import ARITHMETICS, DIRECT

__all__ = ["assumptions"]


def assumptions(design: Design, frame: Frame, built) -> Iterator[str]:
    """Sentences for the report of a design that was built; see :func:`licgate.synth.report.make_report`."""
    yield from design.board.notes
    yield from _of_the_tools(design, frame, built)
    yield from _of_the_design(design)
    yield from _of_the_figures(frame)


def _of_the_tools(design, frame, built):
    board, clock = design.board, built.achieved_mhz
    if built.best:
        yield (
            f"The PLL runs the design at {built.clock_mhz:g} MHz; frames per second are given for the {clock:g} MHz "
            "which it achieved. nextpnr times the slowest corner it knows of the speed grade and does not time "
            "REG_PIPELINE of the multipliers."
        )
        frames = design.link_bandwidth / (3 * sum(row["inputs"] for row in frame.prediction.transforms))
        way, bound = {
            "serial": (f"The serial port at {board.baud} baud", ": it is for bring-up"),
            "usb": ("A USB cable of full speed", ": it is for bring-up"),
            "udp": ("Ethernet", ", if the host keeps up"),
        }[design.link]
        yield (
            f"Frames per second are those of the accelerator fed without a pause. {way} carries {frames:.2f} such "
            f"frames per second{bound}."
        )
    elif board.routed:
        yield (
            "Synthesis only, clock assumed: nothing was placed or routed. Cells are those that synthesis made, a carry "
            "chain's two bits counted as two LUT and 64 bits of LUT RAM as four."
        )


def _of_the_design(design):
    if design.copies > 1:
        yield (
            f"The design was synthesised once. It stands {design.copies} times on the device, and so do its cells in "
            "the table of resources; the table of blocks is of one. Each has a frame and a bus of its own."
        )
    if design.external and design.external.get("bus"):
        yield (
            "Frames per second are a projection: the clock and the memory's latency and rate are assumed. The "
            "processor system, the interconnect of its ports and what else uses that memory are not part of it."
        )
    arithmetic = ARITHMETICS[design.config.arithmetic]
    if arithmetic is not DIRECT:
        count = f"{arithmetic.indices} multiply-accumulates"
        if arithmetic.points:
            count += ", in convolutions for more, as many as the kernel's taps take fewer points"
        yield (
            f"Arithmetic {arithmetic.name}: a multiplication stands for {count}. In utilisation and roofline these "
            "count as one, so that 100 % is all that the multipliers can do."
        )
    if design.mode != "analysis":
        yield (
            "The transforms run one after the other, on one image padded to whole hyper latents. The entropy coder is "
            "not part of the accelerator, nor is its time of the figures."
        )


def _of_the_figures(frame):
    width, height = frame.image
    yield (
        f"Cycles come from the exact cycle model, for one image of {width} x {height} pixels, with the first layer, "
        "GDN, loads and drains in them. Utilisation is multiply-accumulates of the model (no padding, no idle lanes), "
        "recomputed margin included, over multipliers times cycles; the recompute factor stands beside it."
    )
    if packed := [row["name"] for row in frame.prediction.layers if row.get("packed")]:
        yield (
            f"Packed: a multiplier makes two products in a cycle in {', '.join(packed)}. In utilisation they count as "
            "one, so that 100 % is all that the multipliers can do."
        )
    if frame.cost is not None:
        yield (
            "What the cycles are spent on is counted by the cycle model too, for a host that is always there. Products "
            "and edges share the array's steps."
        )
