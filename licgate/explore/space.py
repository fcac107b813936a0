"""The shapes that an accelerator could have: rows, columns, lanes and line width, with what each takes of a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from licgate.errors import ConfigError
from licgate.explore.bound import least_cycles
from licgate.explore.cells import estimate_lut
from licgate.manifest.architectures import MODES
from licgate.manifest.geometry import layer_macs
from licgate.perf.memories import program_memories
from licgate.perf.predict import image_runs, multiplier_cycles
from licgate.program import Program, compile_program, input_widths
from licgate.program.packing import shift_range
from licgate.program.strips import least_width
from licgate.synth.fit import memory_fit
from licgate.target.board import Board
from licgate.target.config import LANE_MULTIPLIERS, AcceleratorConfig

__all__ = ["Budget", "Candidate", "Space"]

LARGEST = 64  # rows and columns of an array, at most
_MOST_STRIPS = 6  # an image is cut into no more


@dataclass(frozen=True)
class Budget:
    """What a device has of the cells that bind.

    Attributes
    ----------
    multipliers, block_rams : int
    lut : int
        Of which no more than `FILL` are counted on: a device that is fuller is not sure to be routed.
    """

    multipliers: int
    block_rams: int
    lut: int

    FILL = 0.85

    @classmethod
    def of(cls, board: Board) -> Budget:
        """Budget of a board."""
        name = next(cell for cell in ("TRELLIS_COMB", "LUT") if cell in board.resources)
        return cls(board.multipliers, board.memories, int(cls.FILL * board.resources[name]))

    def lacks(self, candidate: Candidate) -> list[str]:
        """Names of what a candidate takes too much of."""
        return [name for name in ("multipliers", "block_rams", "lut") if getattr(candidate, name) > getattr(self, name)]


@dataclass(frozen=True)
class Candidate:
    """One shape.

    Attributes
    ----------
    config : AcceleratorConfig
        With its lanes settled.
    multipliers, block_rams : int
        Cells of the whole accelerator: those of the array and the lanes; block RAMs.
    lut : int
        Estimate; see :mod:`licgate.explore.cells`.
    bound : int
        Cycles of the image, at least.
    work : float
        Cycles of one multiplier that the products of the image take: its multiply-accumulates, but two of packed layers
        at a time.
    """

    config: AcceleratorConfig
    multipliers: int
    block_rams: int
    lut: int
    bound: int
    work: float = 0.0

    @property
    def costs(self) -> tuple[int, int]:
        """What a shape is measured by beside its speed."""
        return self.multipliers, self.block_rams

    @property
    def label(self) -> str:
        """Short name, for files."""
        return f"{self.config.rows}x{self.config.cols}x{self.config.lanes}-w{self.config.max_width}"

    @property
    def options(self) -> list:
        """What ``licgate build`` is told of the shape beside rows, columns and lanes."""
        return ["--max-width", self.config.max_width]


class Space:
    """All shapes for a model, a board, a mode and an image.

    Parameters
    ----------
    manifest : Manifest
    board : Board
    mode : str
        One of `MODES`.
    width, height : int
        Image in pixels.
    packing : bool
        Two products a multiplier where a layer's widths allow it.
    arithmetic : str
        One of `licgate.target.arithmetic.ARITHMETICS`.

    Raises
    ------
    ConfigError
        The model lacks a transform of the mode, or the array does not run one.
    """

    def __init__(self, manifest, board, mode, width, height, *, packing=False, arithmetic="direct"):
        self.manifest, self.board, self.mode = manifest, board, mode
        self.sums = {"arithmetic": arithmetic, "packing": packing}
        self.width, self.height = width, height
        self.transforms = MODES[mode]
        missing = [name for name in self.transforms if name not in manifest.transforms]
        if missing:
            raise ConfigError(
                f"mode {mode} needs {', '.join(missing)}, model {manifest.name} has only "
                f"{', '.join(manifest.transforms)}: take another --mode or model"
            )
        self.macs, self.least_work = self._macs()

    def program(self, config: AcceleratorConfig) -> Program:
        """The program of a shape, without weights."""
        chains = [self.manifest.transforms[name] for name in self.transforms]
        widths = input_widths(self.manifest, self.transforms, config.max_width)
        return compile_program(chains, config, widths, weights=False)

    def candidate(self, config: AcceleratorConfig) -> Candidate:
        """A shape with what it takes."""
        program = self.program(config)
        return Candidate(
            replace(config, lanes=program.lanes),
            program.multiplier_cells,
            memory_fit(program, self.board).needed,
            estimate_lut(program, family=self.board.family),
            least_cycles(program, self.manifest, config, self.width, self.height),
            self._work(program, config),
        )

    def shapes(self, multipliers: int) -> list[tuple[int, int]]:
        """Rows and columns of all arrays of no more multipliers, but for columns that save no pass, packed or not."""
        tiles, cols = set(), []
        channels = [op.channels_out for op in self.program(self._config(1, 1, None, self._unit)).ops]
        for count in range(1, LARGEST + 1):
            passes = tuple(
                -(-number // each)
                for each in dict.fromkeys((count, count << self.sums["packing"]))
                for number in channels
            )
            if passes not in tiles:
                tiles.add(passes)
                cols.append(count)
        return [(r, c) for r in range(1, LARGEST + 1) for c in cols if r * c <= multipliers]

    def search(
        self, budget: Budget, *, least: float = 1.0, say: Callable[[int, int], None] = lambda done, of: None
    ) -> list[Candidate]:
        """Find the shapes within a budget.

        Parameters
        ----------
        budget : Budget
        least : float
            Share of the fastest one's rate below which arrays are not looked at: 1 for the fastest alone.
        say : callable
            Gets how many arrays of how many are done.

        Returns
        -------
        list of Candidate
            Some may be slower than that.
        """
        if self._floor > budget.block_rams:
            return []
        arrays = sorted(self.shapes(budget.multipliers), key=lambda shape: -shape[0] * shape[1])
        found: list[Candidate] = []
        best = None
        for done, (rows, cols) in enumerate(arrays):
            say(done, len(arrays))
            # no array is faster than its multipliers, never idle
            if best is not None and self.least_work / (rows * cols) > best / least:
                break
            for candidate in self._of_array(rows, cols, budget):
                found.append(candidate)
                best = candidate.bound if best is None else min(best, candidate.bound)
        say(len(arrays), len(arrays))
        return found

    def _of_array(self, rows: int, cols: int, budget: Budget) -> Iterator[Candidate]:
        """All that fits of one array: fewer lanes save multipliers, narrower lines memory."""
        widths = sorted(self.line_widths())
        if self.candidate(self._config(rows, cols, 1, widths[0])).block_rams > budget.block_rams:
            return
        beats = set()
        for lanes in range(self.program(self._config(rows, cols, None, widths[0])).lanes, 0, -1):
            beat = -(-rows // lanes)
            if beat in beats:
                continue
            beats.add(beat)
            for width in widths:
                config = self._config(rows, cols, lanes, width)
                candidate = self.candidate(config)
                for kind in LANE_MULTIPLIERS:
                    # as `licgate build` does: the array comes first
                    if candidate.multipliers > budget.multipliers:
                        candidate = self.candidate(replace(config, lane_multipliers=kind))
                lacking = budget.lacks(candidate)
                if not lacking:
                    yield candidate
                elif "block_rams" in lacking or "multipliers" in lacking:
                    break

    def least_block_rams(self) -> int:
        """Block RAMs that any shape takes: a small array with narrow lines."""
        narrow = min(self.line_widths())
        return min(
            self.candidate(self._config(rows, cols, 1, narrow)).block_rams
            for rows in (1, 4, 8)
            for cols in (1, 2, 4, 9, 12, 18, 36)
        )

    def line_widths(self) -> list[int]:
        """Least widths of line buffers that cut the image into one strip, two, and so on."""
        margin = max(self._margin(name) for name in self.transforms)
        whole = -(-self.width // self._unit) * self._unit
        widths = [whole]
        for strips in range(2, _MOST_STRIPS + 1):
            kept = -(-whole // (strips * self._unit)) * self._unit
            if kept + margin < widths[-1]:
                widths.append(kept + margin)
        return widths

    @property
    def _floor(self) -> float:
        """Block RAMs that the weights alone would fill without a bit to spare."""
        config = self._config(1, 1, None, self._unit)
        weights = [use for use in program_memories(self.program(config)) if use.holds == "weights"]
        return sum(use.bits for use in weights) / max(deep * wide for deep, wide in self.board.block_rams)

    @property
    def _unit(self) -> int:
        """Pixels of a position of the deepest feature map."""
        hyper = len(self.transforms) > 1 and "h_a" in self.manifest.transforms
        return int(self.manifest.g_a.stride * (self.manifest.transforms["h_a"].stride if hyper else 1))

    def _margin(self, name: str) -> int:
        """Pixels beside a strip that its margins take, in whole units."""
        transform = self.manifest.transforms[name]
        hyper = self.manifest.transforms["h_a"].stride if "h_a" in self.manifest.transforms else 1
        scale = {"g_a": 1, "h_s": self.manifest.g_a.stride * hyper}.get(name, self.manifest.g_a.stride)
        down = max(1, int(transform.stride))
        pixels = int((least_width(transform) - down) * scale)
        return -(-pixels // self._unit) * self._unit

    def _macs(self) -> tuple[int, float]:
        """Multiply-accumulates of the image, not cut into strips, and cycles of a multiplier that they take at least.

        Whatever shift a shape takes for packing, no layer packs that has none.
        """
        macs, work = 0, 0.0
        config = self._config(1, 1, None, 16384)
        program = self.program(config)
        for chain, (width, height), _ in image_runs(program, self.manifest, config, self.width, self.height):
            stages = program.stages_of(chain)
            ops = [op for stage in stages for op in (stage.conv, stage.gdn) if op is not None]
            for op, size in zip(ops, chain.transform.layer_sizes(height, width)):
                packs = self.sums["packing"] and bool(shift_range(op.layer, self.board.packed_bits))
                macs += layer_macs(op.layer, *size)
                work += layer_macs(op.layer, *size) / (op.macs_per_product / op.products * (1 + packs))
        return macs, work

    def _work(self, program: Program, config: AcceleratorConfig) -> float:
        """Cycles of a multiplier that the image's products take in a shape, not cut into strips."""
        runs = image_runs(program, self.manifest, config, self.width, self.height)
        return sum(multiplier_cycles(program, chain, *size) for chain, size, _ in runs)

    def _config(self, rows, cols, lanes, max_width):
        return AcceleratorConfig(
            rows=rows,
            cols=cols,
            lanes=lanes,
            max_width=max_width,
            **self.sums,
            packed_bits=self.board.packed_bits,
        )
