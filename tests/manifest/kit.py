"""Models on disk, whole and edited, for the tests of loading."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from licgate.errors import ManifestError
from licgate.manifest import CdfTables, IntType, Manifest, Transform, load_manifest, sealed
from licgate.manifest.document import manifest_digest
from licgate.manifest.synthetic import GDN_FORMS, spread, synthetic_conv2d, synthetic_gdn, synthetic_manifest


def chain(name, channels, *layers, bits=8, weight_bits=8, gdn_bits=10, absolute=False, unsigned=False, seed=0):
    """Return a random transform of layers (kernel, stride, channels, what follows).

    A stride of -2 is a transposed convolution that doubles the size. What follows is "relu", the form of a GDN
    (an inverse one behind a transposed convolution) or nothing. ``bits`` are those of the input and of every layer's
    (or its GDN's) output, ``unsigned`` speaks of the input.
    """
    bits, weight_bits = spread(bits, len(layers) + 1, "bits"), spread(weight_bits, len(layers), "weight_bits")
    first = IntType(bits[0], signed=not unsigned)
    kind, made, inputs = IntType(bits[0], signed=not (absolute or unsigned)), [], channels
    for index, (kernel, stride, outputs, *follows) in enumerate(layers):
        follows, transposed = "".join(follows), stride < 0
        made.append(
            synthetic_conv2d(
                f"{name}.{len(made)}",
                in_channels=inputs,
                out_channels=outputs,
                kernel=kernel,
                stride=abs(stride),
                padding=(kernel - 1) // 2 if transposed else kernel // 2,
                transposed=transposed,
                output_padding=kernel % 2 if transposed else 0,
                input_type=kind,
                weight_bits=weight_bits[index],
                output_type=IntType(gdn_bits if follows in GDN_FORMS else bits[index + 1], signed=follows != "relu"),
                relu=follows == "relu",
                seed=(seed, len(made)),
            )
        )
        if follows in GDN_FORMS:
            made.append(
                synthetic_gdn(
                    f"{name}.{len(made)}",
                    channels=outputs,
                    form=follows,
                    inverse=transposed,
                    input_type=made[-1].output,
                    output_type=IntType(bits[index + 1]),
                    seed=(seed, len(made)),
                )
            )
        kind, inputs = made[-1].output, outputs
    return Transform(
        name=name, in_channels=channels, input=first, input_scale=1.0, layers=made, absolute_input=absolute
    )


def four_transforms(*, gdn="abs", kernel=5, up=None, weight_bits=8, seed=0):
    """Return a manifest without entropy tables: strides of 4 and 4, layers of every kind that the array runs.

    ``gdn`` is the form of all GDN, or "relu"; ``kernel`` that of all convolutions with a stride, ``up`` that of the
    transposed ones where it differs.
    """
    more = {"weight_bits": weight_bits, "seed": seed}
    down, up = (kernel, 2), (up or kernel, -2)
    made = [
        chain("g_a", 3, (*down, 4, gdn), (*down, 5), bits=(8, 8, 7), unsigned=True, **more),
        chain("h_a", 5, (3, 1, 4, "relu"), (*down, 3, "relu"), (*down, 2), bits=(7, 8, 9, 6), absolute=True, **more),
        chain("h_s", 2, (*up, 3, "relu"), (*up, 4, "relu"), (3, 1, 5), bits=(6, 8, 9, 7), **more),
        chain("g_s", 5, (*up, 4, gdn), (*up, 3, "relu"), bits=(7, 9, 8), **more),
    ]
    return sealed(
        Manifest(
            name="four",
            architecture="synthetic",
            latent_fraction_bits=0,
            transforms={transform.name: transform for transform in made},
        )
    )


def whole_model():
    """Return a manifest with all four transforms and both kinds of entropy tables."""
    g_a = synthetic_manifest(channels=(3, 4, 5), gdn="square_root").g_a
    z = IntType(8)
    h_a = Transform(
        name="h_a",
        in_channels=5,
        input=g_a.output,
        input_scale=g_a.output_scale,
        absolute_input=True,
        layers=[
            synthetic_conv2d(
                "h_a.0", in_channels=5, out_channels=3, output_type=z, input_type=IntType(g_a.output.bits, signed=False)
            )
        ],
    )
    h_s = Transform(
        name="h_s",
        in_channels=3,
        input=z,
        input_scale=1.0,
        layers=[
            synthetic_conv2d(
                "h_s.0",
                in_channels=3,
                out_channels=5,
                transposed=True,
                output_padding=1,
                input_type=z,
                output_type=IntType(6, signed=False),
                relu=True,
            )
        ],
    )
    first = synthetic_conv2d(
        "g_s.0", in_channels=5, out_channels=4, transposed=True, output_padding=1, input_type=z, output_type=IntType(12)
    )
    second = synthetic_gdn("g_s.1", channels=4, form="square_root", inverse=True, input_type=IntType(12), output_type=z)
    g_s = Transform(name="g_s", in_channels=5, input=z, input_scale=1.0, layers=[first, second])
    entropy = {
        "factorized": CdfTables(
            precision=16,
            offset=np.array([-1, 0, -3]),
            cdf=[np.array([0, 9, 1 << 16]), np.array([0, 1 << 16]), np.array([0, 5, 7, 1 << 16])],
        ),
        "gaussian": CdfTables(
            precision=24,
            offset=np.array([-1, -2]),
            scales=(0.11, 2.5),
            cdf=[np.array([0, 1, 1 << 24]), np.array([0, 1, 500, 1 << 24])],
        ),
    }
    return Manifest(
        name="whole",
        architecture="bmshj2018-hyperprior",
        entropy=entropy,
        latent_fraction_bits=1,
        transforms={"g_a": g_a, "h_a": h_a, "h_s": h_s, "g_s": g_s},
        provenance={"lambda": 0.013, "seed": 1},
        measured={"kodak": [0.25, 31.5], "note": None},
    )


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
