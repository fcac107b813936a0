"""What must hold between the transforms that say how latents are coded."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from licgate.errors import ManifestError
from licgate.manifest.architectures import Architecture
from licgate.manifest.transform import Transform

__all__ = ["check_latents", "masked_taps"]


def masked_taps(order: str, kernel: int) -> npt.NDArray[np.bool_]:
    """Return which taps of a context convolution must be zero: booleans of shape (kernel, kernel).

    Parameters
    ----------
    order : str
        ``raster``: all but those before the centre, row by row; ``checkerboard``: those at an even distance from it.
    kernel : int
        Odd.
    """
    rows, columns = np.indices((kernel, kernel))
    masked: npt.NDArray[np.bool_] = (rows + columns) % 2 == 0
    if order == "raster":
        masked = rows * kernel + columns >= kernel * kernel // 2
    return masked


def check_latents(kind: Architecture, transforms: Mapping[str, Transform], scale: float) -> None:
    """Check that the transforms there are fit an architecture.

    Parameters
    ----------
    kind : Architecture
    transforms : dict of str to Transform
    scale : float
        Of the latents.

    Raises
    ------
    ManifestError
        With the name of the transform in question.
    """
    for name in ("context", "parameters"):
        if (name in transforms) and not kind.context:
            raise ManifestError(f"{kind.name} has none; name the architecture it belongs to", name)
    if "h_s" not in transforms:
        return
    for name in kind.parts[3:-1]:
        if name not in transforms:
            raise ManifestError(f"missing; {kind.name} needs it", name)
    latents = transforms["g_a"]
    if kind.context:
        _check_context(kind, transforms, latents, scale)
        _check_parameters(transforms)
    source = transforms[kind.source]
    wanted = latents.out_channels * (2 if kind.means else 1)
    if source.out_channels != wanted:
        raise ManifestError(f"{source.out_channels} channels come out, but {kind.name} needs {wanted}", kind.source)
    if kind.means:
        if not source.output.signed or source.output.bits < 7:
            raise ManifestError(
                f"means and the levels 0..63 do not fit {source.output}; give a signed type of 7 bits or more",
                f"{kind.source}.output",
            )
        if source.output_scale != scale:
            raise ManifestError(
                f"{source.output_scale} is not the scale {scale} of the latents", f"{kind.source}.output_scale"
            )
        if "g_s" in transforms:
            _check_reads_latents("g_s", transforms["g_s"], latents, scale)


def _check_reads_latents(name: str, transform: Transform, latents: Transform, scale: float) -> None:
    if transform.in_channels != latents.out_channels:
        raise ManifestError(
            f"{transform.in_channels} channels for {latents.out_channels} of latents", f"{name}.in_channels"
        )
    if transform.input != latents.output or transform.absolute_input:
        raise ManifestError(f"{transform.input} is not the type {latents.output} of the latents", f"{name}.input")
    if transform.input_scale != scale:
        raise ManifestError(f"{transform.input_scale} is not the scale {scale} of the latents", f"{name}.input_scale")


def _check_context(kind: Architecture, transforms: Mapping[str, Transform], latents: Transform, scale: float) -> None:
    context = transforms["context"]
    _check_reads_latents("context", context, latents, scale)
    layer = context.layers[0]
    if len(context.layers) != 1 or layer.kind != "conv2d":
        raise ManifestError("is not one convolution", "context.layers")
    fits = layer.stride == 1 and not layer.transposed and layer.kernel in (3, 5, 7)
    if not fits or layer.padding != layer.kernel // 2:
        raise ManifestError(
            f"kernel {layer.kernel}, stride {layer.stride}, padding {layer.padding} is not a plain "
            "convolution of kernel 3, 5 or 7, stride 1, padding kernel // 2",
            "context.layers[0]",
        )
    if layer.weight[:, :, masked_taps(kind.context, layer.kernel)].any():
        raise ManifestError(
            f"holds a weight that reads latents not coded yet in {kind.context} order", "context.layers[0].weight"
        )


def _check_parameters(transforms: Mapping[str, Transform]) -> None:
    features, context, parameters = (transforms[name] for name in ("h_s", "context", "parameters"))
    channels = features.out_channels + context.out_channels
    if parameters.in_channels != channels:
        raise ManifestError(
            f"{parameters.in_channels} channels follow {features.out_channels} of h_s and "
            f"{context.out_channels} of context",
            "parameters.in_channels",
        )
    for name, before in (("h_s", features), ("context", context)):
        if parameters.absolute_input or before.output != parameters.input:
            raise ManifestError(f"{parameters.input} follows {before.output} of {name}", "parameters.input")
        if before.output_scale != parameters.input_scale:
            raise ManifestError(
                f"{parameters.input_scale} follows {before.output_scale} of {name}", "parameters.input_scale"
            )
    for index, layer in enumerate(parameters.layers):
        if layer.kind != "conv2d" or layer.transposed or (layer.kernel, layer.stride, layer.padding) != (1, 1, 0):
            raise ManifestError(f"{layer.name} is not a convolution of kernel 1", f"parameters.layers[{index}]")
