"""Cycles of an image by the cycle model, with rows that only repeat the ones before counted rather than walked.

Once the line buffers are full, the sequencer does the same again and again, every time as many rows as it takes for
one row of the deepest layer. So the model walks images of a few such periods, each one period higher than the last;
when two in a row have added the same number of cycles, so will the rest.
"""

from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP, image_runs
from licgate.program.timing import program_latency

__all__ = ["CycleCounter"]

_FEWEST = 5  # periods of the first, smallest image
_MOST = 12  # after so many, the whole image is walked


class CycleCounter:
    """Counts cycles, and remembers them: they depend on the shapes of the layers, not on weights or widths."""

    def __init__(self):
        self._known = {}

    def cycles(self, program, manifest, config, width, height):
        """Return the cycles of an image of ``width`` x ``height`` pixels, of all transforms of the program."""
        total = 0
        for chain, _, runs in image_runs(program, manifest, config, width, height):
            shape = _shape(program, chain)
            for run in runs:
                key = (shape, run)
                if key not in self._known:
                    self._known[key] = _done(program, chain, run)
                total += self._known[key] + GAP
        return total


def _shape(program, chain):
    """All that the cycles of a chain depend on beside the size of the run."""
    stages = tuple(
        (
            s.ring,
            s.conv.pass_kinds and tuple((p.shape, p.kernel_rows) for p in s.conv.pass_kinds),
            s.span(0),
            s.span(1),
            s.conv.channels_in,
            s.conv.words_in,
            s.conv.channels_out,
            s.conv.packed,
            None if s.gdn is None else (s.gdn.words_in, s.gdn.packed),
        )
        for s in program.stages_of(chain)
    )
    timing = (program.feed_latency, program.drain_gap, program.window_words, program.lanes, program.lane_rows)
    square = any(op.is_gdn and op.layer.square for op in program.ops)
    timing += (program.arithmetic, program.merge_latency, program.output_words, program.leaving_words)
    timing += (program_latency(program),)
    return program.rows, program.cols, timing, square, len(program.stages), chain.pixels, stages


def _done(program, chain, run):
    """Cycle in which a run is done."""
    width, height, kept = run[0], run[1], run[2:] or None
    period = max(1, int(chain.transform.stride))
    first, times = height % period, height // period

    def walked(periods):
        rows = first + periods * period
        reduced = kept
        if kept is not None:
            lost = chain.transform.output_size(height, width)[0] - chain.transform.output_size(rows, width)[0]
            reduced = (*kept[:3], kept[3] - lost)
        return CoreModel(program, chain, width, rows, start=0, kept=reduced).done

    if times <= _FEWEST + 2:
        return walked(times)
    counts = [walked(_FEWEST), walked(_FEWEST + 1)]
    while len(counts) + _FEWEST < min(times, _MOST):
        counts.append(walked(_FEWEST + len(counts)))
        added = counts[-1] - counts[-2]
        if added == counts[-2] - counts[-3]:
            return counts[-1] + (times - _FEWEST - len(counts) + 1) * added
    return walked(times)
