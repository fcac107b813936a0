"""The passes of a schedule, in their order, as they should come."""

from itertools import product


def expected_passes(program, schedule):
    """What each pass of the schedule's bands must say, from the layouts in memory."""
    pointer, found, loads = 0, [], 0
    for kind, band in schedule.commands:
        if kind != "band":
            continue
        stage = program.stages[band["stage"]]
        layout = schedule.maps[band["stage"] - schedule.chain.first + 1]
        outputs, step = program.arithmetic.outputs, program.group_step(stage)
        pixels = list(product(range(band["groups"]), range(band["rows"]), range(stage.parities)))
        order = [(stage.conv, *pixel, t, 0) for t in range(stage.conv.tiles) for pixel in pixels]
        if stage.gdn is not None:
            # every fourth column each; what upsamples makes neighbours of the first and the third, and of the others
            quarters = ((0, 2, 1, 3) if stage.upsampling else range(4)) if outputs > 1 else (0,)
            every = product(pixels, quarters, range(stage.gdn.tiles))
            order += [(stage.gdn, *pixel, t, quarter) for pixel, quarter, t in every]
        home, places, base = pointer, {}, len(found)
        for op in (stage.conv, stage.gdn):
            for tile in range(op.tiles if op else 0):
                places[op.index, tile] = pointer
                pointer = (pointer + op.weights) % program.weight_ring
        if band["keep"]:
            pointer = home
        offset, words = program.window(stage)
        if band["word"] == offset:
            origin = loads - max(0, band["word"])  # columns that came before the first one of the block's rows
        loads += band["loads"]
        nominal = stage.span(0)[0]
        for op, g, r, q, t, quarter in order:
            conv, size = op is stage.conv, program.tile_channels(op)
            quads, pixel_ends = op.outputs > 1, conv or quarter == outputs - 1
            pass_kind = op.pass_kinds[2 * (r & 1) + q] if stage.upsampling and conv else op.pass_kinds[0]
            last_group, last_column = g == band["groups"] - 1, q == stage.parities - 1
            # the last pass with these weights: in the last group, the last row of this parity
            ends = last_group and r >= band["rows"] - (stage.parities if conv else 1)
            ends = ends and pixel_ends and (conv or last_column)
            slots = 0
            if conv and t == op.tiles - 1 and r == band["rows"] - 1 and last_column:
                early = band["release_first"] if g == 0 else step
                slots = band["release"] if last_group else early
            top, bottom = (end - nominal for end in stage.span(r))
            first, begin, window, fed = max(top, band["top"]), places[op.index, t], None, {}
            if conv:
                begin += sum(other.weights for other in op.pass_kinds[: pass_kind.index - op.pass_kinds[0].index])
                fed = {"kernel_rows": min(bottom, band["height"]) - first}
                if program.arithmetic.whole_passes:
                    above, inside = first - top, fed["kernel_rows"]
                    fed = {"kernel_rows": pass_kind.kernel_rows, "above": above, "inside": inside}
                else:
                    begin += (first - top) * pass_kind.shape.columns * op.channels_in
                window = pass_kind.shape.first_word(program.rows) - offset
            part = sum(layout.part_beats(count) for count in layout.parts[: t * op.products])
            # by points the halves of a pair are quarters, else parities of columns
            half = (stage.upsampling and quarter >> 1) if outputs > 1 else q
            record, number = program.group_records(stage) * g + q, (0, 2, 1, 3).index(quarter)
            if outputs > 1:
                record += 4 * (quarter >> 1) + 2 * (quarter & 1) if stage.upsampling else quarter
            narrow = last_group and 2 * band["pixels"] <= program.group_columns and stage.upsampling
            beyond = narrow and (half == 1 or quads)
            out = not conv or stage.gdn is None
            k = pixels.index((g, r, q))
            inside = band["pixels"] if last_group else program.group_columns
            found.append(
                {
                    "op": op.index,
                    "tile": t,
                    "count": op.outputs * min(size, op.channels_out - t * size),
                    "param": op.param_base + pass_kind.params + t * op.outputs * size,
                    "weight": begin % program.weight_ring,
                    "pixels": inside if conv or outputs == 1 else (inside + 3 - quarter) // 4,
                    "pass_kind": pass_kind.index,
                    "words": pass_kind.weights if ends and not band["keep"] else 0,
                    "consumes": not band["keep"] and (g, r, q) == pixels[-1] and pixel_ends,
                    "slots": slots,
                    "fed": fed,
                    "offset": (band["slot"] + step * g + window) % program.slots * program.slot_words if conv else None,
                    "mask": sum(
                        (0 <= band["word"] + step * g + window + w < band["words"]) << w
                        for w in range(program.window_words)
                    )
                    if conv
                    else None,
                    "x": (outputs * k + (number if stage.upsampling else quarter))
                    * program.arithmetic.padded(stage.conv.channels_out)
                    if stage.gdn is not None
                    else None,
                    "address": band["target"] + r * band["pitch"] + record * layout.record + part if out else None,
                    "beyond": beyond,
                    "column": int(half) if outputs == 1 or not quads else 0,
                    "quads": quads,
                    "records": (4 >> beyond if quads else not beyond) if out else 0,
                    # columns that must have come: to the end of the window, or of the image
                    "columns": origin + min(band["word"] + step * g + words, band["words"]),
                    # passes that must have been written: those of the convolution up to this pixel
                    "needs": 0 if conv else base + (stage.conv.tiles - 1) * len(pixels) + k + 1,
                }
            )
    return found
