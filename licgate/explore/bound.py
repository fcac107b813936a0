"""A lower bound on the cycles of an image, in closed form: a thousandth of the cycle model's time.

The array takes one pass after the other. From the end of one to the end of the next it is no less than the cycles in
which the feeder reads the pass's windows, and no less than the drain needs to take the results away. What the bound
leaves out is waiting: for lines that are not full yet, for a GDN's input, at the ends of an image.
"""

from collections import Counter
from functools import lru_cache

from licgate.perf.predict import GAP, image_runs

__all__ = ["least_cycles"]


def least_cycles(program, manifest, config, width, height):
    """Return a number of cycles that an image of ``width`` x ``height`` pixels takes at least, of all transforms."""
    total = 0
    for chain, _, runs in image_runs(program, manifest, config, width, height):
        stages = program.stages_of(chain)
        for (run_width, run_height), count in Counter(run[:2] for run in runs).items():
            total += count * (_run(program, stages, run_width, run_height) + GAP)
    return total


def _run(program, stages, width, height):
    # Ends of passes are compared at the feeder's last cycle; the drain counts from the last step, which with wide
    # windows comes a little earlier.
    late = max(p.shape.tap_row_cycles(program.rows) - p.shape.steps for p in program.pass_kinds if p.shape is not None)
    gap = program.drain_gap - late  # behind any pass; behind a packed one it is more
    cycles = 0
    for stage in stages:
        width_out, height_out = stage.output_length(width), stage.output_length(height)
        groups = -(-stage.group_columns(width, width_out) // program.group_columns)
        op = stage.conv
        for (parity, kernel_rows), count in _kernel_rows(stage, height, height_out):
            pass_kinds = op.pass_kinds[2 * parity : 2 * parity + 2] if stage.upsampling else op.pass_kinds
            for pass_kind in pass_kinds:
                steps = (
                    program.fed_rows(pass_kind, kernel_rows)
                    * op.words_in
                    * pass_kind.shape.tap_row_cycles(program.rows)
                )
                cycles += count * groups * _tiles(program, op, steps, gap, late)
        if stage.gdn is not None:
            passes = height_out * groups * op.outputs * stage.parities
            cycles += passes * _tiles(program, stage.gdn, stage.gdn.words_in, gap, late)
        width, height = width_out, height_out
    return cycles


def _tiles(program, op, steps, gap, late):
    """Cycles of an operation's passes, one behind the other; the first comes behind one of another operation."""
    return max(steps, gap) + (op.tiles - 1) * max(steps, program.gap_behind(op) - late)


def _kernel_rows(stage, height, height_out):
    """How many output rows of each parity read how many input rows: ((parity, rows), count)."""
    spans = tuple(stage.span(row) for row in range(2))
    step = stage.span(2)[0] - spans[0][0]
    return _counted(spans, step, stage.upsampling, height, height_out)


@lru_cache(maxsize=4096)
def _counted(spans, step, upsampling, height, height_out):
    found = Counter()
    for row in range(height_out):
        first, last = (edge + step * (row >> 1) for edge in spans[row & 1])
        found[row & 1 if upsampling else 0, min(last, height) - max(0, first)] += 1
    return tuple(found.items())
