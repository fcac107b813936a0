"""The four codecs as torch modules, with the GDN forms of licgate and CompressAI's parameter names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.manifest.architectures import ARCHITECTURES, Architecture
from licgate.train.network.context import MaskedConv2d
from licgate.train.network.entropy import SCALE_MIN, SCALE_STEP, EntropyBottleneck, gaussian_likelihood
from licgate.train.network.flow import SCALES, code, scale_level
from licgate.train.network.layers import GDN, GDN_FORMS

NORMALISATIONS = (*GDN_FORMS, "none")
ACTIVATIONS = {"relu": 0.0, "leaky": 0.01}
"""Slope below zero, by name."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of a codec.

    Attributes
    ----------
    architecture : str
        ``bmshj2018-hyperprior``, ``he2021-checkerboard``, ``mbt2018-mean`` or ``mbt2018``.
    n, m : int
        Channels of the hidden layers and of the latent.
    gdn : {"abs", "square_root", "none"}
        Form of every GDN; ``none`` puts a ReLU in its place.
    affine : bool
        Slimmable affine behind every GDN (DRAQ eq. 10).
    widths : dict of str to int
        Output channels of single layers where they differ from what ``n`` and ``m`` give (pruned models), by layer name
        (``parameters.0`` for ``entropy_parameters.0``). ``g_a.6`` sets the channels of the latent; ``g_s.6``, and the
        last layers of the entropy parameters and of the context, have no width of their own.
    scale : {"log", "linear"}
        Whether the entropy parameters hold log σ or σ.
    activation : {"relu", "leaky"}
        Between the layers of the hyper transforms and of the entropy parameters.
    """

    architecture: str = "bmshj2018-hyperprior"
    n: int = 36
    m: int = 96
    gdn: str = "abs"
    affine: bool = True
    widths: Mapping[str, int] | None = None
    scale: str = "log"
    activation: str = "relu"

    def __post_init__(self) -> None:
        for name, value in (("n", self.n), ("m", self.m), *(self.widths or {}).items()):
            if not isinstance(value, int) or not 1 <= value <= 1024:
                raise TrainingError(f"model width {name} = {value!r} is not a whole number from 1 to 1024")
        choices = {
            "architecture": (self.architecture, ARCHITECTURES),
            "GDN form": (self.gdn, NORMALISATIONS),
            "form of the scale": (self.scale, SCALES),
            "activation": (self.activation, ACTIVATIONS),
        }
        for name, (value, known) in choices.items():
            if value not in known:
                raise TrainingError(f"{name} {value!r} is unknown: choose {' or '.join(known)}")

    @property
    def kind(self) -> Architecture:
        """What distinguishes the architecture."""
        return ARCHITECTURES[self.architecture]

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


class Codec(nn.Module):
    """Analysis, synthesis, hyper transforms, context and entropy models of one codec; see `build_model`."""

    downsampling = 64

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        n, m, width, kind = config.n, config.m, config.width, config.kind

        def norm(channels: int, inverse: bool = False) -> nn.Module:
            if config.gdn == "none":
                return nn.ReLU()
            return GDN(channels, form=config.gdn, inverse=inverse, affine=config.affine)

        def act() -> nn.Module:
            slope = ACTIVATIONS[config.activation]
            return nn.LeakyReLU(slope) if slope else nn.ReLU()

        a0, a2, a4, m = width("g_a.0", n), width("g_a.2", n), width("g_a.4", n), width("g_a.6", m)
        self.g_a = nn.Sequential(_conv(3, a0), norm(a0), _conv(a0, a2), norm(a2), _conv(a2, a4), norm(a4), _conv(a4, m))
        s0, s2, s4 = width("g_s.0", n), width("g_s.2", n), width("g_s.4", n)
        self.g_s = nn.Sequential(
            _deconv(m, s0),
            norm(s0, True),
            _deconv(s0, s2),
            norm(s2, True),
            _deconv(s2, s4),
            norm(s4, True),
            _deconv(s4, 3),
        )
        h0, h2, h4 = width("h_a.0", n), width("h_a.2", n), width("h_a.4", n)
        self.h_a = nn.Sequential(_conv(m, h0, 3, 1), act(), _conv(h0, h2), act(), _conv(h2, h4))
        # Minnen et al. 2018 widen the hyper synthesis towards its output; the others keep N.
        wide = config.architecture.startswith("mbt2018")
        t0, t2 = width("h_s.0", m if wide else n), width("h_s.2", 3 * m // 2 if wide else n)
        t4 = width("h_s.4", 2 * m) if kind.context else 2 * m if kind.means else m
        last = [act()] if config.scale == "linear" and not kind.means else []
        self.h_s = nn.Sequential(_deconv(h4, t0), act(), _deconv(t0, t2), act(), _conv(t2, t4, 3, 1), *last)
        self.entropy_bottleneck = EntropyBottleneck(h4)
        if kind.context:
            p0, p2 = width("parameters.0", 10 * m // 3), width("parameters.2", 8 * m // 3)
            self.context_prediction = MaskedConv2d(m, 2 * m, kind.context)
            self.entropy_parameters = nn.Sequential(
                _conv(t4 + 2 * m, p0, 1, 1), act(), _conv(p0, p2, 1, 1), act(), _conv(p2, 2 * m, 1, 1)
            )

    def part(self, name: str) -> nn.Module:
        """Give the transform of that name: ``g_a``, ``h_a``, ``h_s``, ``context``, ``parameters`` or ``g_s``."""
        return getattr(self, {"context": "context_prediction", "parameters": "entropy_parameters"}.get(name, name))

    def scale_level(self, value: Tensor) -> Tensor:
        """Turn what the entropy parameters hold of the scale (log σ or σ) into the fractional level 0..63."""
        return scale_level(value, self.config.scale)

    def likelihoods(self, out: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Likelihoods of y and z from what `flow.code` gives, in float32."""
        with torch.autocast(out["y"].device.type, enabled=False):
            scale = SCALE_MIN * torch.exp(SCALE_STEP * out["level"])
            return gaussian_likelihood(out["y_rate"] - out["mean"], scale), self.entropy_bottleneck(out["z_rate"])

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Code a batch (B, 3, H, W) in 0..1 with sides divisible by 64.

        In training rates are taken at noisy latents and the decoders read straight-through rounded ones; in evaluation
        everything is rounded and σ comes from the 64-level table.

        Returns
        -------
        dict
            ``x_hat``, ``y_likelihood``, ``z_likelihood``, ``y``, ``z``, all float32.
        """
        out = code(
            lambda part, value: self.part(part)(value),
            x,
            self.config.architecture,
            scale=self.config.scale,
            generator=generator,
            training=self.training,
        )
        y_likelihood, z_likelihood = self.likelihoods(out)
        return {
            "x_hat": out["x_hat"],
            "y_likelihood": y_likelihood,
            "z_likelihood": z_likelihood,
            "y": out["y"],
            "z": out["z"],
        }


def build_model(config: ModelConfig) -> Codec:
    """Make a codec with random weights."""
    return Codec(config)


def bits(likelihood: Tensor) -> Tensor:
    """Ideal code length of a tensor of likelihoods."""
    return -torch.log2(likelihood).sum()


def config_from_state(state: Mapping[str, Tensor], **known) -> ModelConfig:
    """Read every channel count from a state dict, so that pruned models of any width load.

    Parameters
    ----------
    state : mapping of str to Tensor
    **known
        Of `ModelConfig`, what tensors do not tell: ``architecture``, ``gdn``, ``scale``, ``activation``.

    Raises
    ------
    TrainingError
        When a layer of the architecture is missing.
    """
    architecture = known.get("architecture", "bmshj2018-hyperprior")
    kind = ModelConfig(**known).kind
    plain = [f"{part}.{i}" for part, indices in (("g_a", (0, 2, 4, 6)), ("h_a", (0, 2, 4))) for i in indices]
    transposed = ["h_s.0", "h_s.2", "g_s.0", "g_s.2", "g_s.4"]
    inner = {"parameters.0": "entropy_parameters.0", "parameters.2": "entropy_parameters.2"} if kind.context else {}
    others = ["h_s.4", "g_s.6", *inner.values(), *(["context_prediction", "entropy_parameters.4"] if inner else [])]
    for name in (*plain, *transposed, *others):
        if f"{name}.weight" not in state:
            raise TrainingError(f"checkpoint lacks the tensor {name}.weight: it is not a model of {architecture}")
    widths = {name: int(state[f"{name}.weight"].shape[0]) for name in plain}
    widths |= {name: int(state[f"{name}.weight"].shape[1]) for name in transposed}
    widths |= {name: int(state[f"{own}.weight"].shape[0]) for name, own in inner.items()}
    if kind.context:
        widths["h_s.4"] = int(state["h_s.4.weight"].shape[0])
    if "g_a.1.beta" not in state:
        known = {**known, "gdn": "none"}
    return ModelConfig(**known, n=widths["g_a.0"], m=widths["g_a.6"], affine="g_a.1.a" in state, widths=widths)
