"""Small codecs of every architecture."""

from dataclasses import replace

import numpy as np

from licgate.manifest import CdfTables, IntType, Manifest, Transform
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.latents import masked_taps
from licgate.manifest.synthetic import synthetic_conv2d
from licgate.manifest.types import prove_convolution

M, LATENT, FRACTION = 3, IntType(9), 3
SCALE = 2.0**-FRACTION


def masked(layer, order):
    weight = layer.weight.copy()
    weight[:, :, masked_taps(order, layer.kernel)] = 0
    return replace(layer, weight=weight, accumulator=prove_convolution(weight, layer.bias, layer.input))


def codec(architecture, *, thresholds=None, seed=0):
    """Return a random codec whose hyper synthesis keeps the size, so that small latents do."""
    kind = ARCHITECTURES[architecture]
    z, joint, wide = IntType(6), IntType(8), IntType(9)
    common = {"kernel": 3, "stride": 1, "padding": 1}
    g_a = Transform(
        name="g_a",
        in_channels=3,
        input=IntType(8, signed=False),
        input_scale=1 / 255,
        layers=[
            synthetic_conv2d(
                "g_a.0",
                in_channels=3,
                out_channels=M,
                input_type=IntType(8, signed=False),
                output_type=LATENT,
                output_scale=SCALE,
                seed=seed,
            )
        ],
    )
    source = IntType(LATENT.bits, signed=not kind.absolute)
    h_a = Transform(
        name="h_a",
        in_channels=M,
        input=LATENT,
        input_scale=SCALE,
        absolute_input=kind.absolute,
        layers=[
            synthetic_conv2d(
                "h_a.0", in_channels=M, out_channels=2, input_type=source, output_type=z, seed=seed, **common
            )
        ],
    )
    last = joint if kind.context else wide if kind.means else IntType(6, signed=False)
    features = 4 if kind.context else 2 * M if kind.means else M
    h_s = Transform(
        name="h_s",
        in_channels=2,
        input=z,
        input_scale=1.0,
        layers=[
            synthetic_conv2d(
                "h_s.0",
                in_channels=2,
                out_channels=features,
                input_type=z,
                output_type=last,
                seed=seed,
                relu=not last.signed,
                output_scale=0.5 if kind.context else SCALE,
                **common,
            )
        ],
    )
    transforms = {"g_a": g_a, "h_a": h_a, "h_s": h_s}
    if kind.context:
        layer = synthetic_conv2d(
            "context.0",
            in_channels=M,
            out_channels=5,
            kernel=5,
            stride=1,
            input_type=LATENT,
            output_type=joint,
            output_scale=0.5,
            seed=seed,
        )
        transforms["context"] = Transform(
            name="context", in_channels=M, input=LATENT, input_scale=SCALE, layers=[masked(layer, kind.context)]
        )
        one = {"kernel": 1, "stride": 1, "padding": 0}
        first = synthetic_conv2d(
            "parameters.0", in_channels=9, out_channels=7, input_type=joint, output_type=joint, seed=seed, **one
        )
        first = replace(first, requantize=replace(first.requantize, leak=655))
        second = synthetic_conv2d(
            "parameters.2",
            in_channels=7,
            out_channels=2 * M,
            input_type=joint,
            output_type=wide,
            output_scale=SCALE,
            seed=seed,
            **one,
        )
        transforms["parameters"] = Transform(
            name="parameters", in_channels=9, input=joint, input_scale=0.5, layers=[first, second]
        )
    cdf = np.array([0, 5, 1 << 16])
    gaussian = CdfTables(
        precision=16,
        offset=np.zeros(64, dtype=int),
        cdf=[cdf] * 64,
        thresholds=thresholds,
        scales=tuple(1.0 + i for i in range(64)),
    )
    return Manifest(
        name="codec",
        architecture=architecture,
        transforms=transforms,
        latent_fraction_bits=FRACTION,
        entropy={"gaussian": gaussian},
    )
