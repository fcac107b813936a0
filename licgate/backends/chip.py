"""Everything on the chip: weights in its block RAMs, feature maps in line buffers."""

from __future__ import annotations

from dataclasses import replace

from licgate.backends.base import Backend, arithmetic_of, arrays_first, needed_transforms, values_line
from licgate.backends.options import given
from licgate.errors import ConfigError
from licgate.gateware.top.resident import Accelerator
from licgate.perf import predict
from licgate.perf.causes import frame_cost
from licgate.program import compile_program, input_widths
from licgate.sim.transforms import Gateware
from licgate.synth.build import check_shape
from licgate.synth.design import Frame
from licgate.synth.fit import memory_fit
from licgate.target.config import AcceleratorConfig

__all__ = ["Chip"]

WIDTH_STEP = 64

HOST_PIXEL_BITS = 24
COMPILED_PIXEL_BITS = 32


class Chip(Backend):
    """Resident cores; see :mod:`licgate.gateware.resident`."""

    name = "chip"
    counts = "values"
    patches = True

    def config(self, args, board=None):
        """See `Backend.config`."""
        fields = given(args, "rows", "cols", "lanes", "max_width", "lane_multipliers")
        if board is not None:
            fields = dict(zip(("rows", "cols"), board.shape(args.mode))) | {"max_width": board.max_width} | fields
            check_shape(board, rows=fields["rows"], cols=fields["cols"])
        return AcceleratorConfig(**fields, **arithmetic_of(args, board))

    def _asked(self, args):
        return {"fixed_width": getattr(args, "max_width", None) is not None}

    def fit(self, design, *, must_fit=True):
        """See `Backend.fit`: what is settled is the width of the line buffers."""
        board, wanted = design.board, design.config.max_width
        found = _at(design, wanted)
        if found.fit.fits:
            return found
        narrower = _widest(design, wanted)
        if narrower is not None and not design.fixed_width:
            return narrower
        if not must_fit:
            return found
        line = (
            f"mode {design.mode} of {design.manifest.name} on an array of {design.config.rows} x {design.config.cols} "
            f"with lines of {wanted} pixels needs {found.fit}, {board.device} has {board.memories}: "
        )
        if narrower is not None:
            raise ConfigError(f"{line}--max-width {narrower.config.max_width} fits; --synthesis-only gives a report")
        least = _at(design, WIDTH_STEP).fit.needed
        raise ConfigError(
            f"{line}with lines of {WIDTH_STEP} it needs {least}; take other --rows and --cols, another --mode or a "
            "smaller model; --synthesis-only gives a report"
        )

    def accelerator(self, design):
        """See `Backend.accelerator`."""
        return Accelerator(design.manifest, design.config, transforms=design.transforms)

    def cost(self, design, width, height):
        """See `Backend.cost`."""
        what = design.manifest, design.config, width, height
        prediction = predict(*what, transforms=design.transforms)
        return Frame((width, height), prediction, frame_cost(*what, transforms=design.transforms))

    def simulate(self, args, manifest, transforms):
        """See `Backend.simulate`."""
        for name in ("g_a", "g_s"):
            bits = _pixel_bits(manifest, name) if name in transforms else 0
            if args.engine != "amaranth" and bits > COMPILED_PIXEL_BITS:
                raise ConfigError(
                    f"a pixel of {name} has {bits} bits, more than the {COMPILED_PIXEL_BITS} that go through the "
                    f"engine {args.engine}: take --engine amaranth"
                )
        seeds = {key: getattr(args, key, None) for key in ("faults", "random")}
        return Gateware(manifest, self.config(args), transforms, args.engine, **seeds)

    def check_build(self, design, width, height, *, synthesis_only):
        """See `Backend.check_build`: the host link carries pixels of three bytes."""
        for name in ("g_a", "g_s"):
            bits = _pixel_bits(design.manifest, name) if name in design.transforms else HOST_PIXEL_BITS
            if bits != HOST_PIXEL_BITS:
                raise ConfigError(
                    f"model {design.manifest.name}: a pixel of {name} has {bits} bits, the host link carries "
                    f"{HOST_PIXEL_BITS}, three colours of 8; build it with "
                    "--memory sdram or axi"
                )

    def told(self, design):
        """See `Backend.told`."""
        config = design.config
        return (
            f"{', '.join(design.transforms)} on an array of {config.rows} x {config.cols}, lines of "
            f"{config.max_width} pixels, {design.fit}"
        )

    def lines(self, result):
        """See `Backend.lines`."""
        lines, counters = [values_line(result)], result["counters"]
        if result["faults"] is not None:
            lines.append(
                f"host late at random (seed {result['faults']}): {counters['stall_input']} cycles waiting for what it "
                f"sends, {counters['stall_output']} for it to take"
            )
        lines.append(
            f"{result['cycles']} cycles, {result['macs']} multiply-accumulates on {result['multipliers']} multipliers: "
            f"utilization {100 * result['utilization']:.1f} %, recompute factor {result['recompute_factor']:.3f}"
        )
        return lines


def _at(design, width):
    """The design with lines of a width, and what that comes to."""
    chains = needed_transforms(design)
    widths = input_widths(design.manifest, design.transforms, width)
    design = replace(design, config=replace(design.config, max_width=width))
    design, program = arrays_first(design, lambda config: compile_program(chains, config, widths))
    return replace(design, program=program, fit=memory_fit(program, design.board, link=design.link_block_rams))


def _widest(design, below):
    """The design with the widest lines that fit, of multiples of the step, or None."""
    low, high, found = 0, (below - 1) // WIDTH_STEP, None
    # wider lines take no fewer cells
    while low < high:
        middle = (low + high + 1) // 2
        tried = _at(design, middle * WIDTH_STEP)
        if tried.fit.fits:
            low, found = middle, tried
        else:
            high = middle - 1
    return found


def _pixel_bits(manifest, name: str) -> int:
    """Bits of a pixel that g_a reads, or that g_s makes."""
    transform = manifest.transforms[name]
    if name == "g_a":
        return transform.in_channels * transform.input.bits
    return transform.out_channels * transform.output.bits
