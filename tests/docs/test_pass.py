"""The pass that docs/gateware.md follows: its cycles are those of the program."""

import re
from pathlib import Path

from licgate.manifest import find_model
from licgate.program import LINE_LATENCY, compile_program
from licgate.program.collecting import FINISHED
from licgate.program.timing import array_latency, lane_latency
from licgate.target.config import AcceleratorConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gateware.md"
LATENT = 5  # cycles from a word to its first latent; the latent reader's latency, and the writer's


def followed():
    """Rows of the table: the cycles of each number of the picture, first and last."""
    section = re.search(r"^## One pass.*?(?=^## )", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    rows = re.findall(r"^\| (\d) \| .* \| ([−\d]+)(?: to (\d+))? \|$", section, re.MULTILINE)
    return {int(n): (int(first.replace("−", "-")), int((last or first).replace("−", "-"))) for n, first, last in rows}


def test_cycles_are_those_of_the_program():
    program = compile_program(find_model().g_a, AcceleratorConfig(rows=8, cols=12), weights=False)
    op, cols, beat = program.stages[-1].conv, program.cols, program.lane_rows
    steps = op.pass_kinds[0].steps
    assert (op.channels_in, op.channels_out, op.tiles, steps) == (36, 96, 8, 900)
    assert (program.lanes, beat, LINE_LATENCY, lane_latency(program)) == (3, 3, 6, 35)
    arrives = steps + program.feed_latency  # the last step, at the array
    result = arrives + array_latency(cols)
    word = result + lane_latency(program) + program.lanes * beat
    last_word, last_latent = (
        word + beat * (cols - 1),
        word + LATENT + (program.rows + 2) * (cols - 1) + program.rows - 1,
    )
    assert followed() == {
        1: (-1, -1),
        2: (0, 0),
        3: (1, steps),
        4: (1 + program.feed_latency, arrives),
        5: (arrives + FINISHED, arrives + FINISHED + cols - 1),
        6: (result, result + beat * (cols - 1)),
        7: (word, last_word),
        8: (word + 1, last_word + 1),
        9: (word + LATENT, last_latent),
    }
    assert f"takes another {last_latent - steps}, beside" in PAGE.read_text(encoding="utf-8")
