"""Several transforms in one program: what they share, and what lies over what."""

import pytest

from licgate.errors import ConfigError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.program import compile_program, input_widths
from licgate.target.config import AcceleratorConfig
from tests.gateware.waves import small_program
from tests.manifest import kit

H_A = kit.chain("h_a", 5, (3, 1, 4, "relu"), (5, 2, 3, "relu"), (5, 2, 2), bits=(7, 8, 8, 6), absolute=True)
H_S = kit.chain("h_s", 2, (5, -2, 3, "relu"), (5, -2, 4, "relu"), (3, 1, 2), bits=(6, 8, 8, 9))
G_S = kit.chain("g_s", 5, (4, -2, 3, "abs"), (3, -2, 3, "relu"), bits=(6, 8, 8))
G_A = kit.chain("g_a", 3, (5, 2, 4, "abs"), (3, 1, 5), bits=(8, 8, 7), unsigned=True)


def lines(program, name):
    """Memory, base, ring and words a row of every line buffer of a transform."""
    return [(s.memory, s.base, s.ring, s.words) for s in program.stages_of(program.chain_of(name))]


def test_stages_of_every_kind():
    program = small_program(H_S, G_S, rows=4, max_width=(3, 3))
    chain = program.chain_of("h_s")
    assert (chain.index, chain.first, chain.last, chain.max_width, chain.pixels) == (0, 0, 2, 3, False)
    assert [(s.upsampling, s.conv.depth_form, s.first, s.last) for s in program.stages] == [
        (True, False, True, False),
        (True, False, False, False),
        (False, False, False, True),
        (True, False, True, False),
        (False, True, False, True),
    ]
    # 4 x 4: two rows for each parity; a picture's 12 channels in depth form
    assert [len(s.conv.pass_kinds) for s in program.stages] == [4, 4, 1, 4, 1]
    assert [s.most_rows for s in program.stages] == [3, 3, 3, 2, 2]
    assert [s.conv.channels_out for s in program.stages] == [3, 4, 2, 3, 12]
    assert [s.most_above for s in program.stages] == [1, 1, 1, 1, 0]
    assert [s.output_length(7) for s in program.stages] == [14, 14, 7, 14, 7]
    assert [s.group_columns(7, s.output_length(7)) for s in program.stages] == [7] * 5


def test_line_buffers_of_chains_lie_over_each_other():
    options = {"rows": 4, "map_slack": 1, "line_slack": 0}
    # rings of 3 + 1, 5 and 5 rows for widths of 10, 10 and 5; two stages have one type
    h_a = [(0, 0, 4, 3), (1, 0, 5, 3), (1, 60, 5, 2)]
    assert lines(small_program(H_A, max_width=10, **options), "h_a") == h_a
    # rings of 3 + 1, 3 and 3 rows for widths of 3, 6 and 12, those from an upsampling stage in pairs of words
    h_s = [(0, 0, 4, 1), (1, 0, 3, 2), (1, 18, 3, 4)]
    program = small_program(H_S, max_width=3, **options)
    assert lines(program, "h_s") == h_s
    assert [(m.bits, m.signed, m.depth, m.split) for m in program.line_memories] == [
        (6, True, 8, False),
        (8, False, 66, True),
    ]
    both = small_program(H_A, H_S, max_width=(10, 3), **options)
    assert lines(both, "h_a") == h_a
    assert lines(both, "h_s") == [(2, 0, 4, 1), *h_s[1:]]
    # |y| and z come from the host, into memories of their own; the one between has room for the larger chain
    assert [(m.bits, m.signed, m.depth, m.split) for m in both.line_memories] == [
        (7, False, 60, False),
        (8, False, 90, True),
        (6, True, 8, False),
    ]
    assert [s.depth for s in both.stages] == [60, 60, 30, 8, 18, 48]


def test_what_the_host_sends_has_memories_of_its_own():
    """An odd width makes no odd number of words behind an upsampling stage; pixels, values and layers keep apart."""
    program = small_program(G_A, G_S, H_S, rows=4, max_width=(9, 5, 5), map_slack=2, input_slack=1)
    # 8 bits unsigned: pixels; 8 signed: g_a's GDN and g_s's; 6 signed: values of g_s and h_s; 8 unsigned: h_s's ReLU
    assert [(m.bits, m.signed, m.split) for m in program.line_memories] == [
        (8, False, False),
        (8, True, True),
        (6, True, False),
        (8, False, True),
    ]
    assert lines(program, "g_a") == [(0, 0, 6, 3), (1, 0, 3, 2)]
    assert lines(program, "g_s") == [(2, 0, 4, 2), (1, 0, 2, 4)]
    assert lines(program, "h_s") == [(2, 0, 5, 2), (3, 0, 3, 4), (3, 36, 3, 6)]
    assert [m.depth for m in program.line_memories] == [54, 24, 40, 108]


def test_chains_share_weight_memories_and_parameters():
    program = small_program(H_A, H_S, max_width=(10, 3))
    alone = [small_program(H_A, max_width=10), small_program(H_S, max_width=3)]
    assert program.biases == alone[0].biases + alone[1].biases
    (memory,) = program.weight_memories
    assert memory.init == alone[0].weight_memories[0].init + alone[1].weight_memories[0].init
    assert [op.base for op in program.ops[3:]] == [alone[0].weight_memories[0].depth + op.base for op in alone[1].ops]
    assert [p.index for p in program.pass_kinds] == list(range(12))


def test_parameters_of_depth_form_repeat():
    program = small_program(kit.chain("g_s", 2, (5, -2, 3)))
    layer, op = program.ops[0].layer, program.ops[0]
    assert (op.channels_out, op.param_base, op.tiles) == (12, 0, 6)
    assert program.biases == tuple(layer.bias.tolist()) * 4
    assert program.multipliers == tuple(layer.requantize.multiplier.tolist()) * 4
    assert program.shifts == tuple(layer.requantize.shift.tolist()) * 4
    assert program.offsets == (0,) * 12


def test_a_transform_that_is_not_there():
    program = small_program(H_A, H_S, max_width=(10, 3))
    assert program.chain_of("h_s").index == 1
    with pytest.raises(ConfigError, match=r"^the accelerator has no g_s, only h_a, h_s$"):
        program.chain_of("g_s")


def test_every_transform_has_a_width():
    with pytest.raises(ValueError, match="zip"):
        compile_program([H_A, H_S], AcceleratorConfig(), [3])
    program = compile_program([H_A, H_S], AcceleratorConfig(max_width=8))
    assert [chain.max_width for chain in program.chains] == [8, 8]


def test_widths_are_those_of_an_image_with_whole_hyper_latents():
    manifest = kit.four_transforms()
    # 4 pixels a latent, 4 latents a hyper latent: 100 pixels become 112
    assert input_widths(manifest, ("g_a", "h_a", "h_s", "g_s"), 100) == [100, 28, 7, 28]
    assert input_widths(manifest, ("g_s",), 112) == [28]
    assert input_widths(manifest, ("h_s", "h_a"), 113) == [8, 32]
    with pytest.raises(ConfigError, match=r"^model four has no context, x; it has g_a, h_a, h_s, g_s$"):
        input_widths(manifest, ("g_a", "context", "x"), 64)
    with pytest.raises(ConfigError, match=r"^model four has no transform to run; it has g_a, h_a, h_s, g_s$"):
        input_widths(manifest, (), 64)
    assert input_widths(synthetic_manifest(channels=(3, 4)), ("g_a",), 101) == [101]


@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_without_weights_only_they_are_missing(kernel):
    manifest = kit.four_transforms(kernel=5, up=kernel)
    names = ("g_a", "h_a", "h_s", "g_s")
    options = [manifest.transforms[name] for name in names], AcceleratorConfig(rows=3, cols=2, max_width=32)
    full = compile_program(*options, input_widths(manifest, names, 32))
    bare = compile_program(*options, input_widths(manifest, names, 32), weights=False)
    for key in ("lanes", "line_memories", "biases", "shapes", "drain_gap", "multiplier_cells"):
        assert getattr(full, key) == getattr(bare, key)
    assert [(s.ring, s.words, s.memory, s.base) for s in full.stages] == [
        (s.ring, s.words, s.memory, s.base) for s in bare.stages
    ]
    assert [(op.pass_kinds, op.tiles, op.base, len(op.words)) for op in full.ops] == [
        (op.pass_kinds, op.tiles, op.base, len(op.words)) for op in bare.ops
    ]
    assert [m.depth for m in full.weight_memories] == [m.depth for m in bare.weight_memories]
    assert any(any(op.words) for op in full.ops)
    assert not any(any(op.words) for op in bare.ops)
