"""Groups of a row: what each reads and where it goes, at the edges of the image and between them."""

import pytest

from licgate.gateware.passes import address_width
from licgate.gateware.resident.groups import GroupWalk
from tests.gateware.golden import FEWEST_TAPS, reads
from tests.gateware.resident.programs import PROGRAMS, build
from tests.gateware.waves import trace

WATCH = ("group", "last_phase", "ended", "has_gdn")


def expected_groups(program, stage, pass_kinds, row):
    """The groups of a row, and of each its parities."""
    layer, channels = stage.conv.layer, stage.conv.channels_in
    following = program.stages[program.stages.index(stage) + 1 :]
    made = 0 if stage.last else (following[0].conv.channels_in << stage.upsampling)
    stride, words = 1 if layer.transposed else layer.stride, -(-row["width"] // program.rows)
    for group in range(-(-row["columns"] // program.rows)):
        for column, pass_kind in enumerate(pass_kinds):
            columns = reads(layer, pass_kind.column, depth_form=stage.conv.depth_form)
            taps = max(FEWEST_TAPS, len(columns))
            reached = [stride * r + columns[0] + k for r in range(program.rows) for k in range(taps)]
            first, last = (stride * group + edge // program.rows for edge in (min(reached), max(reached)))
            left = row["columns"] - group * program.rows
            yield {
                "pass_kind": pass_kind.index,
                "column": column,
                "row": row["read_base"],
                "window": first * channels % (1 << address_width(program)),
                "mask": sum((0 <= w < words) << j for j, w in enumerate(range(first, last + 1))),
                "kernel_rows": row["kernel_rows"],
                "weight": pass_kind.base + row["above"] * taps * channels,
                "target": row["write_base"] + group * made,
                "pixels": min(program.rows, left),
                "row_ends": int(left <= program.rows and pass_kind is pass_kinds[-1]),
            }


@pytest.mark.parametrize("name", PROGRAMS)
def test_groups_of_rows_of_every_stage(name):
    program = build(name)
    steps, expected = [], {}
    for index, stage in enumerate(program.stages):
        for odd, width in ((0, 1), (1, 2 * program.rows + 1), (0, 2 * program.rows)):
            columns = stage.group_columns(width, stage.output_length(width))
            parity = odd if stage.upsampling else 0
            row = {"columns": columns, "width": width, "odd": parity, "above": odd, "kernel_rows": 2}
            row |= {"read_base": stage.base + 1, "write_base": 3}
            pass_kinds = (
                stage.conv.pass_kinds[2 * parity : 2 * parity + 2] if stage.upsampling else stage.conv.pass_kinds
            )
            quiet = {"starts": 0, "moves": 0, "turns": 0}
            # the row follows its stage by a cycle
            steps += [{**quiet, "stage": index, "row": row}] * 2
            steps.append({**quiet, "starts": 1})
            groups = list(expected_groups(program, stage, pass_kinds, row))
            for k, group in enumerate(groups):
                steps += [quiet, quiet, quiet]
                expected[len(steps)] = (
                    group,
                    k % len(pass_kinds) == len(pass_kinds) - 1,
                    stage.gdn is not None,
                    stage.last,
                )
                last = k % len(pass_kinds) == len(pass_kinds) - 1
                steps.append({**quiet, "moves": last, "turns": not last})
            steps += [quiet, quiet]
            expected[len(steps)] = None
            steps.append(quiet)
    seen = trace(GroupWalk(program), steps, WATCH)
    for cycle, one in expected.items():
        if one is None:
            assert seen[cycle].ended
            continue
        group, last_phase, has_gdn, last_stage = one
        got = seen[cycle]
        # the last stage's results go to the output, which has no addresses
        wanted = {key: value for key, value in group.items() if key != "target" or not last_stage}
        assert {key: got.group[key] for key in wanted} == wanted, cycle
        assert (got.last_phase, got.has_gdn, got.ended) == (last_phase, has_gdn, 0), cycle
