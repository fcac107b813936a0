"""What a pass says of itself, worked out from its descriptor as the parts of the feeder are given it."""

from licgate.gateware.passes import address_width

__all__ = ["following"]


def following(program, descriptor):
    """The pass of a descriptor as it waits, see ``next_layout``."""
    bounds = sorted({_bound(program, phase) for phase in program.phases})
    phase = program.phases[descriptor["phase"]]
    op = program.ops[phase.op]
    words = 0 if op.is_gdn else phase.shape.words(program.rows)
    return {
        "work": descriptor,
        "gdn": int(op.is_gdn),
        "shortest": int(op.channels_in <= (2 if op.is_gdn else 1)),
        "one_row": int(descriptor["kernel_rows"] == 1),
        "begin": (descriptor["row"] + descriptor["offset"]) % (1 << address_width(program)),
        "bounds": 1 << bounds.index(_bound(program, phase)),
        "margin": program.window_words - words,
    }


def _bound(program, phase):
    return 1 if program.ops[phase.op].is_gdn else phase.shape.columns - 1
