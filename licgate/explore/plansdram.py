"""``licgate plan --memory sdram``: models of any size, on a shape that is given or the fastest that fits.

A shape is searched with the estimate; what is printed of it, and of one that is given, is the exact cycle model's.
"""

from __future__ import annotations

from dataclasses import replace

from licgate.backends.options import MEMORY_SHAPE, given
from licgate.backends.sdram import sdram_cycles
from licgate.explore.planner import StreamedPlanner, streamed_row
from licgate.explore.progress import Progress
from licgate.explore.space import Budget
from licgate.explore.streamedsearch import fastest_stream
from licgate.explore.streamedspace import StreamSpace

__all__ = ["SdramPlanner"]


class SdramPlanner(StreamedPlanner):
    """Cores that share a frame and the board's SDRAM.

    Raises
    ------
    ConfigError
        The board has no SDRAM, or it does not run at that clock.
    """

    reaches = "that reaches", "reaches"

    def __init__(self, args, board, clock_mhz):
        super().__init__(args, board, clock_mhz)
        self._timing = sdram_cycles(board, clock_mhz)
        self._searched = not given(args, "rows", "cols", *MEMORY_SHAPE)
        shape = "the fastest shape that fits" if self._searched else self.shape
        width, height = args.size
        transforms = "g_a" if args.mode == "analysis" else args.mode
        self.headline = (
            f"{board.title} ({board.device}), {transforms} of {width} x {height} on {shape} with SDRAM, {clock_mhz:g} "
            "MHz assumed: a prediction, nothing is placed or routed"
        )

    def plan(self, prepared):
        """See `Planner.plan`."""
        design = self.design(prepared)
        if self._searched:
            config = self._fastest(prepared)
            if config is None:
                return {"model": prepared.name, "fits": False}
            design = replace(design, config=config)
        design, _, row = streamed_row(design, self.args.size)
        return row | {"searched": self._searched, "fit": str(design.fit)}

    def line(self, row):
        """See `Planner.line`."""
        if "config" not in row:
            return f"fits in no shape of {self.args.cores} {'core' if self.args.cores == 1 else 'cores'}"
        moved = sum(row["traffic"].values())
        return (
            f"{row['fps']:.3f} frames/s{self._on(row['config'])}: {100 * row['utilization']:.1f} % of "
            f"{row['multipliers']} multipliers busy with needed products (recompute factor "
            f"{row['recompute_factor']:.3f}), {moved / 1e6:.0f} MB a frame, "
            f"{100 * moved * row['fps'] / row['bandwidth']:.0f} % of the memory's cycles; {row['fit']}"
            f"{'' if row['fits'] else ': DOES NOT FIT'}"
        )

    def _on(self, config):
        if not self._searched:
            return ""
        return (
            f" on {config['rows']} x {config['cols']}, blocks of {config['block_rows']} rows, bands of "
            f"{config['band_groups']} groups, {config['prefetch_words'] or 'all'} columns ahead, "
            f"{config['weight_words']} weight words, {config['output_words']} words of results"
        )

    def _fastest(self, manifest):
        """Configuration of the fastest shape that fits, or None.

        Raises
        ------
        ConfigError
            The array does not run the model.
        """
        args = self.args
        options = {"cores": (args.cores,), "mode": args.mode, **self.sums}
        space = StreamSpace(manifest, self.board, *args.size, self._timing, **options)
        found = fastest_stream(space, Budget.of(self.board), Progress(f"{manifest.name}: arrays searched"))
        if found is None:
            # whatever the reason is, if it lies with the model or with the image
            space.usual(4, 4)
            return None
        return found.config
