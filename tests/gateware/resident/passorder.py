"""The passes of an image on the chip, in their order, as they should come."""

from collections import defaultdict

from licgate.gateware.passes import Destination, address_width
from tests.gateware.golden import FEWEST_TAPS, reads, rows_read


def first_row(stage, row):
    return max(0, rows_read(stage, row)[0])


def sizes_of(stages, width, height):
    sizes = [(width, height)]
    for stage in stages:
        if stage.upsampling:
            sizes.append(tuple(2 * n for n in sizes[-1]))
        else:
            sizes.append(
                tuple(
                    (n + 1) // 2 if stage.conv.layer.stride == 2 and not stage.conv.layer.transposed else n
                    for n in sizes[-1]
                )
            )
    return sizes


def conv_fields(program, stage, pass_kind, y, group, in_width, in_height):
    """Fields of a convolution's pass that say what it reads; the weights are those of the first tile."""
    layer, channels = stage.conv.layer, stage.conv.words_in
    columns = reads(layer, pass_kind.column, depth_form=stage.conv.depth_form)
    taps = max(FEWEST_TAPS, len(columns))
    stride = 1 if layer.transposed else layer.stride
    reached = [stride * r + columns[0] + k for r in range(program.rows) for k in range(taps)]
    words = range(stride * group + min(reached) // program.rows, stride * group + max(reached) // program.rows + 1)
    rows = rows_read(stage, y)
    inside = [row for row in rows if 0 <= row < in_height]
    above = inside[0] - rows[0]
    fed, skipped = {"kernel_rows": len(inside)}, above
    if program.arithmetic.whole_passes:
        fed, skipped = {"kernel_rows": len(rows), "above": above, "inside": len(inside)}, 0
    return {
        "pass_kind": pass_kind.index,
        "need": inside[-1] + 1,
        **fed,
        "pass_row": stage.base + inside[0] % stage.ring * stage.row_stride,
        "offset": words[0] * channels % (1 << address_width(program)),
        "mask": sum((0 <= w < -(-in_width // program.rows)) << j for j, w in enumerate(words)),
        "weight": pass_kind.base + skipped * taps * channels,
    }


def bands_of(stage, count):
    """Groups of each band of a row of so many, and of each its parities of columns, from the rule alone."""
    size, first = 1 if stage.last else 4, 0
    while first < count:
        end = first + size if count - first >= 2 * size else count
        for column in range(2 if stage.upsampling else 1):
            yield range(first, end), column
        first = end


def expected_passes(program, chain, width, height):
    """Descriptors by stage, in order; fields that the pass does not use are left out."""
    stages, passes = program.stages_of(program.chains[chain]), defaultdict(list)
    sizes = sizes_of(stages, width, height)
    for k, stage in enumerate(stages):
        (in_width, in_height), (out_width, out_height) = sizes[k : k + 2]
        across, parities = (in_width, 2) if stage.upsampling else (out_width, 1)
        count = -(-across // program.rows)
        for y in range(out_height):
            for groups, q in bands_of(stage, count):
                pass_kind = stage.conv.pass_kinds[2 * (y % 2) + q if stage.upsampling else 0]
                order = [(stage.conv, tile, g) for tile in range(stage.conv.tiles) for g in groups]
                if stage.gdn is not None:
                    order += [(stage.gdn, tile, g) for g in groups for tile in range(stage.gdn.tiles)]
                for op, tile, g in order:
                    full, conv = program.tile_channels(op), op is stage.conv
                    to = Destination.OUTPUT if stage.last else Destination.LINE
                    if conv and stage.gdn:
                        to = Destination.NORM
                    last_tile = tile == op.tiles - 1
                    row_ends = last_tile and (g, q) == (count - 1, parities - 1)
                    one = {"pass_kind": op.pass_kinds[0].index, "weight": op.base}
                    if conv:
                        one = conv_fields(program, stage, pass_kind, y, g, in_width, in_height)
                    one |= {"stage": chain_stage(program, chain, k), "row": y, "place": (g, q), "last_tile": last_tile}
                    one |= {
                        "op": op.index,
                        "to": to,
                        "count": min(full, op.channels_out - tile * full),
                        "column": q,
                        "pixels": min(program.rows, across - g * program.rows),
                        "param": op.param_base + (pass_kind.params if conv else 0) + tile * full,
                        "weight": one["weight"] + tile * program.pass_kinds[one["pass_kind"]].steps,
                        "release": int(op is stages[0].conv and row_ends),
                        "row_issued": int(row_ends),
                        "row_done": int(to == Destination.LINE and row_ends),
                    }
                    if stage.gdn is not None:
                        x = (g - groups[0]) * program.arithmetic.padded(stage.conv.channels_out)
                        one["tile_x"] = x + tile * full
                        one |= {"address": x + tile * full} if conv else {"x": x}
                    if to == Destination.LINE:
                        following = stages[k + 1]
                        one["line"] = one["stage"] + 1
                        begins = following.base + y % following.ring * following.row_stride
                        one["address"] = (
                            (begins << program.arithmetic.part_bits)
                            + g * parities * program.arithmetic.padded(op.channels_out)
                            + tile * full
                        )
                    passes[one["stage"]].append(one)
    return passes


def chain_stage(program, chain, k):
    """Position in ``Program.stages`` of stage `k` of a chain."""
    return program.chains[chain].first + k
