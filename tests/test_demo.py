"""What `make demo` builds is what it simulates."""

import argparse
import re
from pathlib import Path

from licgate.backends import get_backend
from licgate.cli_build import add_build_arguments
from licgate.cli_simulate import add_simulate_arguments
from licgate.manifest import find_model
from licgate.target.board import find_board

MAKEFILE = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")


def variable(name):
    return re.search(rf"^{name} \?= (.+)$", MAKEFILE, re.MULTILINE)[1]


def recipe(target):
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]


def test_both_parts_are_given_the_shape():
    assert "licgate build --board $(BOARD) $(DEMO_SHAPE) " in recipe("demo-build")
    assert "licgate simulate $(DEMO_SHAPE) " in recipe("demo-simulate")
    assert "-j2 demo-build demo-simulate" in recipe("demo")


def parsed(add_arguments, *words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    shape = re.search(r"^DEMO_SHAPE = (.+)$", MAKEFILE, re.MULTILINE)[1]
    shape = re.sub(r"\$\((\w+)\)", lambda match: variable(match[1]), shape)
    return parser.parse_args([*words, *shape.split()])


def test_both_parts_take_the_same_accelerator():
    board = find_board(variable("BOARD"))
    build, simulate = parsed(add_build_arguments, "--board", board.name), parsed(add_simulate_arguments)
    assert build.memory == simulate.memory
    backend = get_backend(build.memory)
    built = backend.fit(backend.design(build, find_model(build.model), board, board.frequency))
    assert built.fit.fits
    assert built.config == backend.config(simulate)
    assert built.transforms == simulate.transform
