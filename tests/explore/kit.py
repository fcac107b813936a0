"""A tiny model and a tiny board, so that whole searches take no time."""

from dataclasses import replace

from licgate.synth.board import find_board
from tests.manifest import kit


def tiny_board(**resources):
    """A ULX3S with few cells."""
    board = find_board("ulx3s-85f")
    resources = {"MULT18X18D": 24, "DP16KD": 60} | resources
    return replace(board, resources=dict(board.resources) | resources)


def tiny_model(**options):
    """A model of all four transforms."""
    return kit.four_transforms(**options)
