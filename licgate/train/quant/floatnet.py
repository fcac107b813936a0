"""A trained model as plain float64 arrays, in the shape in which it is quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from licgate.train.network.context import MaskedConv2d
from licgate.train.network.entropy import SCALE_MIN, SCALE_STEP
from licgate.train.network.layers import GDN
from licgate.train.network.models import Codec


@dataclass(frozen=True, kw_only=True)
class FloatConv:
    """A convolution: ``weight`` as torch stores it, ``relu`` when a ReLU follows.

    ``rounded`` has its integers and the step of each output channel, once they are chosen. ``leak`` is the slope below
    zero where a LeakyReLU follows, else 0. ``absolute`` layers read ``|x|``. ``mask`` (K, K) is False at taps whose
    weights must stay zero. ``linear`` layers end in σ instead of scale levels. ``step`` (O,) is the
    finest grid that the weights of each output channel may take.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray
    stride: int
    padding: int
    output_padding: int
    transposed: bool
    relu: bool
    rounded: tuple[np.ndarray, np.ndarray] | None = None
    leak: float = 0.0
    absolute: bool = False
    mask: np.ndarray | None = None
    linear: bool = False
    step: np.ndarray | None = None

    @property
    def output_axis(self) -> int:
        """Axis of the weight that counts output channels."""
        return 1 if self.transposed else 0

    def scaled(
        self, *, outputs: np.ndarray | float = 1.0, inputs: np.ndarray | None = None, shift: np.ndarray | float = 0.0
    ) -> FloatConv:
        """Multiply the output channels by ``outputs``, then add ``shift``; multiply input channels by ``inputs``.

        Both are for layers whose integers are not chosen yet.
        """
        shape = [1, 1, 1, 1]
        shape[self.output_axis] = -1
        weight = self.weight * np.broadcast_to(outputs, self.bias.shape).reshape(shape)
        if inputs is not None:
            shape = [1, 1, 1, 1]
            shape[1 - self.output_axis] = -1
            weight = weight * inputs.reshape(shape)
        return replace(self, weight=weight, bias=self.bias * outputs + shift)


@dataclass(frozen=True, kw_only=True)
class FloatGdn:
    """A GDN by the arrays of its formula: β (C,), γ (C, C) as [out, in], a ≥ 0 (C,) and b (C,)."""

    name: str
    root: bool
    inverse: bool
    beta: np.ndarray
    gamma: np.ndarray
    a: np.ndarray
    b: np.ndarray


def _convolution(name: str, module: nn.Module, follower: nn.Module | None) -> FloatConv:
    def array(x):
        return x.detach().cpu().double().numpy()

    transposed = isinstance(module, nn.ConvTranspose2d)
    masked = isinstance(module, MaskedConv2d)
    bias = array(module.bias) if module.bias is not None else np.zeros(module.out_channels)
    return FloatConv(
        name=name,
        weight=array(module.effective if masked else module.weight),
        bias=bias,
        stride=module.stride[0],
        padding=module.padding[0],
        output_padding=module.output_padding[0],
        transposed=transposed,
        relu=isinstance(follower, nn.ReLU),
        leak=follower.negative_slope if isinstance(follower, nn.LeakyReLU) else 0.0,
        mask=array(module.mask) > 0 if masked else None,
    )


def _normalisation(name: str, module: GDN) -> FloatGdn:
    beta, gamma, a, b = (x.detach().cpu().double().numpy() for x in module.effective())
    return FloatGdn(
        name=name,
        root=module.form == "square_root",
        inverse=module.inverse,
        beta=beta,
        gamma=np.maximum(gamma, 0.0),
        a=a,
        b=b,
    )


def float_layers(model: Codec) -> dict[str, list[FloatConv | FloatGdn]]:
    """Take a model apart into the layers of its transforms, by the names that these have in a manifest.

    The entropy parameters are rescaled to hold scale levels (0..63) instead of log σ (σ itself stays), and ``g_s`` to
    end in 8-bit pixel values; negative factors of the slimmable affine move into the convolution behind, because a
    manifest's multipliers are not negative.
    """
    config, kind = model.config, model.config.kind
    net: dict[str, list[FloatConv | FloatGdn]] = {}
    for part in kind.parts:
        whole = model.part(part)
        modules = list(whole.named_children()) or [("0", whole)]
        layers: list[FloatConv | FloatGdn] = []
        signs = None
        for position, (index, module) in enumerate(modules):
            name = f"{part}.{index}"
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                follower = modules[position + 1][1] if position + 1 < len(modules) else None
                layer = _convolution(name, module, follower)
                layers.append(layer if signs is None else layer.scaled(inputs=signs))
                signs = None
            elif isinstance(module, GDN):
                layer = _normalisation(name, module)
                signs = np.where(layer.a < 0, -1.0, 1.0)
                layers.append(replace(layer, a=layer.a * signs, b=layer.b * signs))
        net[part] = layers
    net["h_a"][0] = replace(net["h_a"][0], absolute=kind.absolute)
    last = net[kind.source][-1]
    if config.scale == "linear":
        net[kind.source][-1] = replace(last, linear=True)
    else:
        scales = np.arange(len(last.bias)) < net["g_a"][-1].weight.shape[0]
        net[kind.source][-1] = last.scaled(
            outputs=np.where(scales, 1 / SCALE_STEP, 1.0), shift=np.where(scales, -np.log(SCALE_MIN) / SCALE_STEP, 0.0)
        )
    net["g_s"][-1] = net["g_s"][-1].scaled(outputs=255.0)
    return net
