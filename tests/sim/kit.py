"""A codec whose transforms are small enough for Amaranth's simulator."""

from dataclasses import replace

from licgate.manifest import IntType, Manifest, Transform, sealed
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.latents import masked_taps
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_manifest
from licgate.manifest.types import prove_convolution
from tests.codec.kit import BYTE, FRACTION, LATENT, SCALE, M, Z, chain, tables

__all__ = ["tiny_codec"]


def tiny_codec(architecture="bmshj2018-hyperprior", *, leak=0):
    """Return a codec with stride 4 from pixels to latents and 2 from those to hyper latents."""
    kind, joint, z = ARCHITECTURES[architecture], IntType(8), IntType(6)
    g_a = synthetic_manifest(
        channels=(3, 4, M),
        gdn="abs",
        gdn_bits=10,
        activation_bits=[8, LATENT.bits],
        latent_fraction_bits=FRACTION,
        seed=1,
    ).g_a
    h_a = chain("h_a", (M, Z), (LATENT, z), source=SCALE, absolute=kind.absolute, seed=2)
    last = joint if kind.context else IntType(6, signed=False)
    features = 4 if kind.context else M
    h_s = chain("h_s", (Z, 4), (z, joint), up=True, seed=3)
    keep = synthetic_conv2d(
        "h_s.1",
        in_channels=4,
        out_channels=features,
        kernel=3,
        stride=1,
        input_type=joint,
        output_type=last,
        relu=not last.signed,
        output_scale=0.5 if kind.context else SCALE,
    )
    h_s = replace(h_s, layers=(*h_s.layers, keep))
    symbols, scale = (LATENT, SCALE) if kind.means else (IntType(8), 1.0)
    g_s = chain("g_s", (M, 4, 3), (symbols, joint, BYTE), up=True, source=scale, seed=4)
    transforms = {"g_a": g_a, "h_a": h_a, "h_s": h_s, "g_s": g_s}
    if kind.context:
        transforms |= _context(kind, joint, leak)
    entropy = {"factorized": tables(31, Z), "gaussian": tables(40, 64, scales=tuple(range(1, 65)))}
    return sealed(
        Manifest(
            name=f"tiny-{architecture}",
            architecture=architecture,
            transforms=transforms,
            entropy=entropy,
            latent_fraction_bits=FRACTION,
        )
    )


def _context(kind, joint, leak):
    layer = synthetic_conv2d(
        "context.0",
        in_channels=M,
        out_channels=5,
        kernel=3,
        stride=1,
        input_type=LATENT,
        output_type=joint,
        output_scale=0.5,
        seed=5,
    )
    weight = layer.weight.copy()
    weight[:, :, masked_taps(kind.context, layer.kernel)] = 0
    layer = replace(layer, weight=weight, accumulator=prove_convolution(weight, layer.bias, layer.input))
    context = Transform(name="context", in_channels=M, input=LATENT, input_scale=SCALE, layers=[layer])
    layer = synthetic_conv2d(
        "parameters.0",
        in_channels=9,
        out_channels=2 * M,
        kernel=1,
        stride=1,
        padding=0,
        input_type=joint,
        output_type=IntType(9),
        output_scale=SCALE,
        seed=6,
    )
    if leak:
        layer = replace(layer, requantize=replace(layer.requantize, leak=leak))
    parameters = Transform(name="parameters", in_channels=9, input=joint, input_scale=0.5, layers=[layer])
    return {"context": context, "parameters": parameters}
