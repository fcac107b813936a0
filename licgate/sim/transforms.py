"""Transforms on simulated resident gateware: what goes in, what comes out, patch by patch."""

import threading
from collections import Counter
from dataclasses import dataclass
from functools import partial

import numpy as np

from licgate.errors import ConfigError, SimulationError
from licgate.gateware.top.resident import Accelerator
from licgate.manifest import sealed
from licgate.manifest.patches import patches
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.perf.predict import multiplier_cycles
from licgate.program import compile_program, input_widths
from licgate.program.depthform import from_depth_form
from licgate.program.strips import strips
from licgate.sim.engine import Job, get_engine, pixel_words, seed_of
from licgate.sim.faults import seeds
from licgate.sim.order import from_stream, stream_order
from licgate.target.registers import Register

__all__ = ["LARGEST_SIDE", "Gateware", "PatchResult", "Ran", "check_input", "run_registers"]

LARGEST_SIDE = 65520


@dataclass(frozen=True)
class PatchResult:
    """What one patch or strip gave.

    Attributes
    ----------
    x, y, width, height : int
        Its place in the input.
    out_x, out_y : int
        Where its values belong in the whole output (of the patch itself where patches are independent).
    values : ndarray of int64, shape (C, h, w)
        Those that count.
    misplaced : int
        ``last`` marks that are missing or where none belongs.
    """

    x: int
    y: int
    width: int
    height: int
    out_x: int
    out_y: int
    values: np.ndarray
    misplaced: int


@dataclass(frozen=True)
class Ran:
    """A transform that was run: its patches, and the sums of their counters."""

    patches: tuple
    counters: dict

    def output(self):
        """The whole output, put together."""
        channels = len(self.patches[0].values)
        height = max(p.out_y + p.values.shape[1] for p in self.patches)
        width = max(p.out_x + p.values.shape[2] for p in self.patches)
        out = np.empty((channels, height, width), dtype=np.int64)
        for p in self.patches:
            out[:, p.out_y : p.out_y + p.values.shape[1], p.out_x : p.out_x + p.values.shape[2]] = p.values
        return out


class Gateware:
    """An accelerator that holds everything on the chip, on a simulator.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
    transforms : sequence of str
        Those that the accelerator contains.
    engine : str
        "cxxrtl", "verilator" or "amaranth": what Amaranth describes; "netlist": what a build for the ULX3S
        leads into nextpnr; "routed": what nextpnr makes of it.
    faults, random : int or None
        Seeds of a host that is late and of what hardware leaves open, see :class:`licgate.sim.engine.Job`.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms, there is no such engine, or no such seed.

    Attributes
    ----------
    program : Program
    config : AcceleratorConfig
    multipliers : int
        Of the whole accelerator.
    facts : dict
        What a result says of the simulation.
    """

    counts = "values"

    def __init__(self, manifest, config, transforms, engine, *, faults=None, random=None):
        manifest = manifest if manifest.hash else sealed(manifest)
        self._run, self._engine, self._faults = get_engine(engine), engine, faults
        self._random = seed_of(engine, random)
        self.facts = {"engine": engine, "faults": faults, "random": self._random}
        if faults is not None:
            seeds(faults)
        self._make = partial(Accelerator, manifest, config, transforms=tuple(transforms))
        self._accelerator, self._making = None, threading.Lock()
        # what cannot be run is refused here, before there is any gateware
        widths = input_widths(manifest, transforms, config.max_width)
        self.program = compile_program([manifest.transforms[name] for name in transforms], config, widths)
        self.config, self.multipliers = config, config.multipliers

    def run(self, name, x, *, patch=None, independent=False, overlap=0, progress=None):
        """Run a transform.

        Parameters
        ----------
        name : str
        x : ndarray of int, shape (C, H, W)
            In the range of the transform's input. What is wider than the line buffers is cut into patches or strips.
        patch, independent, overlap
            See :func:`licgate.sim.simulate.simulate`; g_a only.
        progress : callable or None
            Called with (values so far, values in all).

        Returns
        -------
        Ran

        Raises
        ------
        ConfigError, SimulationError, ToolError
        """
        chain = self.program.chain_of(name)
        check_input(chain.transform, x)
        if chain.pixels:
            return self._run_pixels(chain, x, patch, independent, overlap, progress)
        if patch is not None or independent or overlap:
            raise ConfigError(f"patches are for g_a; {name} is run whole")
        return self._run_map(chain, x, progress)

    def figures(self, name, size, ran):
        """Figures of a run: those that another memory does not have, and what its cycles were spent on.

        Parameters
        ----------
        name : str
        size : tuple of int
            Width and height of the whole input.
        ran : Ran
        """
        chain, results = self.program.chain_of(name), ran.patches
        transform = chain.transform
        macs = sum(transform.macs(p.height, p.width) for p in results)
        return {
            "macs": macs,
            "macs_nominal": sum(transform.macs(p.height, p.width, strict=False) for p in results),
            "multiplier_cycles": sum(multiplier_cycles(self.program, chain, p.width, p.height) for p in results),
            "recompute_factor": macs / transform.macs(size[1], size[0]),
            "patches": len(results),
            "counters": ran.counters,
        }

    def _run_pixels(self, chain, image, patch, independent, overlap, progress):
        transform, config = chain.transform, self.config
        _, height, width = image.shape
        size = config.patch_size(transform, width, height, patch, independent=independent)
        expected = patches(
            width,
            height,
            patch_width=size[0],
            patch_height=size[1],
            transform=transform,
            independent=independent,
            overlap=overlap,
        )
        widest = max(p.width for p in expected)
        if widest > chain.max_width:
            raise ConfigError(
                f"a patch needs {widest} pixels side by side and the line buffers hold {chain.max_width}: "
                "make --patch smaller"
            )
        total = transform.out_channels * sum(p.out_width * p.out_height for p in expected)
        registers = run_registers(transform, (width, height), size, independent=independent, overlap=overlap)
        words = pixel_words(image, transform.input.bits)
        outcome = self._simulate(
            Job(words, registers, self._faults, self._random), progress and (lambda done: progress(done, total))
        )
        _check_outcome(outcome, [(p.x, p.y, p.width, p.height) for p in expected], total)
        results, at = [], 0
        for p in expected:
            shape = (transform.out_channels, p.out_height, p.out_width)
            values, misplaced = _values(outcome, at, shape, p.skip_x, config.rows)
            results.append(PatchResult(p.x, p.y, p.width, p.height, p.out_x, p.out_y, values, misplaced))
            at += values.size
        return Ran(tuple(results), outcome.counters)

    def _run_map(self, chain, x, progress):
        transform, rows = chain.transform, self.config.rows
        _, height, width = x.shape
        depth = self.program.stages[chain.last].conv.depth_form
        cut = strips(transform, width, chain.max_width)
        sizes = [transform.output_size(height, strip.width) for strip in cut]
        total = transform.out_channels * sum(h * w for h, w in sizes)
        results, counters, before = [], Counter(), 0
        for strip, (out_height, out_width) in zip(cut, sizes, strict=True):
            part = x[:, :, strip.x : strip.x + strip.width]
            size = (strip.width, height)
            job = Job(
                stream_order(part, 0, rows) & 0xFFFF, run_registers(transform, size, size), self._faults, self._random
            )
            outcome = self._simulate(job, progress and (lambda done, before=before: progress(before + done, total)))
            shape = (transform.out_channels, out_height, out_width)
            if depth:
                shape = (4 * shape[0], out_height // 2, out_width // 2)
            _check_outcome(outcome, [(0, 0, *size)], shape[0] * shape[1] * shape[2])
            values, misplaced = _values(outcome, 0, shape, 0, rows)
            values = from_depth_form(values) if depth else values
            kept = values[:, :, strip.skip : strip.skip + strip.out_width]
            results.append(PatchResult(strip.x, 0, strip.width, height, strip.out_x, 0, kept, misplaced))
            counters.update(outcome.counters)
            before += values.size
        return Ran(tuple(results), dict(counters))

    def _simulate(self, job, progress):
        # Amaranth elaborates a component once; of what CXXRTL compiles, the engine keeps the program
        with self._making:
            if self._accelerator is None or self._engine == "amaranth":
                self._accelerator = self._make()
            accelerator = self._accelerator
        return self._run(accelerator, job, progress)


def run_registers(transform, size, patch, *, independent=False, overlap=0):
    """Registers that begin a run, with their values: for an input and patches of (width, height)."""
    return (
        (Register.TRANSFORM, TRANSFORM_NAMES.index(transform.name)),
        (Register.WIDTH, size[0]),
        (Register.HEIGHT, size[1]),
        (Register.PATCH_WIDTH, patch[0]),
        (Register.PATCH_HEIGHT, patch[1]),
        (Register.MODE, int(independent)),
        (Register.OVERLAP, overlap),
        (Register.CONTROL, 1),
    )


def check_input(transform, x):
    """Refuse what a transform cannot read: a ConfigError says why."""
    what = "the image" if transform.name == "g_a" else f"the input of {transform.name}"
    if x.ndim != 3 or x.dtype.kind not in "iu" or not x.size:
        raise ConfigError(f"{what} is {x.dtype} of shape {x.shape}, expected integers (channels, height, width)")
    if x.shape[0] != transform.in_channels:
        raise ConfigError(f"{what} has {x.shape[0]} channels, the model takes {transform.in_channels}")
    if max(x.shape[1:]) > LARGEST_SIDE:
        raise ConfigError(f"{what}, {x.shape[2]} x {x.shape[1]}, is too large: a side can have {LARGEST_SIDE}")
    low, high = int(x.min()), int(x.max())
    if low < transform.input.min or high > transform.input.max:
        raise ConfigError(f"{what} holds {low}..{high}, the model takes {transform.input.min}..{transform.input.max}")


def _check_outcome(outcome, expected, total):
    if [tuple(w) for w in outcome.patches.tolist()] != expected:
        raise SimulationError(f"the accelerator asked for other patches than the {len(expected)} expected")
    if len(outcome.latents) != total:
        raise SimulationError(f"the accelerator gave {len(outcome.latents)} values, expected were {total}")


def _values(outcome, at, shape, skip, rows):
    """Values (C, h, w) of a patch whose part of the stream begins at ``at``, and how many marks are wrong."""
    part = slice(at, at + shape[0] * shape[1] * shape[2])
    lasts = outcome.lasts[part].copy()
    lasts[-1] = not lasts[-1]
    return from_stream(outcome.latents[part], shape, skip, rows), int(np.count_nonzero(lasts))
