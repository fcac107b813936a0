"""Loading refuses: every bad field is one line with its path and value."""

import numpy as np
import pytest

from licgate.manifest import load_manifest, save_manifest
from licgate.manifest.synthetic import synthetic_manifest
from tests.manifest.kit import contents, parsed, put, refused, rewrite, whole_model


@pytest.fixture
def saved(tmp_path):
    """Return (folder, document, arrays) of a small saved model."""
    save_manifest(synthetic_manifest(channels=(3, 4, 5)), tmp_path / "m")
    return (tmp_path / "m", *contents(tmp_path / "m"))


G = "transforms.g_a"

FIELDS = [
    ("schema", 2, "schema: 2 is not 1"),
    ("schema", "1", "schema: '1' is not an integer"),
    ("schema", ..., "schema: missing"),
    ("extra", 1, "extra: unknown key"),
    ("name", "", "name: '' is not a non-empty text"),
    ("name", "a/b", "name: 'a/b' is not fit for a folder"),
    ("name", "a\nb", "name: 'a\\nb' is not a non-empty text of one line"),
    ("architecture", None, "architecture: None is not"),
    ("latent_fraction_bits", 13, "latent_fraction_bits: 13 is outside 0..12"),
    ("latent_fraction_bits", 3, "latent_fraction_bits: the last scale of g_a is 0.5, but 3 fraction bits make 0.125"),
    ("provenance", [], "provenance: [] is not an object"),
    ("measured", 5, "measured: 5 is not an object"),
    ("entropy", [], "entropy: [] is not an object"),
    ("entropy", {"huffman": {}}, "entropy.huffman: unknown key"),
    ("hashes.weights", "abc", "hashes.weights: 'abc' is not a SHA-256"),
    ("hashes.manifest", ..., "hashes.manifest: missing"),
    ("hashes.tables", "0" * 64, "hashes.tables: 000"),
    ("transforms", [], "transforms: [] is not an object"),
    ("transforms", {}, "transforms.g_a: missing"),
    ("transforms.g_x", {}, "transforms.g_x: unknown key"),
    (f"{G}", 7, f"{G}: 7 is not an object"),
    (f"{G}.in_channels", 4, f"{G}.layers[0].in_channels: 3 channels follow 4"),
    (f"{G}.in_channels", 0, f"{G}.in_channels: 0 is outside 1..4096"),
    (f"{G}.input", {"bits": 8}, f"{G}.input.signed: missing"),
    (f"{G}.input.bits", 9, f"{G}.layers[0].input: uint8 follows uint9"),
    (f"{G}.input_scale", 0, f"{G}.input_scale: 0 is not a finite number above 0"),
    (f"{G}.input_scale", "1", f"{G}.input_scale: '1' is not a number"),
    (f"{G}.absolute_input", 1, f"{G}.absolute_input: 1 is not true or false"),
    (f"{G}.layers", {}, f"{G}.layers: {{}} is not a list"),
    (f"{G}.layers[0]", 3, f"{G}.layers[0]: 3 is not an object"),
    (f"{G}.layers[0].kind", "leaky_relu", f"{G}.layers[0].kind: 'leaky_relu' is not conv2d or gdn"),
    (f"{G}.layers[0].kind", ..., f"{G}.layers[0].kind: missing"),
    (f"{G}.layers[0].dilation", 1, f"{G}.layers[0].dilation: unknown key"),
    (f"{G}.layers[0].name", "g_a.x", f"{G}.layers[0]"),
    (f"{G}.layers[0].stride", ..., f"{G}.layers[0].stride: missing"),
    (f"{G}.layers[0].stride", 0, f"{G}.layers[0].stride: 0 is outside 1..8"),
    (f"{G}.layers[0].kernel", True, f"{G}.layers[0].kernel: True is not an integer"),
    (f"{G}.layers[0].kernel", 3, f"{G}.layers[0].weight: has shape (4, 3, 5, 5), expected (4, 3, 3, 3)"),
    (f"{G}.layers[0].kernel", 5.0, f"{G}.layers[0].kernel: 5.0 is not an integer"),
    (f"{G}.layers[0].padding", 5, f"{G}.layers[0].padding: 5 is outside 0..4"),
    (f"{G}.layers[0].output_padding", 1, f"{G}.layers[0].output_padding: 1 is outside 0..0"),
    (f"{G}.layers[0].transposed", None, f"{G}.layers[0].transposed: None is not true or false"),
    (f"{G}.layers[0].weight.bits", 17, f"{G}.layers[0].weight.bits: 17 is outside 2..16"),
    (f"{G}.layers[0].weight.bits", 2, f"{G}.layers[0].weight["),
    (f"{G}.layers[0].weight.signed", False, f"{G}.layers[0].weight.signed: weights are signed"),
    (f"{G}.layers[0].input.bits", 1, f"{G}.layers[0].input.bits: 1 is outside 2..16"),
    (f"{G}.layers[0].accumulator.bound", 5, f"{G}.layers[0].accumulator.bound: stored 5, but the weights prove"),
    (f"{G}.layers[0].accumulator.bits", 20, f"{G}.layers[0].accumulator.bits: stored 20, but the weights prove"),
    (f"{G}.layers[0].accumulator.bits", 49, f"{G}.layers[0].accumulator.bits: 49 is outside 1..48"),
    (f"{G}.layers[0].requantize.pre_shift", 32, f"{G}.layers[0].requantize.pre_shift: 32 is outside 0..31"),
    (f"{G}.layers[0].requantize.clip", [0], f"{G}.layers[0].requantize.clip: is not a pair"),
    (f"{G}.layers[0].requantize.clip", [5, 4], f"{G}.layers[0].requantize.clip: low 5 is above high 4"),
    (f"{G}.layers[0].requantize.clip[1]", 512, f"{G}.layers[0].requantize.clip: [-512, 512] leaves the output type"),
    (f"{G}.layers[0].requantize.clip[0]", 0.5, f"{G}.layers[0].requantize.clip[0]: 0.5 is not an integer"),
    (f"{G}.layers[0].output_scale", -1, f"{G}.layers[0].output_scale: -1 is not a finite number above 0"),
    (f"{G}.layers[0].output.bits", 11, f"{G}.layers[1].input: int10 follows int11"),
    (f"{G}.layers[1].channels", 5, f"{G}.layers[1].gamma: has shape (4, 4), expected (5, 5)"),
    (f"{G}.layers[1].root", 0, f"{G}.layers[1].root: 0 is not true or false"),
    (f"{G}.layers[1].root", True, f"{G}.layers[1].table.value: holds 32 entries, expected 64"),
    (f"{G}.layers[1].norm.bits", 18, f"{G}.layers[1].norm.bits: 18 is outside 1..17"),
    (f"{G}.layers[1].norm.bits", 8, f"{G}.layers[1].accumulator.bound: stored"),
    (f"{G}.layers[1].norm.shift", -1, f"{G}.layers[1].norm.shift: -1 is outside 0..31"),
    (f"{G}.layers[1].norm.x", 0, f"{G}.layers[1].norm.x: unknown key"),
    (f"{G}.layers[1].gamma.signed", True, f"{G}.layers[1].gamma.signed: gamma is never negative"),
    (f"{G}.layers[1].gamma.bits", 4, f"{G}.layers[1].gamma["),
    (f"{G}.layers[1].table.index_bits", 4, f"{G}.layers[1].table.value: holds 32 entries, expected 16"),
    (f"{G}.layers[1].table.fraction_bits", 18, f"{G}.layers[1].table.fraction_bits: 18 is outside 0..17"),
    (f"{G}.layers[1].input.bits", 9, f"{G}.layers[1].input: int9 follows int10"),
]


@pytest.mark.parametrize(("path", "value", "message"), FIELDS)
def test_a_bad_field_is_one_line(saved, path, value, message):
    folder, doc, _ = saved
    put(doc, path, value)
    rewritten = path.startswith("hashes")
    rewrite(folder, doc, rehash=not rewritten)
    assert refused(folder).startswith(f"manifest.json: {message}")


def nan_weights(arrays):
    weight = arrays["g_a.0.weight"].astype(np.float32)
    weight[0, 0, 0, 0] = np.nan
    return {**arrays, "g_a.0.weight": weight}


def edited(name, index, value, kind=np.int64):
    def edit(arrays):
        array = arrays[name].astype(kind)
        array[index] = value
        return {**arrays, name: array}

    return edit


def shifted(arrays):
    shift = arrays["g_a.1.shift"].astype(np.int64)
    return {**arrays, "g_a.1.shift": np.full_like(shift, 63)}


TENSORS = [
    (nan_weights, f"{G}.layers[0].weight: holds NaN or infinity, not integers"),
    (lambda a: {**a, "g_a.0.weight": a["g_a.0.weight"].astype(np.float64)}, f"{G}.layers[0].weight: holds float64"),
    (lambda a: {**a, "g_a.0.weight": a["g_a.0.weight"] > 0}, f"{G}.layers[0].weight: holds bool"),
    (lambda a: {k: v for k, v in a.items() if k != "g_a.2.bias"}, f"{G}.layers[2]: tensor g_a.2.bias is missing"),
    (lambda a: {**a, "g_a.9.weight": a["g_a.0.weight"]}, "tensor g_a.9.weight of weights.safetensors belongs to no"),
    (lambda a: {**a, "g_a.0.bias": a["g_a.0.bias"][:3]}, f"{G}.layers[0].bias: has shape (3,), expected (4,)"),
    (lambda a: {**a, "g_a.0.shift": a["g_a.0.shift"][:3]}, f"{G}.layers[0].requantize.shift: has shape (3,)"),
    (edited("g_a.0.weight", (1, 2, 3, 4), -128), f"{G}.layers[0].weight[1, 2, 3, 4]: -128 is outside -127..127"),
    (edited("g_a.0.weight", 1, 127), f"{G}.layers[0].accumulator.bound: stored"),
    (edited("g_a.0.bias", 0, 1 << 47), f"{G}.layers[0].accumulator.bits: 49 is outside 1..48"),
    (lambda a: {**a, "g_a.0.bias": np.full(4, 1 << 63, np.uint64)}, f"{G}.layers[0].bias: holds 9223372036854775808, "),
    (edited("g_a.0.multiplier", 2, 1 << 17), f"{G}.layers[0].requantize.multiplier[2]: 131072 is outside 0..131071"),
    (edited("g_a.0.shift", 1, 64), f"{G}.layers[0].requantize.shift[1]: 64 is outside 0..63"),
    (edited("g_a.0.offset", 0, 1), f"{G}.layers[0].requantize.offset[0]: 1 is outside 0..0"),
    (edited("g_a.1.offset", 0, 1 << 17), f"{G}.layers[1].requantize.offset[0]: 131072 is outside"),
    (edited("g_a.1.gamma", (3, 1), -1), f"{G}.layers[1].gamma[3, 1]: -1 is outside 0..255"),
    (edited("g_a.1.beta", 2, 0), f"{G}.layers[1].beta[2]: 0 is outside 1.."),
    (shifted, f"{G}.layers[1].requantize.shift[0]: 63 is outside 0.."),
    (edited("g_a.1.table_value", 7, -1), f"{G}.layers[1].table.value[7]: -1 is outside 0..131071"),
    (edited("g_a.1.table_slope", 31, -60000), f"{G}.layers[1].table.slope[31]: r comes to"),
    (lambda a: {**a, "g_a.1.table_slope": a["g_a.1.table_slope"][:31]}, f"{G}.layers[1].table.slope: has shape (31,)"),
]


@pytest.mark.parametrize(("edit", "message"), TENSORS)
def test_a_bad_tensor_is_one_line(saved, edit, message):
    folder, doc, arrays = saved
    rewrite(folder, doc, edit(arrays))
    assert refused(folder).startswith(f"manifest.json: {message}")


def test_edited_weights_that_are_valid_fail_by_their_hash(saved):
    folder, doc, arrays = saved
    # the proof stands: it is the largest channel's, and signs do not matter to it
    arrays["g_a.0.weight"] = -arrays["g_a.0.weight"]
    rewrite(folder, doc, arrays, rehash=False)
    assert refused(folder).startswith(f"manifest.json: hashes.weights: {doc['hashes']['weights']} is stored, but")


def test_an_edited_document_fails_by_its_hash(saved):
    folder, doc, _ = saved
    doc["measured"] = {"psnr": 99}
    rewrite(folder, doc, rehash=False)
    assert refused(folder).startswith("manifest.json: hashes.manifest: ")


def test_edited_tables_fail_by_their_hash(tmp_path):
    save_manifest(whole_model(), tmp_path)
    doc, arrays = contents(tmp_path)
    arrays["entropy.gaussian.cdf"][1] = 2
    rewrite(tmp_path, doc, arrays)
    assert refused(tmp_path).startswith("manifest.json: hashes.tables: ")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("entropy.gaussian.precision", 15, "entropy.gaussian.precision: 15 is outside 16..24"),
        ("entropy.gaussian.precision", 23, "entropy.gaussian.cdf[0][2]: 16777216 is not 1 << 23 = 8388608"),
        ("entropy.gaussian.count", 3, "entropy.gaussian.length: has shape (2,), expected (3,)"),
        ("entropy.gaussian.scales", None, "entropy.gaussian.scales: scales belong to gaussian"),
        ("entropy.gaussian.scales", [2, 1], "entropy.gaussian.scales: do not increase"),
        ("entropy.gaussian.scales", [1], "entropy.gaussian.scales: is not a list of 2 numbers"),
        ("entropy.gaussian.scales", [1, "x"], "entropy.gaussian.scales[1]: 'x' is not a number"),
        ("entropy.factorized.scales", [1, 2, 3], "entropy.factorized.scales: scales belong to gaussian"),
        ("entropy.factorized", ..., "tensor entropy.factorized.cdf of weights.safetensors belongs to no"),
        ("transforms.h_a.absolute_input", False, "transforms.h_a.layers[0].input: uint8 follows int8"),
        ("transforms.h_a.input.bits", 9, "transforms.h_a.layers[0].input: uint8 follows uint9"),
        ("transforms.g_s.layers[0].output_padding", 2, "transforms.g_s.layers[0].output_padding: 2 is outside 0..1"),
    ],
)
def test_a_bad_field_of_the_whole_model(tmp_path, path, value, message):
    save_manifest(whole_model(), tmp_path)
    doc, _ = contents(tmp_path)
    put(doc, path, value)
    rewrite(tmp_path, doc)
    assert refused(tmp_path).startswith(f"manifest.json: {message}")


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("cdf", 0, 1, "cdf[0][0]: 1 is not 0"),
        ("cdf", 5, 1, "cdf[1][2]: 1 follows 1; a CDF increases strictly"),
        ("cdf", 2, 7, "cdf[0][2]: 7 is not 1 << 24"),
        ("length", 0, 4, "length: sums to 8 for 7 numbers"),
        ("offset", 1, 40000, "offset[1]: 40000 is outside"),
    ],
)
def test_a_bad_table(tmp_path, name, index, value, message):
    save_manifest(whole_model(), tmp_path)
    doc, arrays = contents(tmp_path)
    rewrite(tmp_path, doc, edited(f"entropy.gaussian.{name}", index, value)(arrays))
    assert refused(tmp_path).startswith(f"manifest.json: entropy.gaussian.{message}")


def test_the_shift_of_an_inverse_gdn_must_reach_its_largest_exponent(tmp_path):
    save_manifest(whole_model(), tmp_path)
    doc, arrays = contents(tmp_path)
    gdn = doc["transforms"]["g_s"]["layers"][1]
    largest = (gdn["accumulator"]["bits"] - 1) >> 1
    rewrite(tmp_path, doc, edited("g_s.1.shift", 2, largest - 1)(arrays))
    where = "manifest.json: transforms.g_s.layers[1].requantize.shift[2]"
    assert refused(tmp_path) == f"{where}: {largest - 1} is outside {largest}..63"
    rewrite(tmp_path, doc, edited("g_s.1.shift", 2, largest)(arrays))
    assert load_manifest(tmp_path).g_s.layers[1].requantize.shift[2] == largest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"null",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_document_that_is_no_manifest(saved, content):
    folder, _, _ = saved
    (folder / "manifest.json").write_bytes(content)
    text = refused(folder)
    assert text.startswith("manifest.json: ")
    assert len(text) < 200


def test_a_truncated_document_says_where(saved):
    folder, _, _ = saved
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:700])
    assert refused(folder).startswith("manifest.json: not JSON (line ")


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"PK\x03\x04" + bytes(100)])
def test_weights_that_are_no_safetensors(saved, content):
    folder, _, _ = saved
    (folder / "weights.safetensors").write_bytes(content)
    assert refused(folder).startswith("weights.safetensors: not a safetensors file of integers: ")


def test_truncated_weights(saved):
    folder, _, _ = saved
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert refused(folder).startswith("weights.safetensors: not a safetensors file of integers: ")


def test_missing_and_odd_files(saved):
    folder, _, _ = saved
    weights = folder / "weights.safetensors"
    weights.unlink()
    assert refused(folder) == f"weights.safetensors: no such file in {folder}"
    weights.mkdir()
    assert refused(folder) == f"weights.safetensors: is not a file in {folder}"
    (folder / "manifest.json").unlink()
    assert refused(folder) == f"manifest.json: no such file in {folder}"
    assert refused(folder / "manifest.json").startswith("manifest.json: no such file")


def test_a_file_too_large_is_not_read(saved, monkeypatch):
    folder, _, _ = saved
    monkeypatch.setattr("licgate.manifest.store.JSON_BYTES", 100)
    assert "more than 100" in refused(folder)


def test_a_random_edit_never_makes_a_traceback(saved, random):
    """Flip bytes anywhere in either file: the load is refused in one line."""
    folder, _, _ = saved
    for name in ("manifest.json", "weights.safetensors"):
        path = folder / name
        good = path.read_bytes()
        for _ in range(150):
            bad = bytearray(good)
            bad[random.integers(len(bad))] ^= 1 << int(random.integers(8))
            path.write_bytes(bad)
            # white space is not part of the canonical document, so a flip there may change nothing
            if name == "manifest.json" and parsed(bad) == parsed(good):
                load_manifest(folder)
            else:
                refused(folder)
        path.write_bytes(good)
