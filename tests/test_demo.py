"""What `make demo` builds is what it simulates."""

import argparse
import re
from pathlib import Path

from licgate.manifest import find_model
from licgate.sim.cli import add_simulate_arguments
from licgate.synth.fit import choose_config
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig

MAKEFILE = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")


def variable(name):
    return re.search(rf"^{name} \?= (.+)$", MAKEFILE, re.MULTILINE)[1]


def recipe(target):
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]


def test_both_parts_are_given_the_shape():
    assert "licgate build --board $(BOARD) $(DEMO_SHAPE) " in recipe("demo-build")
    assert "licgate simulate $(DEMO_SHAPE) " in recipe("demo-simulate")
    assert "-j2 demo-build demo-simulate" in recipe("demo")


def test_both_parts_take_the_same_accelerator():
    rows, cols = int(variable("DEMO_ROWS")), int(variable("DEMO_COLS"))
    board, manifest = find_board(variable("BOARD")), find_model()
    shape = AcceleratorConfig(rows=rows, cols=cols, packed_bits=board.packed_bits)
    built, _ = choose_config(manifest, board, "analysis", shape, max_width=None, must_fit=True)
    parser = argparse.ArgumentParser()
    add_simulate_arguments(parser)
    args = parser.parse_args(["--rows", str(rows), "--cols", str(cols)])
    assert built == AcceleratorConfig(rows=args.rows, cols=args.cols, lanes=args.lanes, max_width=args.max_width)
