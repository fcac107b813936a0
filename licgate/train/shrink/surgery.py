"""Removing channels from a trained model: filters before and behind, GDN between, and the constants that go missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.train.network.flow import code
from licgate.train.network.layers import GDN, non_negative_init
from licgate.train.network.models import Codec, build_model

TRANSFORMS = ("g_a", "g_s")


@dataclass(frozen=True)
class Hidden:
    """A hidden feature map: the layer that makes it, the activation, and the layer that reads it, each with its name.

    Attributes
    ----------
    name, activation_name, reader_name : str
        As in a state dict, e.g. ``g_a.0``, ``g_a.1``, ``g_a.2``.
    maker, activation, reader : nn.Module
    """

    name: str
    maker: nn.Module
    activation_name: str
    activation: nn.Module
    reader_name: str
    reader: nn.Module

    @property
    def channels(self) -> int:
        """Channels of the feature map."""
        return self.maker.out_channels


def hidden_layers(model: Codec, parts: Iterable[str] = TRANSFORMS) -> list[Hidden]:
    """List the hidden feature maps of some transforms; latents, hyper latents and pictures are none."""
    found = []
    for part in parts:
        children = list(getattr(model, part).named_children())
        for (i, maker), (j, activation), (k, reader) in zip(children, children[1:], children[2:], strict=False):
            if hasattr(maker, "kernel_size") and hasattr(reader, "kernel_size"):
                names = [f"{part}.{index}" for index in (i, j, k)]
                found.append(Hidden(names[0], maker, names[1], activation, names[2], reader))
    return found


@dataclass(frozen=True)
class ChannelMeans:
    """Calibration means of a hidden feature map, each (C,).

    Attributes
    ----------
    size : Tensor
        Of ``|x|``, or of x² in front of a GDN of the root form: what γ multiplies.
    output, power : Tensor
        Of what the activation gives, and of its square about the mean.
    """

    size: Tensor
    output: Tensor
    power: Tensor


@torch.no_grad()
def channel_means(model: Codec, crops: Tensor, parts: Iterable[str] = TRANSFORMS, chunk: int = 4) -> dict:
    """Run a model on crops (B, 3, H, W) and describe its hidden feature maps.

    Returns
    -------
    dict of str to ChannelMeans
        By name of the layer that makes the map.
    """
    sums: dict[str, list[Tensor]] = {}
    handles = []
    for hidden in hidden_layers(model, parts):
        root = isinstance(hidden.activation, GDN) and hidden.activation.form == "square_root"

        def see(_, inputs, output, name=hidden.name, root=root) -> None:
            x, y = inputs[0].double(), output.double()
            size = x * x if root else x.abs()
            new = [torch.as_tensor(y[:, 0].numel())] + [t.sum(dim=(0, 2, 3)) for t in (size, y, y * y)]
            old = sums.get(name)
            sums[name] = new if old is None else [a + b for a, b in zip(old, new, strict=True)]

        handles.append(hidden.activation.register_forward_hook(see))
    training = model.training
    model.eval()
    try:
        config = model.config
        for x in crops.split(chunk):
            code(lambda part, t: model.part(part)(t), x, config.architecture, scale=config.scale, sequential=False)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    means = {}
    for name, (count, size, output, square) in sums.items():
        mean = output / count
        means[name] = ChannelMeans(size / count, mean, (square / count - mean * mean).clamp_min(0))
    return means


def _constant(hidden: Hidden, means: ChannelMeans | None) -> Tensor:
    """What each channel gives on average; without calibration, b of the slimmable affine."""
    if means is not None:
        return means.output
    b = getattr(hidden.activation, "b", None)
    return torch.zeros(hidden.channels, dtype=torch.float64) if b is None else b.detach().double()


def _remove(state: dict, hidden: Hidden, keep: Tensor, means: ChannelMeans | None) -> None:
    """Remove all channels of one feature map but ``keep`` from a state dict."""
    gone = torch.ones(hidden.channels, dtype=torch.bool)
    gone[keep] = False
    maker, act, reader = hidden.name, hidden.activation_name, hidden.reader_name
    state[f"{maker}.weight"] = state[f"{maker}.weight"].index_select(int(hidden.maker.transposed), keep)
    state[f"{maker}.bias"] = state[f"{maker}.bias"][keep]
    if isinstance(hidden.activation, GDN):
        beta, gamma, _, _ = (p.detach().double() for p in hidden.activation.effective())
        state[f"{act}.gamma"] = state[f"{act}.gamma"][keep][:, keep]
        state[f"{act}.beta"] = state[f"{act}.beta"][keep]
        if means is not None:
            # A channel without output still normalised the others.
            beta = beta[keep] + gamma[keep][:, gone] @ means.size[gone]
            state[f"{act}.beta"] = non_negative_init(beta).to(state[f"{act}.beta"])
        for name in ("a", "b"):
            if f"{act}.{name}" in state:
                state[f"{act}.{name}"] = state[f"{act}.{name}"][keep]
    transposed = int(hidden.reader.transposed)
    weight = state[f"{reader}.weight"]
    # An output of a transposed convolution meets only one of stride² sets of taps: a bias can hold their mean.
    taps = weight.double().sum(dim=(2, 3)) / (hidden.reader.stride[0] ** 2 if transposed else 1)
    taps = taps if transposed else taps.T
    missing = _constant(hidden, means)[gone] @ taps[gone]
    state[f"{reader}.bias"] = (state[f"{reader}.bias"].double() + missing).to(weight)
    state[f"{reader}.weight"] = weight.index_select(1 - transposed, keep)


def remove_channels(model: Codec, keep: Mapping[str, Tensor], means: Mapping[str, ChannelMeans] | None = None) -> Codec:
    """Make the smaller dense model that lacks some channels.

    The constant that a removed channel gave moves into the bias behind it, and what it added to the norm of other
    channels into their β (both from ``means``; without them, only b of the slimmable affine moves). Channels with
    a = b = 0 and no weight in γ so leave the function as it is.

    Parameters
    ----------
    model : Codec
        On the CPU; stays as it is.
    keep : mapping of str to Tensor of int64
        Channels that stay, by name of the layer that makes them.
    means : mapping, optional
        From `channel_means`.

    Raises
    ------
    TrainingError
        When a layer would be left without channels, or is not a hidden one.
    """
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    hidden = {h.name: h for part in ("g_a", "h_a", "h_s", "g_s") for h in hidden_layers(model, [part])}
    for name, channels in keep.items():
        if name not in hidden:
            raise TrainingError(f"layer {name} has no channels to remove: there are {', '.join(hidden)}")
        if not len(channels):
            raise TrainingError(f"layer {name} would be left without channels: remove less")
        _remove(state, hidden[name], torch.sort(channels).values, None if means is None else means[name])
    widths = {**(model.config.widths or {}), **{name: len(channels) for name, channels in keep.items()}}
    small = build_model(replace(model.config, widths=widths))
    small.load_state_dict(state)
    return small.train(model.training)
