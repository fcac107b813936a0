"""Weights of one model for another: what fits, and an entropy model that begins where the old one ended."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from licgate.train.network.entropy import SCALE_MIN
from licgate.train.network.models import Codec

__all__ = ["warm_start"]

LAST_FEATURES = ("h_s.4.weight", "h_s.4.bias")


def warm_start(model: Codec, state: Mapping[str, Tensor]) -> list[str]:
    """Take over the tensors whose name and shape fit, from a model of another architecture too.

    A context model that takes over a scale hyperprior starts as that hyperprior: its layers hand on the log σ that h_s
    gives, with means of 0, where they are wide enough.

    Returns
    -------
    list of str
        Names taken, in the order of the model; the others keep their values.
    """
    own = model.state_dict()
    taken = {name: state[name] for name, value in own.items() if name in state and state[name].shape == value.shape}
    if _can_hand_on(model, state):
        taken |= {name: torch.cat([state[name], own[name][model.config.m :]]) for name in LAST_FEATURES}
        _hand_on(model)
        own = model.state_dict()
    model.load_state_dict({**own, **taken})
    return [name for name in own if name in taken]


def _can_hand_on(model: Codec, state: Mapping[str, Tensor]) -> bool:
    m, name = model.config.m, LAST_FEATURES[0]
    if not model.config.kind.context or model.config.scale != "log" or "entropy_parameters.0.weight" in state:
        return False
    if name not in state or state[name].shape[0] != m or state[name].shape[1:] != model.h_s[4].weight.shape[1:]:
        return False
    return all(layer.out_channels >= m for layer in (model.h_s[4], *model.entropy_parameters[:3:2]))


@torch.no_grad()
def _hand_on(model: Codec) -> None:
    """Make the first m channels of every layer of the entropy parameters an identity, the last layer's others 0."""
    m = model.config.m
    first, second, last = model.entropy_parameters[::2]
    # Between the layers stands a ReLU: log σ goes through it as its distance from the smallest there is.
    lowest = math.log(SCALE_MIN) - 1
    for layer, bias in ((first, -lowest), (second, 0.0), (last, lowest)):
        layer.weight[:m] = 0
        layer.bias[:m] = bias
        layer.weight[range(m), range(m)] = 1
    last.weight[:, m:] = 0
    last.weight[m:] = 0
    last.bias[m:] = 0
