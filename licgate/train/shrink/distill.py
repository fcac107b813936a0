"""Distillation of a small student from a trained teacher (Mazouz et al., eqs. 1 and 2, sections III-A and IV-A)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.train.network.checkpoint import load_model
from licgate.train.network.flow import code
from licgate.train.network.models import Codec, ModelConfig, build_model
from licgate.train.objective import BaseObjective, rate_distortion
from licgate.train.recipe import Recipe
from licgate.train.shrink.perceptual import StructuralDistance, load_resnet
from licgate.train.shrink.stages import run_stage

HYPERPRIOR = ("h_a.", "h_s.", "entropy_bottleneck.", "context_prediction.", "entropy_parameters.")


@dataclass(frozen=True, kw_only=True)
class DistillSettings:
    """Weights of the loss L = α·L_latent + β·L_perc + γ·(R + λD), and when they change.

    The paper's Table I exchanges α and β; its text, and this, let the latents lead first.

    Attributes
    ----------
    early, late : (float, float)
        α and β before and after the latent loss has settled.
    gamma : float
        γ.
    patience : int
        The phase changes when the smoothed latent loss has not fallen by ``improvement`` of itself for so many steps.
    improvement : float
    smoothing : float
        Decay of the smoothed latent loss.
    latest : float
        Part of the run after which the phase changes in any case.
    """

    early: tuple[float, float] = (1.0, 0.1)
    late: tuple[float, float] = (0.1, 1.0)
    gamma: float = 0.5
    patience: int = 2000
    improvement: float = 0.01
    smoothing: float = 0.995
    latest: float = 0.5

    def __post_init__(self) -> None:
        weights = (*zip(("alpha", "beta") * 2, self.early + self.late, strict=True), ("gamma", self.gamma))
        for name, value in weights:
            if not 0 <= value < float("inf"):
                raise TrainingError(f"{name} {value} must be 0 or more")
        if self.patience < 1:
            raise TrainingError(f"patience of {self.patience} steps must be at least 1")
        if not 0 <= self.smoothing < 1:
            raise TrainingError(f"smoothing {self.smoothing} must be at least 0 and below 1")
        if not 0 <= self.improvement < 1:
            raise TrainingError(f"improvement {self.improvement} must be at least 0 and below 1")
        if not 0 <= self.latest <= 1:
            raise TrainingError(f"latest change of phase at {self.latest} of the run must be from 0 to 1")


class Plateau:
    """Notices when a noisy series has stopped falling.

    Parameters
    ----------
    patience, improvement, smoothing
        As in `DistillSettings`.
    """

    def __init__(self, patience: int, improvement: float, smoothing: float) -> None:
        self.patience, self.improvement, self.smoothing = patience, improvement, smoothing
        self.smooth, self.weight, self.best, self.since = 0.0, 0.0, math.inf, 0

    def add(self, value: float) -> bool:
        """Take the next value; whether the series has settled."""
        self.smooth = self.smoothing * self.smooth + (1 - self.smoothing) * value
        self.weight = self.smoothing * self.weight + (1 - self.smoothing)
        level = self.smooth / self.weight
        if level < self.best * (1 - self.improvement):
            self.best, self.since = level, 0
        else:
            self.since += 1
        return self.since >= self.patience

    def state(self) -> dict[str, float]:
        """Give what `load_state` takes."""
        return {"smooth": self.smooth, "weight": self.weight, "best": self.best, "since": self.since}

    def load_state(self, state: dict[str, float]) -> None:
        """Go on where another left off."""
        self.smooth, self.weight, self.best = state["smooth"], state["weight"], state["best"]
        self.since = int(state["since"])


class Distillation(BaseObjective):
    """Student under the guidance of a teacher.

    Parameters
    ----------
    model : Codec
        The student.
    teacher : Codec
        Of the same downsampling; stays as it is. Where its latent has another number of channels, a 1 x 1 convolution
        (trained beside the student, then dropped) stands between the two.
    recipe : Recipe
        For λ and the length of the run.
    settings : DistillSettings
    perceptual : nn.Module
        Distance of two batches of pictures.
    """

    kind = "distilled"

    def __init__(
        self,
        model: Codec,
        teacher: Codec,
        recipe: Recipe,
        settings: DistillSettings,
        perceptual: nn.Module | None = None,
    ) -> None:
        super().__init__(model)
        self.teacher, self.recipe, self.settings = teacher.requires_grad_(requires_grad=False).eval(), recipe, settings
        self.perceptual = (perceptual or StructuralDistance()).eval()
        mine, others = model.g_a[-1].out_channels, teacher.g_a[-1].out_channels
        self.extra = None if mine == others else nn.Conv2d(mine, others, 1)
        self.plateau = Plateau(settings.patience, settings.improvement, settings.smoothing)
        self.changed_at = -1

    @property
    def weights(self) -> tuple[float, float]:
        """α and β of the present phase."""
        return self.settings.early if self.changed_at < 0 else self.settings.late

    def before_step(self, iteration: int, folder) -> None:
        """Bring the teacher to where the student is."""
        device = next(self.model.parameters()).device
        if next(self.teacher.parameters()).device != device:
            self.teacher.to(device=device, memory_format=torch.channels_last)
            self.perceptual.to(device)

    def loss(self, x: Tensor, noise: torch.Generator, iteration: int) -> dict[str, Tensor]:
        """Give loss, bpp, mse, ``latent`` and ``perceptual``."""
        out = self.model(x, noise)
        with torch.no_grad():
            part, shape = self.teacher.part, self.teacher.config
            run = code(lambda name, t: part(name)(t), x, shape.architecture, scale=shape.scale, sequential=False)
            y, picture = run["y"], run["x_hat"]
        with torch.autocast(x.device.type, enabled=False):
            losses = rate_distortion(out, x, self.recipe.rate_lambda)
            latent = nn.functional.mse_loss(out["y"] if self.extra is None else self.extra(out["y"]), y)
            distance = self.perceptual(out["x_hat"], picture)
            alpha, beta = self.weights
            loss = alpha * latent + beta * distance + self.settings.gamma * losses["loss"]
        return losses | {"loss": loss, "latent": latent, "perceptual": distance}

    def after_step(self, values: dict[str, float], iteration: int) -> None:
        """Change the phase when the latents have settled, or at the latest moment."""
        if self.changed_at >= 0:
            return
        settled = self.plateau.add(values["latent"])
        late = self.recipe.iterations is not None and iteration + 1 >= self.settings.latest * self.recipe.iterations
        if settled or late:
            self.changed_at = iteration + 1

    def state(self) -> dict:
        """Give phase and plateau."""
        return {"plateau": self.plateau.state(), "changed_at": self.changed_at}

    def load_state(self, state: dict) -> None:
        """Take them back."""
        self.plateau.load_state(state["plateau"])
        self.changed_at = int(state["changed_at"])

    def config(self) -> dict:
        """Give the settings, and what the pictures are compared by."""
        return {**asdict(self.settings), "perceptual": type(self.perceptual).__name__}


def make_student(teacher: Codec, config: ModelConfig) -> Codec:
    """Build a student whose hyperprior, tensor by tensor, starts from the teacher's where shapes fit."""
    student = build_model(config)
    own, known = student.state_dict(), teacher.state_dict()
    for name, value in own.items():
        if name.startswith(HYPERPRIOR) and name in known and known[name].shape == value.shape:
            own[name] = known[name]
    student.load_state_dict(own)
    return student


def distill(
    data: str | Path,
    teacher: str | Path,
    out: str | Path,
    *,
    config: ModelConfig,
    recipe: Recipe,
    settings: DistillSettings | None = None,
    student: str | Path | None = None,
    resnet50: str | Path | None = None,
    **options: object,
) -> dict:
    """Train a student under a teacher; an interrupted run is carried on.

    Parameters
    ----------
    data : path
        Photographs.
    teacher, out : path
        Checkpoints.
    config : ModelConfig
        Shape of the student.
    recipe : Recipe
    settings : DistillSettings, optional
    student : path, optional
        Checkpoint of the student to start from, instead of a new one.
    resnet50 : path, optional
        Weights of a ResNet-50 for the perceptual term, instead of MS-SSIM.
    **options
        For `licgate.train.loop.train`.

    Returns
    -------
    dict
        What the run returned.
    """
    master, _ = load_model(teacher)
    perceptual = load_resnet(resnet50) if resnet50 else None
    torch.manual_seed(recipe.seed)

    def start() -> Codec:
        return load_model(student)[0] if student else make_student(master, config)

    return run_stage(
        data,
        out,
        start,
        recipe=recipe,
        objective=lambda model: Distillation(model, master, recipe, settings or DistillSettings(), perceptual),
        **options,
    )
