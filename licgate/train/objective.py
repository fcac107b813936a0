"""What a training run minimises: the protocol of `licgate.train.loop`, and R + λD."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from licgate.train.data import ImageFolder
from licgate.train.network.models import bits


class Objective(Protocol):
    """A model and its loss, as `licgate.train.loop.train` sees them.

    Attributes
    ----------
    model : torch.nn.Module
        What is trained, averaged and saved; has ``config``.
    extra : torch.nn.Module or None
        Parameters trained and saved beside the model but not part of it.
    kind : str
        Names the sort of run; a checkpoint carries on only under the same.
    """

    model: nn.Module
    extra: nn.Module | None
    kind: str

    def loss(self, x: Tensor, noise: torch.Generator, iteration: int) -> dict[str, Tensor]:
        """Give scalars of a batch (B, 3, H, W) in 0..1: ``loss`` (minimised), ``bpp``, ``mse`` and any to log.

        Runs under bfloat16 autocast where the recipe says so; what must stay float32 turns it off for itself.
        ``noise`` lives on the device of ``x`` and is seeded by the iteration.
        """

    def before_step(self, iteration: int, folder: ImageFolder) -> None:
        """Do periodic work. On resumption it is called again for the first iteration that was not finished."""

    def after_step(self, values: dict[str, float], iteration: int) -> None:
        """Take notice of the values of a finished step (averaged over all devices)."""

    def state(self) -> dict:
        """Give what must survive an interruption besides weights: plain tensors and numbers."""

    def load_state(self, state: dict) -> None:
        """Take back what `state` gave."""

    def config(self) -> dict:
        """Describe the objective in plain data for the checkpoint; a resumed run must have an equal one."""


class BaseObjective:
    """An objective without periodic work, state or settings."""

    kind = "float"
    extra: nn.Module | None = None

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def before_step(self, iteration: int, folder: ImageFolder) -> None:
        """Do nothing."""

    def after_step(self, values: dict[str, float], iteration: int) -> None:
        """Do nothing."""

    def state(self) -> dict:
        """Give nothing."""
        return {}

    def load_state(self, state: dict) -> None:
        """Take nothing."""

    def config(self) -> dict:
        """Give no settings."""
        return {}


def rate_distortion(out: dict[str, Tensor], x: Tensor, rate_lambda: float) -> dict[str, Tensor]:
    """R + λ·255²·MSE of what a model gave for ``x``, with its parts.

    Returns
    -------
    dict
        ``loss``, ``bpp`` (bits per pixel) and ``mse`` (of pixels in 0..1).
    """
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    bpp = (bits(out["y_likelihood"]) + bits(out["z_likelihood"])) / pixels
    mse = torch.mean((out["x_hat"] - x) ** 2)
    return {"loss": bpp + rate_lambda * 255.0**2 * mse, "bpp": bpp, "mse": mse}


class RateDistortion(BaseObjective):
    """R + λ·255²·MSE of a float model.

    Parameters
    ----------
    model : torch.nn.Module
    rate_lambda : float
        λ.
    settings : dict, optional
        Plain data that says where the model comes from; a resumed run must have the same.
    """

    def __init__(self, model: nn.Module, rate_lambda: float, settings: dict | None = None) -> None:
        super().__init__(model)
        self.rate_lambda, self.settings = rate_lambda, settings or {}

    def config(self) -> dict:
        """Give ``settings``."""
        return dict(self.settings)

    def loss(self, x: Tensor, noise: torch.Generator, iteration: int) -> dict[str, Tensor]:
        """Give loss, bpp and mse."""
        return rate_distortion(self.model(x, noise), x, self.rate_lambda)
