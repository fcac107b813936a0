"""A tiny model and a tiny board, so that whole searches take no time."""

from dataclasses import replace

from licgate.target.board import find_board
from tests.manifest import kit

# what a build leaves: a report, a last line, and an exit code
BUILD = """
import json, pathlib, sys
out, code, line = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
out.mkdir(exist_ok=True)
figures = {"clock_mhz": 90.0 + code, "fps": 2.5, "cycles": 7, "utilization": 0.5, "lut_per_multiplier": 99}
report = {"performance": figures, "utilization": {"MULT18X18D": {"used": 4, "available": 9}}}
if code in (0, 4):
    (out / "report.json").write_text(json.dumps(report))
print("begun")
print(line)
sys.exit(code)
"""


#: A board file of one's own.
OWN_BOARD = """
from dataclasses import replace
from licgate.target.board import find_board

LARGE = find_board("ulx3s-85f")
BOARD = replace(LARGE, name="mine", resources={**LARGE.resources, "MULT18X18D": 24, "DP16KD": 60})
"""


def tiny_board(**resources):
    """A ULX3S with few cells."""
    board = find_board("ulx3s-85f")
    resources = {"MULT18X18D": 24, "DP16KD": 60} | resources
    return replace(board, resources=dict(board.resources) | resources)


def tiny_model(**options):
    """A model of all four transforms."""
    return kit.four_transforms(**options)
