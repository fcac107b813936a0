"""``licgate plan --memory chip``: the fastest shape that fits, of all that there are."""

from __future__ import annotations

from licgate.backends.options import given
from licgate.errors import ConfigError
from licgate.explore.cycles import CycleCounter
from licgate.explore.plan import plan_model
from licgate.explore.planner import Planner, arithmetic_note
from licgate.explore.progress import Progress
from licgate.explore.space import Space

__all__ = ["ChipPlanner"]


class ChipPlanner(Planner):
    """Arrays whose weights lie on the chip."""

    def __init__(self, args, board, clock_mhz):
        super().__init__(args, board, clock_mhz)
        if given(args, "rows", "cols", "lanes"):
            raise ConfigError(
                "--rows, --cols and --lanes go with --memory sdram or axi: without it all shapes are tried"
            )
        self._counter, (width, height) = CycleCounter(), args.size
        self.headline = (
            f"{board.title} ({board.device}), {args.mode} of {width} x {height}, {clock_mhz:g} MHz assumed"
            f"{arithmetic_note(**self.sums)}: a prediction, nothing is placed or routed"
        )

    def prepared(self, manifest):
        """See `Planner.prepared`: the space of shapes."""
        return Space(manifest, self.board, self.args.mode, *self.args.size, **self.sums)

    def plan(self, prepared):
        """See `Planner.plan`."""
        say = Progress(f"{prepared.manifest.name}: arrays tried")
        return plan_model(prepared, self.clock_mhz, self._counter, say).as_dict()

    def line(self, row):
        """See `Planner.line`."""
        board, work = self.board, f"{'-'.join(map(str, row['channels']))}, {row['macs'] / 1e9:.2f} G MAC:"
        if not row["fits"]:
            least = row["least_block_rams"]
            return f"{work} fits in no shape, it takes {least} {board.memory} at least, of {board.memories}"
        return (
            f"{work} {row['fps']:.2f} frames/s on {row['rows']} x {row['cols']} with {row['lanes']} lanes, lines of "
            f"{row['max_width']}: {row['multipliers']} {board.multiplier}, {row['block_rams']} {board.memory}, about "
            f"{row['lut_estimate']} LUT; {100 * row['utilization']:.1f} % of the array's peak of "
            f"{row['peak_fps']:.2f}; {self._binding(row)}"
        )

    def _binding(self, row):
        binds, board = row["binds"], self.board
        if binds == "shape":
            return "bound by compute: no limit of the device alone holds it down"
        what = {"multipliers": board.multiplier, "block_rams": board.memory, "lut": "the estimate of LUT"}[binds]
        more = "twice as many" if binds == "multipliers" else "as many as it likes"
        return f"bound by {what} (with {more}: at most {row['fps_without_that_limit']:.2f})"

    def verdict(self, found, rows):
        """See `Planner.verdict`."""
        fps, board = self.args.fps, self.board
        if found is not None:
            return f"the widest model that reaches {fps:g} frames/s is {found['model']}, with {found['fps']:.2f}"
        fitting = [row for row in rows if row["fits"]]
        if not fitting:
            return f"no model reaches {fps:g} frames/s: none of them fits the device"
        best = max(fitting, key=lambda row: row["fps"])
        line = f"no model reaches {fps:g} frames/s: the fastest is {best['model']}, with {best['fps']:.2f}"
        if fps > best["device_peak_fps"]:
            line += (
                f"; all {board.multipliers} {board.multiplier}, never idle, would give {best['device_peak_fps']:.2f}"
            )
        return line
