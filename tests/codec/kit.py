"""Tiny models of every architecture with the strides of real ones, and files of them to damage."""

import zlib
from dataclasses import replace

import numpy as np

from licgate.codec.codec import pad_image
from licgate.codec.container import CRC, HEAD
from licgate.manifest import CdfTables, IntType, Manifest, Transform, sealed
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.latents import masked_taps
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_manifest
from licgate.manifest.types import prove_convolution
from licgate.reference import code_latents, image_to_input, run_transform

M, Z, FRACTION, LATENT = 5, 3, 3, IntType(9)
SCALE = 2.0**-FRACTION
BYTE, PLAIN = IntType(8, signed=False), {"kernel": 1, "stride": 1, "padding": 0}


def chain(name, channels, kinds, *, scale=1.0, up=False, source=None, absolute=False, relu=False, seed=0):
    """Return a transform of convolutions that halve (or double) the size."""
    layers = []
    for index, (before, after, kind) in enumerate(zip(channels, channels[1:], kinds[1:])):
        last = index == len(channels) - 2
        given = IntType(kinds[0].bits, signed=not absolute) if index == 0 else kinds[index]
        layers.append(
            synthetic_conv2d(
                f"{name}.{index}",
                in_channels=before,
                out_channels=after,
                transposed=up,
                output_padding=int(up),
                input_type=given,
                output_type=kind,
                seed=seed,
                relu=not kind.signed or (relu and last),
                output_scale=scale if last else 1.0,
            )
        )
    return Transform(
        name=name,
        in_channels=channels[0],
        input=kinds[0],
        input_scale=source or 1.0,
        absolute_input=absolute,
        layers=layers,
    )


def tables(reach, count, *, seed=0, **more):
    """Return tables with a peak in the middle, wider from one to the next."""
    cdf = []
    for index in range(count):
        shares = np.exp(-np.abs(np.arange(-reach, reach + 1)) / (0.15 * 1.07**index))
        whole = np.floor(shares / shares.sum() * ((1 << 18) - 2 * reach - 1)).astype(np.int64) + 1
        whole[reach] += (1 << 18) - whole.sum()
        cdf.append(np.concatenate([[0], np.cumsum(whole)]))
    return CdfTables(precision=18, offset=np.full(count, -reach), cdf=cdf, **more)


def model(architecture="bmshj2018-hyperprior", *, reach=40, z_reach=31, seed=0):
    """Return a random codec; few entries a table (`reach`) make many escapes."""
    kind, joint, wide, z = ARCHITECTURES[architecture], IntType(8), IntType(9), IntType(6)
    g_a = synthetic_manifest(
        channels=(3, 4, 4, 4, M), activation_bits=[8, 8, 8, 9], gdn="none", seed=seed, latent_fraction_bits=FRACTION
    ).g_a
    h_a = chain("h_a", (M, 4, Z), (LATENT, joint, z), source=SCALE, absolute=kind.absolute, seed=seed)
    last = joint if kind.context else wide if kind.means else IntType(6, signed=False)
    features = 4 if kind.context else 2 * M if kind.means else M
    h_s = chain("h_s", (Z, 4, features), (z, joint, last), up=True, scale=0.5 if kind.context else SCALE, seed=seed)
    symbols, scale = (LATENT, SCALE) if kind.means else (IntType(8), 1.0)
    g_s = chain("g_s", (M, 4, 4, 4, 3), (symbols, joint, joint, joint, BYTE), up=True, source=scale, seed=seed)
    transforms = {"g_a": g_a, "h_a": h_a, "h_s": h_s, "g_s": g_s}
    if kind.context:
        layer = synthetic_conv2d(
            "context.0",
            in_channels=M,
            out_channels=5,
            stride=1,
            input_type=LATENT,
            output_type=joint,
            output_scale=0.5,
            seed=seed,
        )
        weight = layer.weight.copy()
        weight[:, :, masked_taps(kind.context, layer.kernel)] = 0
        layer = replace(layer, weight=weight, accumulator=prove_convolution(weight, layer.bias, layer.input))
        transforms["context"] = Transform(
            name="context", in_channels=M, input=LATENT, input_scale=SCALE, layers=[layer]
        )
        layer = synthetic_conv2d(
            "parameters.0",
            in_channels=9,
            out_channels=2 * M,
            input_type=joint,
            output_type=wide,
            output_scale=SCALE,
            seed=seed,
            **PLAIN,
        )
        transforms["parameters"] = Transform(
            name="parameters", in_channels=9, input=joint, input_scale=0.5, layers=[layer]
        )
    entropy = {"factorized": tables(z_reach, Z), "gaussian": tables(reach, 64, scales=tuple(range(1, 65)))}
    return sealed(
        Manifest(
            name=f"tiny-{architecture}",
            architecture=architecture,
            transforms=transforms,
            entropy=entropy,
            latent_fraction_bits=FRACTION,
        )
    )


def picture(height, width, seed=0):
    """Return smooth colours with some grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 50
    shade = np.stack([np.sin(x + y), np.cos(2 * x - y), np.sin(y * x)], axis=2) * 90 + 128
    return np.clip(shade + random.normal(0, 12, shade.shape), 0, 255).astype(np.uint8)


def decoded_directly(manifest, image):
    """Return what the transforms alone make of an image: no entropy coder, no container."""
    y_hat = code_latents(manifest, run_transform(manifest.g_a, image_to_input(pad_image(image))))[3]
    height, width = image.shape[:2]
    return run_transform(manifest.g_s, y_hat)[:, :height, :width].transpose(1, 2, 0)


def forged(data, **fields):
    """Return a file with other header fields, and CRCs that fit as a forger would make them."""
    names = ("magic", "version", "flags", "mode", "units", "width", "height", "manifest", "tables", "body")
    values = dict(zip(names, HEAD.unpack_from(data)))
    body = data[HEAD.size + CRC.size :]
    values.update({"body": zlib.crc32(body), **fields})
    head = HEAD.pack(*values.values())
    return head + CRC.pack(zlib.crc32(head)) + body
