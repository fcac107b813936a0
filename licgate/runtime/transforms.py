"""Transforms on an accelerator with its memories on the chip: what goes in, what comes out, patch by patch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest import Manifest, Transform, sealed
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.manifest.patches import patches
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.program import Chain, compile_program, input_widths
from licgate.program.depthform import from_depth_form
from licgate.program.order import from_stream, stream_order
from licgate.program.strips import strips
from licgate.runtime.outcome import Outcome, PatchResult, Ran, Task
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Control, Register

__all__ = [
    "LARGEST_SIDE",
    "Progress",
    "ResidentTransforms",
    "check_input",
    "pixel_words",
    "run_registers",
]

LARGEST_SIDE = 65520

#: Called with values so far, and values in all.
Progress = Callable[[int, int], object]


def pixel_words(image: AnyIntegers, bits: int) -> Integers:
    """Pixels (C, H, W) as the stream carries them, shape (H, W): channel 0 in the low bits, ``bits`` each."""
    mask = (1 << bits) - 1
    packed = np.zeros(image.shape[1:], dtype=np.int64)
    for channel, plane in enumerate(image):
        packed |= (plane.astype(np.int64) & mask) << (bits * channel)
    return packed


class ResidentTransforms(ABC):
    """An accelerator that holds everything on the chip, wherever it runs.

    Parameters
    ----------
    manifest : Manifest
    config : AcceleratorConfig
        Rows and the width of the lines are what a host has to know of it.
    transforms : sequence of str
        Those that the accelerator contains.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms.

    Attributes
    ----------
    program : Program
    config : AcceleratorConfig
    multipliers : int
        Of the whole accelerator.
    """

    counts = "values"

    def __init__(self, manifest: Manifest, config: AcceleratorConfig, transforms: Sequence[str]) -> None:
        self.manifest = manifest if manifest.hash else sealed(manifest)
        # what cannot be run is refused here
        widths = input_widths(manifest, transforms, config.max_width)
        self.program = compile_program([manifest.transforms[name] for name in transforms], config, widths)
        self.config, self.multipliers = config, config.multipliers

    def run(
        self,
        name: str,
        x: AnyIntegers,
        *,
        patch: int | None = None,
        independent: bool = False,
        overlap: int = 0,
        progress: Progress | None = None,
    ) -> Ran:
        """Run a transform.

        Parameters
        ----------
        name : str
        x : ndarray of int, shape (C, H, W)
            In the range of the transform's input. What is wider than the line buffers is cut into patches or strips.
        patch, independent, overlap
            Of g_a only: see :meth:`licgate.target.config.AcceleratorConfig.patch_size` and
            :func:`licgate.manifest.patches.patches`.
        progress : callable or None
            Called with (values so far, values in all).

        Returns
        -------
        Ran

        Raises
        ------
        ConfigError, DeviceError, SimulationError, ToolError
        """
        chain = self.program.chain_of(name)
        check_input(chain.transform, x)
        if chain.pixels:
            return self._run_pixels(chain, x, patch, independent, overlap, progress)
        if patch is not None or independent or overlap:
            raise ConfigError(f"patches are for g_a; {name} is run whole")
        return self._run_map(chain, x, progress)

    @abstractmethod
    def _carried_out(self, task: Task, progress: Callable[[int], object] | None) -> Outcome:
        """Run a task; the outcome is one with which nothing is `Task.wrong`. ``progress`` gets the values so far."""

    def _run_pixels(
        self,
        chain: Chain,
        image: AnyIntegers,
        patch: int | None,
        independent: bool,
        overlap: int,
        progress: Progress | None,
    ) -> Ran:
        transform, config = chain.transform, self.config
        _, height, width = image.shape
        size = config.patch_size(transform, width, height, patch, independent=independent)
        expected = list(
            patches(
                width,
                height,
                patch_width=size[0],
                patch_height=size[1],
                transform=transform,
                independent=independent,
                overlap=overlap,
            )
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
        task = Task(words, registers, [(p.x, p.y, p.width, p.height) for p in expected], total)
        outcome = self._carried_out(task, partial(_told, progress, 0, total))
        results, at = [], 0
        for p in expected:
            shape = (transform.out_channels, p.out_height, p.out_width)
            values, misplaced = _values(outcome, at, shape, p.skip_x, config.group_columns)
            results.append(PatchResult(p.x, p.y, p.width, p.height, p.out_x, p.out_y, values, misplaced))
            at += values.size
        return Ran(tuple(results), outcome.counters)

    def _run_map(self, chain: Chain, x: AnyIntegers, progress: Progress | None) -> Ran:
        transform, rows = chain.transform, self.config.group_columns
        _, height, width = x.shape
        depth = self.program.stages[chain.last].conv.depth_form
        cut = strips(transform, width, chain.max_width)
        sizes = [transform.output_size(height, strip.width) for strip in cut]
        total = transform.out_channels * sum(h * w for h, w in sizes)
        results, before = [], 0
        counters: Counter[str] = Counter()
        for strip, (out_height, out_width) in zip(cut, sizes, strict=True):
            part = x[:, :, strip.x : strip.x + strip.width]
            size = (strip.width, height)
            shape = (transform.out_channels, out_height, out_width)
            if depth:
                shape = (4 * shape[0], out_height // 2, out_width // 2)
            words = stream_order(part, 0, rows) & 0xFFFF
            task = Task(words, run_registers(transform, size, size), [(0, 0, *size)], shape[0] * shape[1] * shape[2])
            outcome = self._carried_out(task, partial(_told, progress, before, total))
            values, misplaced = _values(outcome, 0, shape, 0, rows)
            values = from_depth_form(values) if depth else values
            kept = values[:, :, strip.skip : strip.skip + strip.out_width]
            results.append(PatchResult(strip.x, 0, strip.width, height, strip.out_x, 0, kept, misplaced))
            counters.update(outcome.counters)
            before += values.size
        return Ran(tuple(results), dict(counters))


def _told(progress: Progress | None, before: int, total: int, done: int) -> None:
    if progress is not None:
        progress(before + done, total)


def run_registers(
    transform: Transform,
    size: tuple[int, int],
    patch: tuple[int, int],
    *,
    independent: bool = False,
    overlap: int = 0,
) -> tuple[tuple[int, int], ...]:
    """Writes of registers, in their order, that start a run on an input and patches of (width, height)."""
    return (
        (Register.TRANSFORM, TRANSFORM_NAMES.index(transform.name)),
        (Register.WIDTH, size[0]),
        (Register.HEIGHT, size[1]),
        (Register.PATCH_WIDTH, patch[0]),
        (Register.PATCH_HEIGHT, patch[1]),
        (Register.MODE, int(independent)),
        (Register.OVERLAP, overlap),
        (Register.CONTROL, Control.START),
    )


def check_input(transform: Transform, x: AnyIntegers) -> None:
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


def _values(outcome: Outcome, at: int, shape: tuple[int, int, int], skip: int, rows: int) -> tuple[AnyIntegers, int]:
    """Values (C, h, w) of a patch whose part of the stream begins at ``at``, and how many marks are wrong."""
    part = slice(at, at + shape[0] * shape[1] * shape[2])
    lasts = outcome.lasts[part].copy()
    lasts[-1] = not lasts[-1]
    return from_stream(outcome.latents[part], shape, skip, rows), int(np.count_nonzero(lasts))
