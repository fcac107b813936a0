"""A trained model as plain float64 arrays, in the shape in which it is quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from licgate.train.entropy import SCALE_MIN, SCALE_STEP
from licgate.train.layers import GDN
from licgate.train.models import ScaleHyperprior


@dataclass(frozen=True, kw_only=True)
class FloatConv:
    """A convolution: ``weight`` as torch stores it, ``relu`` when a ReLU follows.

    ``rounded`` has its integers and the step of each output channel, once they are chosen.
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

    @property
    def output_axis(self) -> int:
        """Axis of the weight that counts output channels."""
        return 1 if self.transposed else 0

    def scaled(
        self, *, outputs: np.ndarray | float = 1.0, inputs: np.ndarray | None = None, shift: float = 0.0
    ) -> FloatConv:
        """Multiply the output channels by ``outputs``, then add ``shift``; multiply input channels by ``inputs``."""
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


def _convolution(name: str, module: nn.Module, relu: bool) -> FloatConv:
    def array(x):
        return x.detach().double().numpy()

    transposed = isinstance(module, nn.ConvTranspose2d)
    bias = array(module.bias) if module.bias is not None else np.zeros(module.out_channels)
    return FloatConv(
        name=name,
        weight=array(module.weight),
        bias=bias,
        stride=module.stride[0],
        padding=module.padding[0],
        output_padding=module.output_padding[0],
        transposed=transposed,
        relu=relu,
    )


def _normalisation(name: str, module: GDN) -> FloatGdn:
    beta, gamma, a, b = (x.detach().double().numpy() for x in module.effective())
    return FloatGdn(
        name=name,
        root=module.form == "square_root",
        inverse=module.inverse,
        beta=beta,
        gamma=np.maximum(gamma, 0.0),
        a=a,
        b=b,
    )


def float_layers(model: ScaleHyperprior) -> dict[str, list[FloatConv | FloatGdn]]:
    """Take a model apart into the layers of its four transforms.

    ``h_s`` is rescaled to end in scale levels (0..63) instead of log σ, and ``g_s`` to end in 8-bit pixel values;
    negative factors of the slimmable affine move into the convolution behind, because a manifest's
    multipliers are not negative.
    """
    net: dict[str, list[FloatConv | FloatGdn]] = {}
    for part in ("g_a", "h_a", "h_s", "g_s"):
        modules = list(getattr(model, part).named_children())
        layers: list[FloatConv | FloatGdn] = []
        signs = None
        for position, (index, module) in enumerate(modules):
            name = f"{part}.{index}"
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                relu = position + 1 < len(modules) and isinstance(modules[position + 1][1], nn.ReLU)
                layer = _convolution(name, module, relu)
                layers.append(layer if signs is None else layer.scaled(inputs=signs))
                signs = None
            elif isinstance(module, GDN):
                layer = _normalisation(name, module)
                signs = np.where(layer.a < 0, -1.0, 1.0)
                layers.append(replace(layer, a=layer.a * signs, b=layer.b * signs))
        net[part] = layers
    net["h_s"][-1] = net["h_s"][-1].scaled(outputs=1 / SCALE_STEP, shift=-np.log(SCALE_MIN) / SCALE_STEP)
    net["g_s"][-1] = net["g_s"][-1].scaled(outputs=255.0)
    return net
