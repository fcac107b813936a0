"""Weights and feature maps in a processor's memory, behind AXI4: cores with a bus and a frame each."""

from __future__ import annotations

from dataclasses import replace

from licgate.backends.options import axi_timing
from licgate.backends.streamed import Streamed, shape_of
from licgate.errors import ConfigError
from licgate.gateware.top.module import memory_module
from licgate.gateware.top.zynq import ZynqAccelerator
from licgate.sim.streamedaxi import AxiGateware
from licgate.target.pages import axi_page_beats

__all__ = ["Axi"]


class Axi(Streamed):
    """A memory of which latency and rate are assumed: what it makes of frames a second is a projection."""

    name = "axi"

    def _asked(self, args):
        # the core is designed once, and stands there as often as there are cores
        return {"cores": args.cores, "copies": args.cores, "timing": axi_timing(args)}

    def accelerator(self, design):
        """See `Backend.accelerator`."""
        return memory_module(ZynqAccelerator(design.manifest, design.config, transforms=design.transforms))

    def cost(self, design, width, height):
        """See `Backend.cost`: the bandwidth is what the memory moves at most, for as many frames as there are cores."""
        frame = super().cost(design, width, height)
        whole = design.copies * frame.cost.bandwidth
        whole = min(whole, design.board.memory_bandwidth or whole)
        return replace(frame, cost=replace(frame.cost, bandwidth=whole))

    def check_build(self, design, width, height, *, synthesis_only):
        """See `Backend.check_build`."""
        if design.board.routed or not synthesis_only:
            raise ConfigError(
                f"there is no open place-and-route for {design.board.device}: --memory axi goes with "
                "--synthesis-only, and the Verilog that it writes to the maker's tools"
            )
        super().check_build(design, width, height, synthesis_only=synthesis_only)

    def simulate(self, args, manifest, transforms):
        """See `Backend.simulate`."""
        self._check_simulation(args)
        if getattr(args, "cores", 1) != 1 or getattr(args, "faults", None) is not None:
            raise ConfigError("--memory axi goes with one of --cores, which have nothing in common, and no --faults")
        return AxiGateware(
            manifest,
            self.config(args),
            transforms,
            axi_timing(args),
            engine=args.engine,
            random=getattr(args, "random", None),
        )

    def _beats(self, args):
        bits = axi_timing(args).data_bits
        page = axi_page_beats(bits)
        # two GB, which a processor's memory begins with
        address_bits = 31 - (bits // 8).bit_length() + 1
        return {
            "beat_bits": bits,
            "page_beats": page,
            "burst_beats": page // 2,
            "weight_burst": page,
            "address_bits": address_bits,
        }

    def _timing(self, design):
        board = design.board
        if not board.axi_ports:
            raise ConfigError(
                f"board {board.name} has no memory behind AXI4: take another --board, or another --memory"
            )
        if not 1 <= design.cores <= board.axi_ports:
            raise ConfigError(
                f"{design.cores} cores make no sense: board {board.name} has AXI4 ports for {board.axi_ports}, give "
                "--cores from 1"
            )
        return design.timing

    def _told_of_the_bus(self, design):
        return f"a frame and a bus of {design.timing.data_bits} bits each, "

    def _external(self, design):
        timing = design.timing
        return shape_of(design) | {
            "bus": f"AXI4 of {timing.data_bits} bits, {timing.read_latency} cycles to a read's first beat, "
            f"{timing.write_latency} to a write's answer, {timing.beats / timing.per:g} beats a cycle each way"
        }

    def _memory_line(self, result):
        moved, cycles, axi = sum(sum(of_core.values()) for of_core in result["bytes"]), result["cycles"], result["axi"]
        return (
            f"AXI4: {moved} bytes, {100 * axi['read_beats'] / cycles:.1f} % of the cycles a beat read and "
            f"{100 * axi['write_beats'] / cycles:.1f} % one written, {axi['reads'] + axi['writes']} bursts"
        )
