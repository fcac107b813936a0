"""Random, valid manifests of any depth and width, for tests of everything that reads one."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest.layers import Conv2d, Gdn, Layer
from licgate.manifest.model import Manifest
from licgate.manifest.scaling import make_requantize
from licgate.manifest.store import sealed
from licgate.manifest.tables import gdn_table
from licgate.manifest.transform import Transform
from licgate.manifest.types import IntType, prove_convolution, prove_gdn

__all__ = ["GDN_FORMS", "synthetic_conv2d", "synthetic_gdn", "synthetic_manifest"]

GDN_FORMS = {"abs": (False, False), "square_root": (True, True), "abs_root": (True, False), "square": (False, True)}

T = TypeVar("T", int, str)

# one for all layers, or one for each
Each: TypeAlias = T | list[T] | tuple[T, ...]

# of numpy's generators
Seed: TypeAlias = int | Sequence[int]

# the clip lies at this many standard deviations: hit now and then, far from everywhere
SPAN = 2.5


def spread(value: Each[T], count: int, name: str) -> list[T]:
    """Return `value` as a list of `count`, repeating a single one."""
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ConfigError(f"{name} has {len(values)} entries; give one, or {count}")
    return values


def synthetic_conv2d(
    name: str,
    *,
    in_channels: int,
    out_channels: int,
    kernel: int = 5,
    stride: int = 2,
    padding: int | None = None,
    transposed: bool = False,
    output_padding: int = 0,
    input_type: IntType,
    weight_bits: int = 8,
    output_type: IntType,
    relu: bool = False,
    output_scale: float = 1.0,
    seed: Seed = 0,
) -> Conv2d:
    """Return a random convolution whose output spans its type; see `synthetic_manifest`."""
    random = np.random.default_rng(seed)
    weight_type = IntType(weight_bits)
    shape = (in_channels, out_channels) if transposed else (out_channels, in_channels)
    drawn = random.normal(0, weight_type.max / 3 + 0.3, (*shape, kernel, kernel))
    weight = np.clip(np.rint(drawn), -weight_type.max, weight_type.max).astype(np.int64)
    axes = (0, 2, 3) if transposed else (1, 2, 3)
    # unsigned activations are taken as half a bell, signed ones as a whole one
    mean, deviation = (0, input_type.max / SPAN) if input_type.signed else (input_type.max / 2, input_type.max / 4)
    total = weight.sum(axis=axes)
    # neighbours in a picture are alike, so the sum of the weights counts beside the sum of their squares
    sigma = np.sqrt((weight**2).sum(axis=axes) + 0.25 * total**2 + 1) * deviation
    if transposed:
        sigma, total = sigma / stride, total / stride**2
    bias = np.rint(-mean * total + random.normal(0, 0.2, out_channels) * sigma).astype(np.int64)
    accumulator = prove_convolution(weight, bias, input_type, transposed=transposed)
    clip = (0 if relu else output_type.min, output_type.max)
    requantize = make_requantize(output_type.max / SPAN / sigma, bound=accumulator.bound, clip=clip)
    return Conv2d(
        name=name,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel=kernel,
        stride=stride,
        padding=kernel // 2 if padding is None else padding,
        transposed=transposed,
        output_padding=output_padding,
        input=input_type,
        weight_type=weight_type,
        weight=weight,
        bias=bias,
        accumulator=accumulator,
        requantize=requantize,
        output=output_type,
        output_scale=output_scale,
    )


def synthetic_gdn(
    name: str,
    *,
    channels: int,
    form: str = "abs",
    inverse: bool = False,
    input_type: IntType,
    output_type: IntType,
    gamma_bits: int = 8,
    index_bits: int = 5,
    fraction_bits: int = 10,
    output_scale: float = 1.0,
    seed: Seed = 0,
) -> Gdn:
    """Return a random GDN with a dense, non-symmetric gamma whose output spans its type; `form` is of `GDN_FORMS`."""
    if form not in GDN_FORMS:
        raise ConfigError(f"unknown GDN form {form!r}; there are {', '.join(GDN_FORMS)} and none")
    root, square = GDN_FORMS[form]
    random = np.random.default_rng(seed)
    magnitude_bits = input_type.bits - input_type.signed
    whole = 2 * magnitude_bits if square else magnitude_bits
    norm_bits = min(whole, 16)
    if not root and not inverse:
        # a larger sum would ask for a factor that the 17-bit multiplier cannot hold without a negative shift
        room = 35 - output_type.bits - gamma_bits - channels.bit_length()
        norm_bits = max(min(norm_bits, room), 1)
    norm_shift = whole - norm_bits
    gamma_type = IntType(gamma_bits, signed=False)
    gamma = np.rint(gamma_type.max * random.random((channels, channels)) ** 3).astype(np.int64)
    deviation = input_type.max / SPAN
    norm = deviation**2 / 2**norm_shift if square else 0.8 * deviation / 2**norm_shift
    beta = np.rint((0.2 + random.random(channels)) * (gamma.sum(axis=1) * norm + 1)).astype(np.int64) + 1
    accumulator = prove_gdn(gamma, beta, norm_bits)
    typical = beta + gamma.sum(axis=1) * norm
    typical = np.sqrt(typical) if root else typical
    gain = deviation * typical if inverse else deviation / typical
    factor = output_type.max / SPAN / gain / 2**16
    offset = np.rint(random.normal(0, 0.05, channels) * output_type.max).astype(np.int64)
    bound = input_type.magnitude << (17 if inverse else 16)
    requantize = make_requantize(
        factor, bound=bound - 1, clip=(output_type.min, output_type.max), offset=offset, early=False
    )
    table = gdn_table(root=root, inverse=inverse, index_bits=index_bits, fraction_bits=fraction_bits)
    return Gdn(
        name=name,
        channels=channels,
        root=root,
        square=square,
        inverse=inverse,
        input=input_type,
        norm_shift=norm_shift,
        norm_bits=norm_bits,
        gamma_type=gamma_type,
        gamma=gamma,
        beta=beta,
        accumulator=accumulator,
        table=table,
        requantize=requantize,
        output=output_type,
        output_scale=output_scale,
    )


def synthetic_manifest(
    *,
    channels: Sequence[int] = (3, 5, 7),
    activation_bits: Each[int] = 8,
    weight_bits: Each[int] = 8,
    gdn_bits: Each[int] = 10,
    gdn: Each[str] = "abs",
    inverse: bool = False,
    seed: int = 0,
    kernel: Each[int] = 5,
    stride: Each[int] = 2,
    latent_fraction_bits: int | None = None,
) -> Manifest:
    """Return a random valid manifest that holds only g_a.

    Parameters
    ----------
    channels : sequence of int
        Channels of the image, then of every convolution's output: ``len(channels) - 1`` convolutions.
    activation_bits : int or sequence
        Of what each convolution hands on: GDN's output (or ReLU's), for the last one the latents.
    weight_bits, kernel, stride : int or sequence
        One per convolution; the padding is ``kernel // 2``.
    gdn_bits : int or sequence
        One per GDN: bits of its input.
    gdn : str or sequence of str
        One per GDN: a name of `GDN_FORMS`, or ``none`` for ReLU.
    inverse : bool
    seed : int
    latent_fraction_bits : int, optional

    Returns
    -------
    Manifest
        With an 8-bit unsigned input. Activations reach the clip now and then for pictures and for noise.
    """
    count = len(channels) - 1
    if count < 1:
        raise ConfigError(f"channels has {len(channels)} entries; give the image's and at least one layer's")
    activation_bits = spread(activation_bits, count, "activation_bits")
    weight_bits = spread(weight_bits, count, "weight_bits")
    kernel, stride = spread(kernel, count, "kernel"), spread(stride, count, "stride")
    gdn_bits, gdn = spread(gdn_bits, count - 1, "gdn_bits"), spread(gdn, count - 1, "gdn")
    if latent_fraction_bits is None:
        latent_fraction_bits = max(activation_bits[-1] - 7, 0)
    layers: list[Layer] = []
    kind = IntType(8, signed=False)
    for index in range(count):
        last, relu = index == count - 1, index < count - 1 and gdn[index] == "none"
        wide = last or relu
        output = IntType(activation_bits[index] if wide else gdn_bits[index], signed=not relu)
        layers.append(
            synthetic_conv2d(
                f"g_a.{2 * index}",
                in_channels=channels[index],
                out_channels=channels[index + 1],
                kernel=kernel[index],
                stride=stride[index],
                input_type=kind,
                weight_bits=weight_bits[index],
                output_type=output,
                relu=relu,
                output_scale=2.0**-latent_fraction_bits if last else 1.0,
                seed=(seed, 2 * index),
            )
        )
        kind = output
        if not wide:
            kind = IntType(activation_bits[index])
            layers.append(
                synthetic_gdn(
                    f"g_a.{2 * index + 1}",
                    channels=channels[index + 1],
                    form=gdn[index],
                    inverse=inverse,
                    input_type=output,
                    output_type=kind,
                    seed=(seed, 2 * index + 1),
                )
            )
    return _only_g_a(channels[0], layers, latent_fraction_bits, seed)


def _only_g_a(in_channels: int, layers: Sequence[Layer], latent_fraction_bits: int, seed: int) -> Manifest:
    pixel = IntType(8, signed=False)
    g_a = Transform(name="g_a", in_channels=in_channels, input=pixel, input_scale=1 / 255, layers=tuple(layers))
    return sealed(
        Manifest(
            name=f"synthetic-{seed}",
            architecture="synthetic",
            transforms={"g_a": g_a},
            latent_fraction_bits=latent_fraction_bits,
            provenance={"seed": seed},
        )
    )
