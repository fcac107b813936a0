"""Give the channels of a feature map like ranges before they share one scale (Nagel et al. 2019, section 4.1).

A factor f behind a GDN is undone by 1/f in the weights that read the channel, one before it by γ and the slimmable a:
the float network stays what it is, but quiet channels no longer lose their bits to loud ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from licgate.errors import TrainingError
from licgate.train.quant.calibrate import run_float
from licgate.train.quant.floatnet import FloatGdn

LARGEST_FACTOR = 64.0


@torch.no_grad()
def channel_ranges(net: Mapping[str, list], crops: Tensor, architecture: str) -> dict[str, np.ndarray]:
    """Largest magnitude of every channel (C,) behind each layer, by layer name.

    Raises
    ------
    TrainingError
        When a layer gives infinity or NaN.
    """
    peaks: dict[str, Tensor] = {}

    def visit(layer, _, out: Tensor) -> None:
        peak = out.abs().amax(dim=(0, 2, 3))
        peaks[layer.name] = torch.maximum(peaks.get(layer.name, peak), peak)

    for batch in crops.split(4):
        run_float(net, batch, architecture, visit)
    for name, peak in peaks.items():
        if not torch.isfinite(peak).all():
            raise TrainingError(f"{name} gives numbers that are not finite: train again with a lower learning rate")
    return {name: peak.double().numpy() for name, peak in peaks.items()}


def equalize(net: Mapping[str, list], ranges: Mapping[str, np.ndarray], strength: float) -> dict[str, list]:
    """Scale the channels before and behind every GDN.

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
        for position in range(len(own) - 1):
            layer, follower = own[position], own[position + 1]
            if isinstance(layer, FloatGdn):
                factor = _factors(ranges[layer.name], strength)
                own[position] = replace(layer, a=layer.a * factor, b=layer.b * factor)
                own[position + 1] = follower.scaled(inputs=1 / factor)
            elif isinstance(follower, FloatGdn):
                factor = _factors(ranges[layer.name], strength)
                own[position] = layer.scaled(outputs=factor)
                columns = factor**2 if follower.root else factor
                own[position + 1] = replace(follower, gamma=follower.gamma / columns, a=follower.a / factor)
            # Behind ReLU nothing is gained: the hyper transforms lose next to nothing, dead channels would blow up.
        result[part] = own
    return result


def _factors(reach: np.ndarray, strength: float) -> np.ndarray:
    """Factors (C,) of 1 and more; a channel that never speaks keeps its scale."""
    quiet = np.where(reach > 0, reach, reach.max() or 1.0)
    return np.minimum((quiet.max() / quiet) ** strength, LARGEST_FACTOR)
