"""The scale hyperprior of Ballé et al. 2018, with the GDN forms of licgate and CompressAI's parameter names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.train.entropy import SCALE_LEVELS, SCALE_MIN, SCALE_STEP, EntropyBottleneck, gaussian_likelihood
from licgate.train.layers import GDN, GDN_FORMS, lower_bound, round_straight_through


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of a scale hyperprior.

    Attributes
    ----------
    n, m : int
        Channels of the hidden layers and of the latent.
    gdn : {"abs", "square_root"}
        Form of every GDN.
    affine : bool
        Slimmable affine behind every GDN (DRAQ eq. 10).
    widths : dict of str to int
        Output channels of single layers where they differ from ``n`` and ``m`` (pruned models), by layer name.
    """

    n: int = 36
    m: int = 48
    gdn: str = "abs"
    affine: bool = True
    widths: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        for name, value in (("n", self.n), ("m", self.m), *(self.widths or {}).items()):
            if not isinstance(value, int) or not 1 <= value <= 1024:
                raise TrainingError(f"model width {name} = {value!r} is not a whole number from 1 to 1024")
        if self.gdn not in GDN_FORMS:
            raise TrainingError(f"GDN form {self.gdn!r} is unknown: choose {' or '.join(GDN_FORMS)}")

    def width(self, layer: str, default: int) -> int:
        """Output channels of ``layer``."""
        return (self.widths or {}).get(layer, default)

    def as_dict(self) -> dict:
        """Give the configuration as plain data for a checkpoint."""
        return asdict(self)


def _conv(i: int, o: int, kernel: int = 5, stride: int = 2) -> nn.Conv2d:
    return nn.Conv2d(i, o, kernel, stride=stride, padding=kernel // 2)


def _deconv(i: int, o: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(i, o, 5, stride=2, padding=2, output_padding=1)


class ScaleHyperprior(nn.Module):
    """Analysis, synthesis, hyper transforms and entropy models of one codec.

    ``h_s`` gives log σ (without a last ReLU): the integer network then ends directly in a scale index.
    """

    downsampling = 64

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        n, m, width = config.n, config.m, config.width

        def gdn(channels: int, inverse: bool = False) -> GDN:
            return GDN(channels, form=config.gdn, inverse=inverse, affine=config.affine)

        a0, a2, a4, a6 = width("g_a.0", n), width("g_a.2", n), width("g_a.4", n), width("g_a.6", m)
        self.g_a = nn.Sequential(_conv(3, a0), gdn(a0), _conv(a0, a2), gdn(a2), _conv(a2, a4), gdn(a4), _conv(a4, a6))
        s0, s2, s4 = width("g_s.0", n), width("g_s.2", n), width("g_s.4", n)
        self.g_s = nn.Sequential(
            _deconv(a6, s0),
            gdn(s0, True),
            _deconv(s0, s2),
            gdn(s2, True),
            _deconv(s2, s4),
            gdn(s4, True),
            _deconv(s4, 3),
        )
        h0, h2, h4 = width("h_a.0", n), width("h_a.2", n), width("h_a.4", n)
        self.h_a = nn.Sequential(_conv(a6, h0, 3, 1), nn.ReLU(), _conv(h0, h2), nn.ReLU(), _conv(h2, h4))
        t0, t2 = width("h_s.0", n), width("h_s.2", n)
        self.h_s = nn.Sequential(_deconv(h4, t0), nn.ReLU(), _deconv(t0, t2), nn.ReLU(), _conv(t2, a6, 3, 1))
        self.entropy_bottleneck = EntropyBottleneck(h4)

    def scale_level(self, log_scale: Tensor) -> Tensor:
        """Turn the output of ``h_s`` (log σ) into the fractional scale level 0..63."""
        level = (log_scale - math.log(SCALE_MIN)) / SCALE_STEP
        return lower_bound(level, 0.0).clamp_max(SCALE_LEVELS - 1)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Code a batch (B, 3, H, W) in 0..1 with sides divisible by 64.

        In training rates are taken at noisy latents and the decoders read straight-through rounded ones; in evaluation
        everything is rounded and σ comes from the 64-level table.

        Returns
        -------
        dict
            ``x_hat``, ``y_likelihood``, ``z_likelihood``, ``y``, ``z``, all float32.
        """
        y = self.g_a(x)
        z = self.h_a(y.abs()).float()
        y = y.float()
        y_hat, z_hat = round_straight_through(y), round_straight_through(z)
        level = self.scale_level(self.h_s(z_hat).float())
        if self.training:
            y_rate = y + torch.rand(y.shape, generator=generator) - 0.5
            z_rate = z + torch.rand(z.shape, generator=generator) - 0.5
        else:
            y_rate, z_rate, level = y_hat, z_hat, torch.floor(level + 0.5)
        with torch.autocast("cpu", enabled=False):
            y_likelihood = gaussian_likelihood(y_rate, SCALE_MIN * torch.exp(SCALE_STEP * level))
            z_likelihood = self.entropy_bottleneck(z_rate)
        x_hat = self.g_s(y_hat).float()
        return {"x_hat": x_hat, "y_likelihood": y_likelihood, "z_likelihood": z_likelihood, "y": y, "z": z}


def bits(likelihood: Tensor) -> Tensor:
    """Ideal code length of a tensor of likelihoods."""
    return -torch.log2(likelihood).sum()


def config_from_state(state: Mapping[str, Tensor], *, gdn: str = "abs") -> ModelConfig:
    """Read every channel count from a state dict, so that pruned models of any width load.

    Raises
    ------
    TrainingError
        When a layer of the scale hyperprior is missing.
    """
    names = [f"{part}.{i}" for part, indices in (("g_a", (0, 2, 4, 6)), ("h_a", (0, 2, 4))) for i in indices]
    transposed = ["h_s.0", "h_s.2", "g_s.0", "g_s.2", "g_s.4"]
    for name in (*names, *transposed, "h_s.4", "g_s.6"):
        if f"{name}.weight" not in state:
            raise TrainingError(f"checkpoint lacks the tensor {name}.weight: it is not a scale hyperprior")
    widths = {name: int(state[f"{name}.weight"].shape[0]) for name in names}
    widths |= {name: int(state[f"{name}.weight"].shape[1]) for name in transposed}
    return ModelConfig(n=widths["g_a.0"], m=widths["g_a.6"], gdn=gdn, affine="g_a.1.a" in state, widths=widths)
