"""What fits a device before synthesis: the count of block RAMs, the width that is chosen, and what is refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from licgate.backends import get_backend
from licgate.cli import main
from licgate.errors import ConfigError
from licgate.gateware.engine.memory import BLOCK_SHAPES, bank_depths
from licgate.gateware.streamed.blockqueue import part_width
from licgate.manifest import find_model
from licgate.manifest.architectures import MODES
from licgate.perf.memories import MemoryUse, block_rams, memory_uses, program_memories
from licgate.program import compile_program, input_widths
from licgate.synth.design import Design
from licgate.synth.fit import memory_fit
from licgate.target.arithmetic import DIRECT
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig

ULX3S = find_board("ulx3s-85f")


@pytest.fixture(scope="module")
def manifest():
    return find_model("hyperprior-n36m96-l0067-a10w8")


def choose(manifest, mode, *, board=ULX3S, max_width=None, must_fit=True, **shape):
    rows, cols = board.shape(mode)
    config = AcceleratorConfig(**{"rows": rows, "cols": cols, "max_width": max_width or board.max_width, **shape})
    design = Design(manifest=manifest, board=board, config=config, clock_mhz=board.frequency, mode=mode)
    design = get_backend("chip").fit(replace(design, fixed_width=max_width is not None), must_fit=must_fit)
    return design.config, design.fit


def test_cells_are_those_of_the_banks():
    for depth, width in ((1, 1), (2304, 64), (15120, 80), (12825, 96), (513, 37), (16385, 9)):
        banks = [dict(BLOCK_SHAPES)[deep] for deep in bank_depths(depth, width)]
        assert block_rams(depth, width, BLOCK_SHAPES) == sum(-(-width // wide) for wide in banks)


def test_a_queue_has_the_cells_of_its_parts():
    for depth, width in ((512, 72), (576, 64), (2304, 16), (3456, 16), (4097, 16), (16384, 3), (20000, 3)):
        parts = [min(part_width(depth), width - first) for first in range(0, width, part_width(depth))]
        cells = sum(block_rams(depth, part, BLOCK_SHAPES) for part in parts)
        assert MemoryUse("queues", depth, width, parts=True).cells(BLOCK_SHAPES) == cells
    assert MemoryUse("queues", 2304, 16, parts=True).cells(BLOCK_SHAPES) == 4


def test_a_split_memory_is_two_of_half_the_pixels():
    def lines_of(rows, lines):
        shape = SimpleNamespace(rows=rows, cols=2, lanes=1, biases=range(7), arithmetic=DIRECT)
        uses = memory_uses(shape, lines=lines, weights=[(8, 100)], bias_bits=20, offset_bits=3)
        return uses, [(use.depth, use.width) for use in uses if use.holds == "line buffers"]

    uses, lines = lines_of(5, [(10, 64, True), (8, 32, False)])
    assert lines == [(64, 30), (64, 20), (32, 40)]
    assert sum(use.bits for use in uses) == 64 * 50 + 32 * 40 + 100 * 16 + 7 * (20 + 6 + 17 + 3)
    assert len(lines_of(1, [(9, 8, True)])[1]) == 1


@pytest.mark.parametrize(
    ("mode", "width", "needed"), [("analysis", 768, 172), ("encoder", 192, 205), ("decoder", 768, 199)]
)
def test_the_default_model_fits_the_default_board(manifest, mode, width, needed):
    config, fit = choose(manifest, mode)
    assert (config.max_width, fit.needed, fit.available, fit.fits) == (width, needed, 208, True)
    assert sum(row["cells"] for row in fit.by.values()) == needed
    transforms = [manifest.transforms[name] for name in MODES[mode]]
    program = compile_program(transforms, config, input_widths(manifest, MODES[mode], width))
    bits = sum(use.bits for use in program_memories(program))
    assert bits == sum(row["bits"] or 0 for row in fit.by.values())
    if width < ULX3S.max_width:
        wider = replace(config, max_width=width + 64)
        program = compile_program(transforms, wider, input_widths(manifest, MODES[mode], width + 64))
        assert not memory_fit(program, ULX3S).fits


def test_what_does_not_fit_is_refused_before_synthesis(manifest):
    message = (
        r"^mode both of hyperprior-n36m96-l0067-a10w8 on an array of 8 x 12 with lines of 768 pixels needs 373 DP16KD "
        r"\(232 for weights, 122 for line buffers, 19 for others\), LFE5U-85F-6BG381C has 208: with lines of 64 it "
        r"needs 279; take other --rows and --cols, another --mode or a smaller model; --synthesis-only gives a report$"
    )
    with pytest.raises(ConfigError, match=message):
        choose(manifest, "both")
    config, fit = choose(manifest, "both", must_fit=False)
    assert (config.max_width, fit.fits) == (768, False)
    # at a width that was asked for, no other is taken
    with pytest.raises(ConfigError, match=r"lines of 256 pixels .* has 208: --max-width 192 fits; --synthesis-only"):
        choose(manifest, "encoder", max_width=256)
    assert choose(manifest, "encoder", max_width=256, must_fit=False)[0].max_width == 256


def test_a_small_board_gets_narrow_lines(manifest):
    small = replace(ULX3S, resources=dict(ULX3S.resources) | {"DP16KD": 150})
    config, fit = choose(manifest, "analysis", board=small)
    assert config.max_width % 64 == 0
    assert fit.fits
    with pytest.raises(ConfigError, match=f"--max-width {config.max_width} fits"):
        choose(manifest, "analysis", board=small, max_width=config.max_width + 64)


@pytest.mark.parametrize(
    ("rows", "cols", "lanes", "made_of"),
    [(8, 12, 3, "dsp"), (12, 12, 4, "dsp"), (12, 12, 6, "mixed"), (13, 12, 5, "fabric")],
)
def test_the_array_comes_before_the_lanes(manifest, rows, cols, lanes, made_of):
    config, _ = choose(manifest, "analysis", rows=rows, cols=cols, lanes=lanes)
    assert config.lane_multipliers == made_of
    program = compile_program(manifest.g_a, config)
    built, cells = program.lanes, program.multiplier_cells
    assert built == lanes
    assert cells == rows * cols + {"dsp": 3, "mixed": 2, "fabric": 0}[made_of] * lanes <= ULX3S.multipliers


def test_a_mode_that_the_model_has_no_transforms_for(manifest):
    half = replace(manifest, transforms={"g_a": manifest.g_a}, entropy=None, architecture="half")
    with pytest.raises(ConfigError, match=r"^a build of mode decoder needs h_s, g_s, model .* has only g_a: take"):
        choose(half, "decoder")


def test_the_command_line_says_it_in_one_line(capsys, tmp_path):
    out = tmp_path / "out"
    arguments = ["build", "--board", "ulx3s-85f", "--mode", "both", "--out", str(out)]
    assert main([*arguments, "--model", "hyperprior-n36m96-l0067-a10w8"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("licgate: error: mode both of hyperprior-n36m96-l0067-a10w8 on an array of 8 x 12 with ")
    assert error.count("\n") == 1
    assert not out.exists()


def test_modes_of_a_board_must_be_known():
    with pytest.raises(ConfigError, match=r"^board ulx3s-85f: shapes for transcoder, but modes are analysis, "):
        replace(ULX3S, shapes={"transcoder": (8, 8)})
