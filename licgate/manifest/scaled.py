"""A made-up model: the layers and widths of another one, with other channels and random weights."""

from collections.abc import Callable

from licgate.errors import ConfigError
from licgate.manifest.layers import Layer
from licgate.manifest.model import Manifest
from licgate.manifest.store import sealed
from licgate.manifest.synthetic import GDN_FORMS, synthetic_conv2d, synthetic_gdn
from licgate.manifest.transform import Transform

__all__ = ["scaled_manifest"]

LARGEST = 512


def scaled_manifest(template: Manifest, inner: int, latents: int) -> Manifest:
    """Return a manifest of a template's layers with N = ``inner`` and M = ``latents`` channels.

    Its figures are those of a model trained with these channels: cycles are the same, block RAMs all but those few
    that depend on the range of weights and accumulators.

    Parameters
    ----------
    template : Manifest
    inner, latents : int
        1 to 512.

    Raises
    ------
    ConfigError
        The template has other channels than 3, N and M (or whole multiples of M), or a number is out of range.
    """
    for name, value in (("N", inner), ("M", latents)):
        if not 1 <= value <= LARGEST:
            raise ConfigError(f"{name} is {value}: give channels from 1 to {LARGEST}")
    first, last = template.g_a.layers[0].out_channels, template.g_a.out_channels
    image = template.g_a.in_channels

    def mapped(channels: int) -> int:
        if channels == image:
            return image
        if channels == first:
            return inner
        if channels % last == 0:
            return channels // last * latents
        raise ConfigError(
            f"model {template.name} has a layer of {channels} channels beside {first} and {last}: take another model "
            "to scale"
        )

    made = {name: _scaled(transform, mapped) for name, transform in template.transforms.items()}
    return sealed(
        Manifest(
            name=f"made-up-n{inner}m{latents}",
            architecture="synthetic",
            transforms=made,
            latent_fraction_bits=template.latent_fraction_bits,
        )
    )


def _scaled(transform: Transform, mapped: Callable[[int], int]) -> Transform:
    forms = {flags: form for form, flags in GDN_FORMS.items()}
    layers: list[Layer] = []
    made: Layer
    kind = transform.layers[0].input
    for index, layer in enumerate(transform.layers):
        if layer.kind == "gdn":
            made = synthetic_gdn(
                layer.name,
                channels=mapped(layer.channels),
                form=forms[layer.root, layer.square],
                inverse=layer.inverse,
                input_type=kind,
                output_type=layer.output,
                gamma_bits=layer.gamma_type.bits,
                index_bits=layer.table.index_bits,
                fraction_bits=layer.table.fraction_bits,
                output_scale=layer.output_scale,
                seed=index,
            )
        else:
            made = synthetic_conv2d(
                layer.name,
                in_channels=mapped(layer.in_channels),
                out_channels=mapped(layer.out_channels),
                kernel=layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                transposed=layer.transposed,
                output_padding=layer.output_padding,
                input_type=kind,
                weight_bits=layer.weight_type.bits,
                output_type=layer.output,
                relu=not layer.output.signed,
                output_scale=layer.output_scale,
                seed=index,
            )
        layers.append(made)
        kind = made.output
    return Transform(
        name=transform.name,
        in_channels=mapped(transform.in_channels),
        input=transform.input,
        input_scale=transform.input_scale,
        layers=tuple(layers),
        absolute_input=transform.absolute_input,
    )
