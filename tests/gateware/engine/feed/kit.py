"""What a pass says of itself, worked out from its descriptor as the parts of the feeder are given it."""

from licgate.gateware.passes import address_width

__all__ = ["following"]


def following(program, descriptor):
    """The pass of a descriptor as it waits, see ``next_layout``."""
    bounds = sorted({_bound(program, pass_kind) for pass_kind in program.pass_kinds})
    pass_kind = program.pass_kinds[descriptor["pass_kind"]]
    op = program.ops[pass_kind.op]
    stage = next(stage for stage in program.stages if op in (stage.conv, stage.gdn))
    words = 0 if op.is_gdn else pass_kind.shape.words(program.rows)
    return {
        "work": descriptor,
        "gdn": int(op.is_gdn),
        "shortest": int(op.words_in <= (2 if op.is_gdn else 1)),
        "one_row": int(descriptor["kernel_rows"] == 1),
        "begin": (descriptor["row"] + descriptor["offset"]) % (1 << address_width(program)),
        "first": stage.base,
        "last": stage.last_row,
        "bounds": 1 << bounds.index(_bound(program, pass_kind)),
        "margin": program.window_words - words,
    }


def _bound(program, pass_kind):
    return 1 if program.ops[pass_kind.op].is_gdn else pass_kind.shape.columns - 1
