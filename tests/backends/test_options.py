"""One option, one name over the verbs, and names that there were before."""

import argparse
from dataclasses import replace

import pytest

from licgate import cli_build, cli_explore, cli_plan, cli_simulate
from licgate.backends import get_backend
from licgate.backends.options import MEMORIES, MEMORY_SHAPE
from licgate.errors import ConfigError
from licgate.target.board import find_board
from licgate.target.streamed import StreamedConfig

VERBS = {"build": cli_build, "plan": cli_plan, "explore": cli_explore, "simulate": cli_simulate}


def parser(verb):
    made = argparse.ArgumentParser()
    getattr(VERBS[verb], f"add_{verb}_arguments")(made)
    return made


def parsed(verb, *words):
    board = [] if verb == "simulate" else ["--board", "ulx3s-85f"]
    return parser(verb).parse_args([*board, *words])


def test_the_same_options_mean_the_same():
    for verb in ("build", "plan", "explore"):
        args = parsed(verb, "--size", "40x24", "--clock", "80", "--mode", "decoder")
        assert (args.size, args.clock, args.mode) == ((40, 24), 80.0, "decoder")
    for verb in VERBS:
        assert parsed(verb).packing is None
        assert parsed(verb, "--packing", "27").packing == 27
        assert parsed(verb, "--memory", "sdram").memory == "sdram"
    for verb in ("build", "plan", "simulate"):
        words = [word for name in MEMORY_SHAPE for word in (f"--{name.replace('_', '-')}", "7")]
        args = parsed(verb, *words, "--memory", "axi", "--rows", "8")
        assert [getattr(args, name) for name in (*MEMORY_SHAPE, "rows", "memory")] == [7] * 5 + [8, "axi"]


def test_old_names_are_understood_and_not_shown():
    args = parsed("build", "--image", "40x24", "--frequency", "80")
    assert (args.size, args.clock) == ((40, 24), 80.0)
    told = parser("build").format_help()
    assert "--image" not in told
    assert "--frequency" not in told
    assert parsed("build").size == (768, 512)


@pytest.mark.parametrize("memory", ["chip", "sdram"])
def test_arithmetic_is_asked_for(memory):
    board, backend = find_board("ulx3s-85f"), get_backend(memory)
    for verb in ("build", "plan", "explore", "simulate"):
        args = parsed(verb, "--memory", memory, "--arithmetic", "fip")
        assert backend.config(args, None if verb == "simulate" else board).arithmetic == "fip"
        args = parsed(verb, "--memory", memory, "--arithmetic", "direct")
        assert backend.config(args, None if verb == "simulate" else board).arithmetic == "direct"
    with pytest.raises(ConfigError, match=r"^packing needs arithmetic direct, not fip: leave one of them out$"):
        backend.config(parsed("build", "--memory", memory, "--arithmetic", "fip", "--packing"), board)


def test_packing_is_for_the_boards_multipliers():
    board, chip = find_board("zcu102"), get_backend("chip")
    for words, packing in (([], False), (["--packing"], True), (["--packing", "27"], True)):
        config = chip.config(parsed("build", *words), board)
        assert (config.packing, config.packed_bits) == (packing, 27)
    with pytest.raises(ConfigError, match=r"^--packing 18 is not for board zcu102, whose multipliers have 27 bits: "):
        chip.config(parsed("build", "--packing", "18"), board)
    # without a board, those of the ECP5
    assert chip.config(parsed("simulate", "--packing")).packed_bits == 18


def test_what_is_not_given_is_the_boards_or_the_default():
    board = find_board("ulx3s-85f")
    config = get_backend("chip").config(parsed("build", "--mode", "decoder"), board)
    assert ((config.rows, config.cols), config.max_width) == (board.shape("decoder"), board.max_width)
    config = get_backend("sdram").config(parsed("build", "--memory", "sdram"), board)
    assert (config.rows, config.cols) == board.streamed
    assert get_backend("sdram").config(parsed("simulate", "--memory", "sdram")) == StreamedConfig()
    config = get_backend("axi").config(parsed("simulate", "--memory", "axi", "--axi-bits", "32"))
    assert (config.beat_bits, config.page_beats, config.address_bits) == (32, 256, 29)
    config = get_backend("axi").config(parsed("simulate", "--memory", "axi"))
    assert (config.beat_bits, config.page_beats, config.address_bits) == (64, 256, 28)


def test_every_memory_has_a_backend():
    assert [get_backend(name).name for name in MEMORIES] == list(MEMORIES)
    with pytest.raises(ConfigError, match=r"^memory 'tape' is unknown; there are chip, sdram, axi$"):
        get_backend("tape")


def test_a_board_has_its_arithmetic_for_what_lies_on_the_chip():
    board = replace(find_board("ulx3s-85f"), arithmetics={"analysis": "fip"})
    for words, name in (
        ((), "fip"),
        (("--mode", "decoder"), "direct"),
        (("--packing",), "direct"),
        (("--memory", "sdram"), "direct"),
        (("--arithmetic", "direct"), "direct"),
    ):
        args = parsed("build", *words)
        assert get_backend(args.memory).config(args, board).arithmetic == name, words
    with pytest.raises(ConfigError, match=r"^board ulx3s-85f: arithmetic slow is none of direct, fip"):
        replace(board, arithmetics={"analysis": "slow"})
    with pytest.raises(ConfigError, match=r"^board ulx3s-85f: arithmetics for analyze, but modes are analysis, "):
        replace(board, arithmetics={"analyze": "fip"})
