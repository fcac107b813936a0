"""How a block is cut into bands, and what each asks of the line memory: the same in every block of a stage."""

from typing import NamedTuple

from licgate.program.records import MapLayout
from licgate.program.stages import Stage
from licgate.program.streamed import StreamedProgram

__all__ = ["Band", "block_span", "stage_bands"]


class Band(NamedTuple):
    """One band of any block of a stage.

    Attributes
    ----------
    group, groups : int
        First group, and how many.
    word : int
        Input word with which the first group's window begins; negative beside the image.
    first, end : int
        Input words to be fetched: from ``first`` on, before ``end``.
    loads_first : int
        Of these, how many the first group waits for; each of the others for those of a group, while there are: as many
        as the stride, or four times as many where words have every fourth column.
    back : int
        Slots from the one of ``word`` to that of ``first``.
    weights : bool
        The stage's weights are fetched for this band.
    keep : bool
        They stay for the next one.
    release_first, release : int
        Slots that become free behind the first group, and behind the last; those of a group behind the others.
    written : int
        Output words of a row: one for each group, or four; twice as many of an upsampling stage, but for what lies
        beyond the image.
    """

    group: int
    groups: int
    word: int
    first: int
    end: int
    loads_first: int
    back: int
    weights: bool
    keep: bool
    release_first: int
    release: int
    written: int

    @property
    def loads(self) -> int:
        """Words to be fetched."""
        return max(0, self.end - self.first)


def stage_bands(program: StreamedProgram, stage: Stage, source: MapLayout, target: MapLayout) -> list[Band]:
    """Bands of a block of a stage.

    Parameters
    ----------
    program : StreamedProgram
    stage : Stage
    source, target : MapLayout
        Its input and its output.

    Returns
    -------
    list of Band
    """
    resident, source_words = program.resident(stage), source.words
    (offset, words), step = program.window(stage), program.group_step(stage)
    made = program.group_records(stage)
    counts = _even(-(-stage.group_columns(source.width, target.width) // program.group_columns), program.band_groups)
    found: list[Band] = []
    loaded, group = 0, 0  # words of the row that have been asked for
    for index, groups in enumerate(counts):
        begin, ends = step * group + offset, index == len(counts) - 1
        end = min(begin + step * (groups - 1) + words, source_words)
        following = begin + step * groups  # the next band's first word
        kept = max(0, begin)
        first, back = max(loaded, kept), loaded - begin
        loads_first = max(0, min(begin + words, source_words) - first)
        loaded = max(loaded, end)
        released = loaded - kept if ends else max(0, min(following, loaded) - kept)
        early = max(0, min(begin + step, loaded) - kept) if groups > 1 else 0
        release = released - early - step * max(0, groups - 2)
        found.append(
            Band(
                group,
                groups,
                begin,
                first,
                end,
                loads_first,
                back,
                index == 0 or not resident,
                resident and not ends,
                early,
                release,
                min(made * (group + groups), target.words) - made * group,
            )
        )
        group += groups
    return found


def block_span(
    program: StreamedProgram, stage: Stage, source_height: int, target_height: int, row: int
) -> tuple[int, int, int, int]:
    """Rows of the block that begins with output row ``row``.

    Returns
    -------
    rows, nominal, top, height : int
        Output rows; input row that lies in row 0 of a slot; rows of a slot between which the image lies that it reads.
    """
    rows = min(program.stage_rows(stage), target_height - row)
    nominal = stage.span(row)[0]
    last = min(stage.span(row + rows - 1)[1], source_height) - nominal
    return rows, nominal, max(0, -nominal), min(program.in_rows(stage), last)


def _even(groups: int, most: int) -> list[int]:
    """Groups of each band of a row: as few bands as there can be, as even as they can be."""
    count = -(-groups // most)
    return [groups // count + (index < groups % count) for index in range(count)]
