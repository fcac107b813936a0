"""Give the channels of a feature map like ranges before they share one scale (Nagel et al. 2019, section 4.1).

A factor f behind a GDN is undone by 1/f in the weights that read the channel: the float network stays what it is,
but quiet channels no longer lose their bits to loud ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.calibrate import apply_layer
from licgate.train.floatnet import FloatGdn

LARGEST_FACTOR = 64.0


@torch.no_grad()
def channel_ranges(net: Mapping[str, list], crops: Tensor) -> dict[str, np.ndarray]:
    """Largest magnitude of every channel (C,) behind each layer, by layer name.

    Raises
    ------
    TrainingError
        When a layer gives infinity or NaN.
    """
    peaks: dict[str, Tensor] = {}

    def run(part: str, x: Tensor) -> Tensor:
        for layer in net[part]:
            x = apply_layer(layer, x)
            peak = x.abs().amax(dim=(0, 2, 3))
            peaks[layer.name] = torch.maximum(peaks.get(layer.name, peak), peak)
        return x

    for batch in crops.split(4):
        y = run("g_a", batch)
        z = run("h_a", y.abs())
        run("h_s", torch.floor(z + 0.5))
        run("g_s", torch.floor(y + 0.5))
    for name, peak in peaks.items():
        if not torch.isfinite(peak).all():
            raise TrainingError(f"{name} gives numbers that are not finite: train again with a lower learning rate")
    return {name: peak.double().numpy() for name, peak in peaks.items()}


def equalize(net: Mapping[str, list], ranges: Mapping[str, np.ndarray], strength: float) -> dict[str, list]:
    """Scale the channels behind every GDN.

    Parameters
    ----------
    net : dict of str to list
        From `floatnet.float_layers`.
    ranges : dict of str to ndarray
        From `channel_ranges`.
    strength : float
        0 leaves everything as it is, 1 gives all channels the same range.
    """
    result = {}
    for part, layers in net.items():
        own = list(layers)
        for position, layer in enumerate(own[:-1]):
            follower = own[position + 1]
            # Behind ReLU nothing is gained: the hyper transforms lose next to nothing, dead channels would blow up.
            if not isinstance(layer, FloatGdn):
                continue
            reach = ranges[layer.name]
            # A channel that never speaks keeps its scale.
            quiet = np.where(reach > 0, reach, reach.max() or 1.0)
            factor = np.minimum((quiet.max() / quiet) ** strength, LARGEST_FACTOR)
            own[position] = replace(layer, a=layer.a * factor, b=layer.b * factor)
            own[position + 1] = follower.scaled(inputs=1 / factor)
        result[part] = own
    return result
