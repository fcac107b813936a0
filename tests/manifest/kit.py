"""Models on disk, whole and edited, for the tests of loading."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from licgate.errors import ManifestError
from licgate.manifest import CdfTables, IntType, Manifest, Transform, load_manifest
from licgate.manifest.document import manifest_digest
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest


def whole_model():
    """Return a manifest with all four transforms and both kinds of entropy tables."""
    g_a = synthetic_manifest(channels=(3, 4, 5), gdn="square_root").g_a
    z = IntType(8)
    h_a = Transform(name="h_a", in_channels=5, input=g_a.output, input_scale=g_a.output_scale, absolute_input=True,
                    layers=[synthetic_conv2d("h_a.0", in_channels=5, out_channels=3, output_type=z,
                                             input_type=IntType(g_a.output.bits, signed=False))])
    h_s = Transform(name="h_s", in_channels=3, input=z, input_scale=1.0, layers=[synthetic_conv2d(
        "h_s.0", in_channels=3, out_channels=5, transposed=True, output_padding=1, input_type=z,
        output_type=IntType(6, signed=False), relu=True)])
    first = synthetic_conv2d("g_s.0", in_channels=5, out_channels=4, transposed=True, output_padding=1, input_type=z,
                             output_type=IntType(12))
    second = synthetic_gdn("g_s.1", channels=4, form="square_root", inverse=True, input_type=IntType(12),
                           output_type=z)
    g_s = Transform(name="g_s", in_channels=5, input=z, input_scale=1.0, layers=[first, second])
    entropy = {
        "factorized": CdfTables(precision=16, offset=np.array([-1, 0, -3]),
                                cdf=[np.array([0, 9, 1 << 16]), np.array([0, 1 << 16]), np.array([0, 5, 7, 1 << 16])]),
        "gaussian": CdfTables(precision=24, offset=np.array([-1, -2]), scales=(0.11, 2.5),
                              cdf=[np.array([0, 1, 1 << 24]), np.array([0, 1, 500, 1 << 24])]),
    }
    return Manifest(name="whole", architecture="bmshj2018-hyperprior", entropy=entropy, latent_fraction_bits=1,
                    transforms={"g_a": g_a, "h_a": h_a, "h_s": h_s, "g_s": g_s},
                    provenance={"lambda": 0.013, "seed": 1}, measured={"kodak": [0.25, 31.5], "note": None})


def contents(folder):
    doc = json.loads((folder / "manifest.json").read_text())
    return doc, safetensors.numpy.load((folder / "weights.safetensors").read_bytes())


def rewrite(folder, doc, arrays=None, rehash=True):
    """Write an edited model; with `rehash`, as a forger would: with hashes that fit."""
    if arrays is not None:
        (folder / "weights.safetensors").write_bytes(safetensors.numpy.save(arrays))
    if rehash:
        weights = (folder / "weights.safetensors").read_bytes()
        doc["hashes"]["weights"] = hashlib.sha256(weights).hexdigest()
        doc["hashes"]["manifest"] = manifest_digest(doc)
    (folder / "manifest.json").write_text(json.dumps(doc))


def refused(folder):
    """Return the one line with which loading refuses."""
    with pytest.raises(ManifestError) as caught:
        load_manifest(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text


def parsed(content):
    """Return the JSON value of `content`, or the error it makes."""
    try:
        return json.loads(content)
    except ValueError as error:
        return error


def put(doc, path, value):
    """Set, or with `value` Ellipsis delete, the field at a path like ``a.b[2].c``."""
    keys = [int(k) if k.isdecimal() else k for k in path.replace("[", ".").replace("]", "").split(".")]
    for key in keys[:-1]:
        doc = doc[key]
    if value is ...:
        del doc[keys[-1]]
    else:
        doc[keys[-1]] = value
