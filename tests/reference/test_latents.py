"""Coding of latents against the numerics page in plain Python, and the decoder against the encoder."""

from dataclasses import replace

import numpy as np
import pytest

from licgate.errors import ConfigError, ManifestError
from licgate.manifest import load_manifest, save_manifest
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.document import document
from licgate.manifest.numeric import requantize
from licgate.manifest.types import Requantize, prove_convolution
from licgate.reference import code_latents, decode_latents, run_transform
from tests.reference import slow
from tests.reference.codecs import FRACTION, LATENT, M, codec


def image_of(height, width, seed=1):
    return np.random.default_rng(seed).integers(LATENT.min, LATENT.max + 1, (M, height, width))


def slow_code(manifest, y):
    """Follow the page symbol by symbol; every convolution at one position is a sum over its taps."""
    kind, (_, height, width) = manifest.kind, y.shape
    z = run_transform(manifest.h_a, y)
    features = run_transform(manifest.h_s, z).tolist()
    thresholds = manifest.entropy["gaussian"].thresholds
    symbols, levels, means = ([[[0] * width for _ in range(height)] for _ in range(M)] for _ in range(3))
    decoded = [[[0] * width for _ in range(height)] for _ in range(M)]

    def context(row, column):
        layer = manifest.context.layers[0]
        reach, out = layer.kernel // 2, []
        for c in range(layer.out_channels):
            total = int(layer.bias[c])
            for i in range(M):
                for ky in range(layer.kernel):
                    for kx in range(layer.kernel):
                        r, k = row + ky - reach, column + kx - reach
                        if 0 <= r < height and 0 <= k < width:
                            total += int(layer.weight[c, i, ky, kx]) * decoded[i][r][k]
            out.append(slow.requantize(total, layer, c, int(layer.requantize.shift[c])))
        return out

    def put(row, column, known):
        q = [plane[row][column] for plane in features]
        if kind.context:
            q = q + (context(row, column) if known else [0] * 5)
            for layer in manifest.parameters.layers:
                q = slow.conv2d(layer, [[[v]] for v in q])
                q = [plane[0][0] for plane in q]
        for c in range(M):
            level = min(max(q[c], 0), 63) if thresholds is None else sum(int(t) <= q[c] for t in thresholds)
            mean = q[M + c] if kind.means else 0
            symbol = slow.rsr(int(y[c, row, column]) - mean, FRACTION)
            y_hat = min(max((symbol << FRACTION) + mean, LATENT.min), LATENT.max) if kind.means else symbol
            for store, value in ((symbols, symbol), (levels, level), (means, mean), (decoded, y_hat)):
                store[c][row][column] = value

    places = [(r, c) for r in range(height) for c in range(width)]
    if kind.context == "checkerboard":
        for odd in (0, 1):
            snapshot = [p for p in places if sum(p) % 2 == odd]
            for row, column in snapshot:
                put(row, column, bool(odd))
    else:
        for row, column in places:
            put(row, column, True)
    return symbols, levels, means, decoded


@pytest.mark.parametrize("size", [(1, 1), (4, 5), (2, 1), (6, 3)])
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_coding_follows_the_page_symbol_by_symbol(architecture, size):
    manifest, y = codec(architecture), image_of(*size)
    found = code_latents(manifest, y)
    for have, want in zip(found, slow_code(manifest, y)):
        np.testing.assert_array_equal(have, want)
    _, levels, means, y_hat = found
    if size == (4, 5):
        assert len(np.unique(levels)) > 5
        assert (len(np.unique(means)) > 5) == manifest.kind.means
        # what is decoded lies half a step about the latents, but where the type ends
        scale = 1 << FRACTION
        inside = np.abs(y) < LATENT.max - scale
        error = (y_hat if manifest.kind.means else y_hat * scale) - y
        assert np.abs(error[inside]).max() <= scale // 2


@pytest.mark.parametrize("size", [(1, 1), (4, 5), (7, 2)])
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_decoder_that_sees_only_symbols_gets_the_same(architecture, size):
    manifest, y = codec(architecture, seed=3), image_of(*size)
    coded = code_latents(manifest, y)
    symbols = coded[0]
    rows, columns = np.indices(size)
    order = {
        "": [np.ones(size, bool)],
        "checkerboard": [m for m in ((rows + columns) % 2 == 0, (rows + columns) % 2 == 1) if m.any()],
        "raster": [(rows == r) & (columns == c) for r in range(size[0]) for c in range(size[1])],
    }[manifest.kind.context]
    stream = iter(np.concatenate([symbols[:, mask].ravel() for mask in order]).tolist())
    shapes = []

    def take(levels, means):
        shapes.append(levels.shape)
        return np.array([next(stream) for _ in range(levels.size)]).reshape(levels.shape)

    decoded = decode_latents(manifest, run_transform(manifest.h_a, y), take)
    for have, want in zip(decoded, coded):
        np.testing.assert_array_equal(have, want)
    assert next(stream, None) is None
    assert shapes == [(M, int(mask.sum())) for mask in order]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_another_engine_runs_the_transforms(architecture):
    manifest, y = codec(architecture), image_of(4, 5)
    ran = []

    def run(transform, x):
        ran.append(transform.name)
        # the narrowest type: no sum may overflow it
        return run_transform(transform, x, dtype=None)

    for have, want in zip(code_latents(manifest, y, run=run), code_latents(manifest, y), strict=True):
        np.testing.assert_array_equal(have, want)
    names = {"h_a", "h_s"} | ({"parameters"} if manifest.kind.context else set())
    names |= {"context"} if manifest.kind.context == "checkerboard" else set()
    assert set(ran) == names
    ran.clear()
    decode_latents(manifest, run_transform(manifest.h_a, y), lambda levels, means: np.zeros_like(levels), run=run)
    assert set(ran) == names - {"h_a"}


def test_thresholds_choose_the_table(tmp_path):
    thresholds = np.sort(np.random.default_rng(0).integers(0, 200, 63))
    manifest, y = codec("mbt2018-mean", thresholds=thresholds), image_of(3, 4)
    save_manifest(manifest, tmp_path / "codec")
    manifest = load_manifest(tmp_path / "codec")
    levels = code_latents(manifest, y)[1]
    np.testing.assert_array_equal(levels, slow_code(manifest, y)[1])
    assert (levels != code_latents(codec("mbt2018-mean"), y)[1]).any()
    with pytest.raises(ManifestError, match="thresholds: decrease"):
        codec("mbt2018-mean", thresholds=thresholds[::-1])


def test_leak_goes_between_product_and_clip():
    plain = {"pre_shift": 0, "multiplier": [1], "shift": [0], "offset": [0], "clip": (-100, 100)}
    x = np.array([[-1000, -301, -50, -1, 0, 7, 1000]])
    # 655 / 65536 of -1000 is -9.99, of -50 just above -1/2, which rounds up to 0
    np.testing.assert_array_equal(requantize(x, Requantize(**plain, leak=655)), [[-10, -3, 0, 0, 0, 7, 100]])
    np.testing.assert_array_equal(requantize(x, Requantize(**plain)), [[-100, -100, -50, -1, 0, 7, 100]])


def test_fields_that_came_later_are_absent_where_they_say_nothing():
    doc = document(codec("mbt2018"), "0")
    assert "thresholds" not in doc["entropy"]["gaussian"]
    assert "leak" not in doc["transforms"]["context"]["layers"][0]["requantize"]
    assert doc["transforms"]["parameters"]["layers"][0]["requantize"]["leak"] == 655


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("parameters"), r"^transforms\.parameters: missing; mbt2018 needs it"),
        (
            lambda t: t.update(context=unmasked(t["context"])),
            r"^transforms\.context\.layers\[0\]\.weight: holds a weight",
        ),
        (
            lambda t: t.update(context=replace(t["context"], input_scale=1.0)),
            r"^transforms\.context\.input_scale: 1\.0",
        ),
        (
            lambda t: t.update(parameters=replace(t["parameters"], input_scale=1.0)),
            r"^transforms\.parameters\.input_scale",
        ),
    ],
)
def test_transforms_that_do_not_fit_are_one_line(change, message):
    manifest = codec("mbt2018")
    transforms = dict(manifest.transforms)
    change(transforms)
    with pytest.raises(ManifestError, match=message):
        replace(manifest, transforms=transforms)


def unmasked(context):
    layer = context.layers[0]
    weight = layer.weight.copy()
    weight[0, 0, 2, 2] = 1
    layer = replace(layer, weight=weight, accumulator=prove_convolution(weight, layer.bias, layer.input))
    return replace(context, layers=[layer])


def test_other_architectures_refuse_what_they_have_no_use_for():
    with pytest.raises(ManifestError, match=r"^transforms\.context: mbt2018-mean has none"):
        replace(codec("mbt2018"), architecture="mbt2018-mean")
    with pytest.raises(ManifestError, match=r"^transforms\.h_s: 3 channels come out, but mbt2018-mean needs 6"):
        replace(codec("bmshj2018-hyperprior"), architecture="mbt2018-mean")


def test_latents_that_do_not_fit_the_hyper_latents_are_one_line():
    manifest = codec("mbt2018")
    with pytest.raises(ConfigError, match="pad the image"):
        code_latents(manifest, image_of(4, 4), z=np.zeros((2, 3, 4), dtype=np.int64))
    transforms = {"g_a": manifest.g_a}
    with pytest.raises(ConfigError, match="has no h_a"):
        code_latents(replace(manifest, transforms=transforms), image_of(4, 4))
