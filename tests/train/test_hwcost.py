"""Costs of bit widths: the paper's weights, the compiler's memories, the boards' own facts."""

import json
from dataclasses import replace

import pytest

from licgate.errors import TrainingError
from licgate.manifest import find_model
from licgate.perf import predict
from licgate.program import compile_program
from licgate.target.board import find_board, list_boards
from licgate.target.config import AcceleratorConfig
from licgate.train.network.models import ModelConfig, build_model
from licgate.train.quant.quantize import quantize_model
from licgate.train.quant.widths import LayerBits, Widths, widths_from_json, widths_to_json
from licgate.train.search.hwcost import BoardCost, bit_operations, equivalent_width
from licgate.train.search.modelshape import shape_of

MIXED = Widths(
    default=LayerBits(activation=9, weight=7, gdn=11, gamma=6),
    layers={"g_a.0": LayerBits(activation=5, weight=6, gdn=8, gamma=8), "g_a.4": LayerBits(activation=9, weight=8)},
    latent=13,
)


def tiny(**config):
    return build_model(ModelConfig(**{"n": 6, "m": 6, **config})).eval()


def only(layer, bits):
    return Widths(default=LayerBits(activation=2), layers={layer: LayerBits(activation=bits)}, latent=4)


@pytest.mark.parametrize("part", ["g_a", "g_s"])
def test_equal_channels_weigh_as_in_the_paper(part):
    shape = shape_of(tiny())
    order = ["g_a.0", "g_a.2", "g_a.4"] if part == "g_a" else ["g_s.4", "g_s.2", "g_s.0"]
    none = Widths(default=LayerBits(activation=2), latent=4)
    base = equivalent_width(shape, none, part)
    shares = [equivalent_width(shape, only(name, 3), part) - base for name in order]
    shares.append(equivalent_width(shape, Widths(default=LayerBits(activation=2), latent=5), part) - base)
    assert shares == pytest.approx([8 / 15, 4 / 15, 2 / 15, 1 / 15])


def test_uniform_widths_are_their_own_mean_and_whole_maps_weigh_by_area():
    shape = shape_of(tiny(m=9))
    uniform = Widths(default=LayerBits(activation=8), latent=8)
    for footprint in ("line", "map"):
        assert equivalent_width(shape, uniform, footprint=footprint) == pytest.approx(8)
    wide = Widths(default=LayerBits(activation=8), layers={"g_a.0": LayerBits(activation=9)}, latent=8)
    areas = [6 * 64, 6 * 16, 6 * 4, 9]
    assert equivalent_width(shape, wide, "g_a", footprint="map") - 8 == pytest.approx(areas[0] / sum(areas))
    with pytest.raises(TrainingError, match="footprint"):
        equivalent_width(shape, uniform, footprint="volume")
    with pytest.raises(TrainingError, match="choose all"):
        equivalent_width(shape, uniform, "entropy")


def test_bit_operations_by_hand():
    shape = shape_of(tiny(gdn="none"), height=64, width=64)
    products = {p.name: p for p in shape.products(MIXED)}
    assert products["g_a.0"].bit_operations == products["g_a.0"].macs * 8 * 6
    assert products["g_a.2"].bit_operations == products["g_a.2"].macs * 5 * 7
    assert products["h_a.0"].activation == 13
    # one output, whose window of 5x5 holds the 2x2 pixels that there are
    assert products["h_a.4"].macs == 6 * 6 * 2 * 2
    assert bit_operations(shape, MIXED) == sum(p.bit_operations for p in products.values())
    gdn = {p.name: p for p in shape_of(tiny()).products(MIXED)}["g_a.1"]
    assert (gdn.activation, gdn.weight, gdn.operands) == (7, 8, (8, 9))
    root = {p.name: p for p in shape_of(tiny(gdn="square_root")).products(MIXED)}["g_a.1"]
    assert root.activation == 14


@pytest.mark.parametrize("gdn", ["abs", "square_root"])
def test_memories_are_those_of_the_compiler(make_model, squares, gdn):
    model = make_model(gdn=gdn)
    manifest = quantize_model(
        model, {}, squares, name="tiny", widths=MIXED, clip="none", crops=2, quiet=True, rounding="nearest"
    )
    device = find_board("zcu102")
    config = AcceleratorConfig(rows=device.rows, cols=device.cols, max_width=device.max_width)
    program = compile_program(manifest.g_a, config)
    cost = BoardCost(shape_of(model, height=100, width=150), device)
    made = cost.memories(MIXED)
    assert made["lines"] == [(m.bits, m.signed, m.depth) for m in program.line_memories]
    assert made["weights"] == [(m.bits, m.signed, m.depth) for m in program.weight_memories]
    counted = cost.cost(MIXED)
    assert counted["multipliers"] == program.multiplier_cells
    assert counted["operands"] == [program.activation_width, program.weight_width]
    assert counted["cycles"] == predict(manifest, config, 150, 100).cycles


def test_the_default_model_takes_the_memories_that_place_and_route_counted():
    channels = find_model("hyperprior-n36m96-l0067-a10w8").g_a.layers
    assert [layer.out_channels for layer in channels if layer.kind == "conv2d"] == [36, 36, 36, 96]
    cost = BoardCost(shape_of(tiny(n=36, m=96)), find_board("ulx3s-85f")).cost(Widths())
    assert (cost["block_rams"], cost["multipliers"], cost["cycles"]) == (168, 105, 16_180_677)


def test_lanes_leave_the_multipliers_to_the_array():
    for rows, expected in ((12, 156), (13, 156), (14, 168)):
        device = replace(find_board("ulx3s-85f"), rows=rows)
        assert BoardCost(shape_of(tiny(n=36, m=96)), device).cost(Widths())["multipliers"] == expected


def test_packing_follows_the_multiplier():
    shape = shape_of(tiny())
    packs = {}
    for board in ("ulx3s-85f", "zcu102"):
        layers = BoardCost(shape, find_board(board)).cost(Widths())["layers"]
        packs[board] = {layer["name"]: layer["would_pack"] for layer in layers}
    assert packs["zcu102"]["g_a.2"]  # 10 + 2 * 8 = 26
    assert not packs["ulx3s-85f"]["g_a.2"]
    assert not packs["zcu102"]["g_a.1"]  # 12 + 2 * 9 = 30, both unsigned
    device = find_board("ulx3s-85f")
    assert [device.multiplier_cells(*pair) for pair in ((18, 18), (19, 18), (8, 19), (35, 35))] == [1, 2, 2, 4]
    assert find_board("zcu102").multiplier_cells(18, 27) == 1


def test_all_boards_are_costed_by_default():
    shape = replace(shape_of(tiny(n=36, m=96)), width=96, height=64)
    costs = [BoardCost(shape, board).cost(Widths()) for board in list_boards()]
    assert {"ulx3s-85f", "zcu102"} <= {cost["board"] for cost in costs}
    # on smaller devices it does not fit, which the cost says
    largest = [cost for cost in costs if cost["block_rams_available"] >= 208]
    assert len(largest) >= 3
    assert all(0 < cost["block_rams"] <= cost["block_rams_available"] for cost in largest)


def test_widths_go_through_json(tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps({**widths_to_json(MIXED), "trials": []}))
    assert widths_from_json(path) == MIXED
    assert widths_from_json(widths_to_json(Widths())) == Widths()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "form"),
        ('{"layers": {}}', "form"),
        ('{"default": {"activation": 99}}', "99"),
        ('{"default": {"colour": 9}}', "form"),
        ('{"default": {}, "layers": {"x.0": {}}}', "x.0"),
        ('{"default": {}, "layers": [1]}', "form"),
        (None, "cannot be read"),
    ],
)
def test_bad_widths_files_are_one_line(tmp_path, text, message):
    path = tmp_path / "w.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TrainingError, match=message) as caught:
        widths_from_json(path)
    assert "\n" not in str(caught.value)
