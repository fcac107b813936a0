"""Programs for the tests of the resident sequencer and its parts."""

from tests.gateware.waves import small_program
from tests.manifest.kit import chain

__all__ = ["PROGRAMS", "build"]

UP = chain("g_s", 1, (5, -2, 3, "abs"), (3, -2, 2, "relu"), (4, -2, 1))
FLAT = chain("h_a", 2, (3, 1, 3, "relu"), (1, 1, 2, "abs"), (3, 1, 1))
BOTH = chain("h_s", 1, (5, -2, 2, "relu"), (3, 1, 3), bits=(6, 8, 8))
DOWN = chain("g_a", 1, (5, 2, 2, "abs"), (7, 2, 2), unsigned=True)
PACKED = chain("g_s", 4, (5, -2, 7, "abs"), (3, -2, 4, "relu"), (3, 1, 5), weight_bits=(8, 12, 5), gdn_bits=7)
PROGRAMS = {
    "GDN": ((), {"rows": 2, "channels": (1, 3, 2), "gdn": "abs"}),
    "ReLU": ((), {"rows": 3, "channels": (2, 3, 1), "gdn": "none", "line_slack": 1, "input_slack": 0}),
    "one column": ((), {"rows": 2, "cols": 1, "channels": (2, 5, 3), "gdn": "none"}),
    "three stages": (
        (),
        {"rows": 2, "cols": 3, "channels": (1, 2, 4, 2), "gdn": ("none", "abs"), "activation_bits": 8},
    ),
    "3x3": ((), {"rows": 4, "cols": 1, "channels": (1, 2, 2), "kernel": 3, "gdn": "abs", "input_slack": 1}),
    "stride 1": ((FLAT,), {"rows": 3, "map_slack": 0}),
    "upsampling": ((UP,), {"rows": 2, "cols": 3, "max_width": 6}),
    "upsampling, 3 rows": ((UP,), {"rows": 3, "max_width": 6, "map_slack": 0, "line_slack": 2}),
    "upsampling, 1 row": ((UP,), {"rows": 1, "cols": 4, "max_width": 5}),
    "packed": (
        (),
        {"rows": 2, "channels": (2, 4, 3, 5), "weight_bits": (4, 8, 5), "gdn": ("abs", "none"), "packing": True},
    ),
    "packed, 3 columns": ((PACKED,), {"rows": 3, "cols": 3, "max_width": 5, "packing": True, "packed_bits": 27}),
    "chains": ((DOWN, FLAT, UP, BOTH), {"rows": 2, "cols": 3, "max_width": (12, 9, 6, 6)}),
    "fip": ((), {"rows": 2, "channels": (1, 3, 2), "gdn": "abs", "arithmetic": "fip"}),
    "fip, chains": (
        (DOWN, FLAT, UP, BOTH),
        {"rows": 2, "cols": 3, "max_width": (12, 9, 6, 6), "arithmetic": "fip"},
    ),
}


def build(name, **more):
    transforms, options = PROGRAMS[name]
    return small_program(*transforms, **{**options, **more})
