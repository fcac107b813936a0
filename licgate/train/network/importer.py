"""Weights from elsewhere: CompressAI's checkpoints, and plain arrays as a TensorFlow model gives them.

CompressAI (``.pth``, ``.pth.tar``, ``.safetensors``): bmshj2018-hyperprior, mbt2018-mean and mbt2018, under the names
that the zoo had over the years. Its GDN has the square-root form, its entropy parameters hold σ. One difference stays:
it rounds z about the median of each channel, licgate about whole numbers, as docs/numerics.md has it; both lie within
the noise that the model was trained with.

Arrays (``.npz``), by the names of licgate's layers, all of them cross-correlations:

=====================  ==========================================================================================
``g_a.0.kernel`` ...   kernels (height, width, in, out), the transposed ones of ``g_s`` and ``h_s`` too
``g_a.0.bias`` ...     (out,), zero if absent
``g_a.1.beta`` ...     β of a GDN (C,), as the formula has it, not a stored square root
``g_a.1.gamma`` ...    γ (C, C), not negative, as [in, out] (TensorFlow) or [out, in]
=====================  ==========================================================================================

``g_a`` and ``g_s`` must be whole; of the rest what is absent stays random and has to be trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.train.network.layers import GDN_FORMS, non_negative_init
from licgate.train.network.models import Codec, ModelConfig, build_model, config_from_state
from licgate.train.tensorfile import load_tensor_file, state_dicts

GAMMA_ORDERS = ("in-out", "out-in")

_FIRST = "g_a.0.weight"

_BOTTLENECK = re.compile(r"entropy_bottleneck\._?(matri|bias|factor)(?:x|ces|es|s)?\.?(\d+)")
_LISTS = {"matri": "matrices", "bias": "biases", "factor": "factors"}

# buffers of the run-time coder, and constants of the reparametrisation
_IGNORED = re.compile(
    r"gaussian_conditional\..*|context_prediction\.mask|.*\.(pedestal|bound)|.*_reparam\..*"
    r"|entropy_bottleneck\.(_offset|_quantized_cdf|_cdf_length|quantiles|target|likelihood_lower_bound.*)"
)

_PARTS = re.compile(r"([gh]_[as]\.\d+)\.(kernel|bias|beta|gamma)")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read a file of tensors; nothing in it is executed.

    Raises
    ------
    TrainingError
        When the file is missing or holds something else.
    """
    path = Path(path)
    content = load_tensor_file(
        path,
        missing=f"checkpoint {path} does not exist",
        unreadable=f"checkpoint {path} is not a readable file of tensors (.pth, .safetensors, .npz)",
    )
    if isinstance(content, dict) and str(content.get("format", "")).startswith("licgate-checkpoint"):
        raise TrainingError(f"checkpoint {path} is licgate's own already: use it as it is")
    found = list(state_dicts(content))
    if not found:
        raise TrainingError(
            f"checkpoint {path} holds no tensors by name: where it was made, write them with "
            "torch.save(model.state_dict(), 'weights.pth')"
        )
    # a training checkpoint has tensors of its optimiser, too
    models = [(name, stripped) for name, tensors in found for stripped in _models(tensors, path)]
    return models[0][1] if models else found[0][1]


def _models(tensors: Mapping[str, Tensor], path: Path) -> list[dict[str, Tensor]]:
    """Return the model in tensors whose names have something in front: of torch.compile, Lightning, DataParallel."""
    plain = {key.replace("_orig_mod.", ""): value for key, value in tensors.items()}
    fronts = {key.removesuffix(_FIRST) for key in plain if key == _FIRST or key.endswith(f".{_FIRST}")}
    if len(fronts) > 1:
        raise TrainingError(
            f"checkpoint {path} holds several models, {', '.join(sorted(front or _FIRST for front in fronts))}: "
            "give a state dict of one"
        )
    return [
        {key.removeprefix(front): value for key, value in plain.items() if key.startswith(front)} for front in fronts
    ]


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give CompressAI's tensors licgate's names, leaving out what a float model does not need."""
    result = {}
    for key, value in tensors.items():
        match = _BOTTLENECK.fullmatch(key)
        if match:
            key = f"entropy_bottleneck.{_LISTS[match[1]]}.{match[2]}"
        if not _IGNORED.fullmatch(key):
            result[key] = value.float()
    return result


def guess_architecture(state: Mapping[str, Tensor]) -> str:
    """Tell CompressAI's models apart by the tensors they have.

    Raises
    ------
    TrainingError
        For models without a hyperprior, and of other backbones.
    """
    for name in ("g_a.0.weight", "g_a.6.weight", "g_s.6.weight"):
        if name not in state:
            raise TrainingError(
                f"checkpoint lacks the tensor {name}: it is none of bmshj2018-hyperprior, mbt2018-mean and mbt2018"
            )
    if "h_a.0.weight" not in state or "h_s.4.weight" not in state:
        raise TrainingError("checkpoint has no hyperprior (bmshj2018-factorized?): give one of bmshj2018-hyperprior")
    if "context_prediction.weight" in state:
        return "mbt2018"
    return "bmshj2018-hyperprior" if len(state["h_s.4.weight"]) == len(state["g_a.6.weight"]) else "mbt2018-mean"


def import_compressai(path: str | Path, architecture: str | None = None) -> Codec:
    """Build the model of a CompressAI checkpoint.

    Parameters
    ----------
    path : path
    architecture : str, optional
        Instead of what the tensors tell; ``he2021-checkerboard`` has those of ``mbt2018``.

    Raises
    ------
    TrainingError
        When a tensor is missing, left over, of the wrong shape or not finite.
    """
    state = renamed(read_tensors(path))
    architecture = architecture or guess_architecture(state)
    config = config_from_state(
        state,
        architecture=architecture,
        gdn="square_root",
        scale="linear",
        activation="leaky" if architecture.startswith("mbt2018") else "relu",
    )
    return _filled(build_model(config), state, path)


def without_gateware(model: Codec) -> list[str]:
    """Say, a line each, what of a model the gateware will not run; the codec in software runs all of it."""
    parts = ("g_a", "h_a", "h_s", "g_s")
    leaky = [name for name in parts if any(isinstance(layer, nn.LeakyReLU) for layer in getattr(model, name).modules())]
    if not leaky:
        return []
    rest = [name for name in parts if name not in leaky]
    line = (
        f"{', '.join(leaky)} of {model.config.architecture} have leaky ReLUs, which the gateware does not: build and "
        f"simulate take {', '.join(rest)}; encode and decode in software all of it"
    )
    return [line]


def import_arrays(path: str | Path, *, gdn: str = "abs", gamma_order: str = "in-out", **options) -> tuple[Codec, list]:
    """Build a scale hyperprior from an ``.npz`` of plain arrays; see the module for their names.

    Parameters
    ----------
    path : path
    gdn : {"abs", "square_root"}
        Form of the GDN that β and γ belong to.
    gamma_order : {"in-out", "out-in"}
        Axes of γ.
    **options
        Of `ModelConfig`, e.g. ``n`` of hyper transforms that the file does not have.

    Returns
    -------
    model : Codec
    untrained : list of str
        Tensors that the file does not have.

    Raises
    ------
    TrainingError
        When the file is not readable, or an array is missing, unknown, negative or of the wrong shape.
    """
    if gdn not in GDN_FORMS or gamma_order not in GAMMA_ORDERS:
        raise TrainingError(
            f"GDN form {gdn!r} with gamma {gamma_order!r} is unknown: choose {' or '.join(GDN_FORMS)}, "
            f"{' or '.join(GAMMA_ORDERS)}"
        )
    state = _array_state(_read_arrays(Path(path)), gamma_order, path)
    for name in [f"g_{part}.{i}.weight" for part in "as" for i in (0, 2, 4, 6)]:
        if name not in state:
            raise TrainingError(f"{path}: array {name.replace('weight', 'kernel')} is missing")
    if len({f"g_{part}.{i}.{key}" in state for part in "as" for i in (1, 3, 5) for key in ("beta", "gamma")}) > 1:
        raise TrainingError(f"{path}: beta or gamma of a GDN is missing: give both for g_a.1, 3, 5 and g_s.1, 3, 5")
    known = [n for n in ("g_a.0", "g_a.2", "g_a.4", "g_a.6", "h_a.0", "h_a.2", "h_a.4") if f"{n}.weight" in state]
    widths = {name: len(state[f"{name}.weight"]) for name in known}
    known = [name for name in ("g_s.0", "g_s.2", "g_s.4", "h_s.0", "h_s.2") if f"{name}.weight" in state]
    widths |= {name: state[f"{name}.weight"].shape[1] for name in known}
    form = gdn if "g_a.1.beta" in state else "none"
    options = {"n": widths["g_a.0"], "m": widths["g_a.6"], **options}
    model = build_model(ModelConfig(gdn=form, affine=False, widths=widths, **options))
    own = model.state_dict()
    untrained = [name for name in own if name not in state]
    return _filled(model, {**{name: own[name] for name in untrained}, **state}, path), untrained


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise TrainingError(f"{path} does not exist")
    try:
        with np.load(path, allow_pickle=False) as content:
            return {name: np.asarray(content[name], dtype=np.float32) for name in content.files}
    except Exception:
        raise TrainingError(f"{path} is not a readable .npz file of numbers") from None


def _array_state(arrays: Mapping[str, np.ndarray], gamma_order: str, path: str | Path) -> dict[str, Tensor]:
    state = {}
    for name, array in arrays.items():
        match = _PARTS.fullmatch(name)
        if not match:
            raise TrainingError(f"{path}: array {name} has no place: names are like g_a.0.kernel, .bias, .beta, .gamma")
        layer, what = match.groups()
        axes = {"kernel": 4, "gamma": 2}.get(what, 1)
        if array.ndim != axes:
            raise TrainingError(f"{path}: array {name} has shape {array.shape}, expected {axes} axes")
        value = torch.from_numpy(array)
        if what == "kernel":
            transposed = layer in ("h_s.0", "h_s.2") or layer.startswith("g_s")
            state[f"{layer}.weight"] = value.permute(*((2, 3) if transposed else (3, 2)), 0, 1).contiguous()
            state.setdefault(f"{layer}.bias", torch.zeros(array.shape[3]))
        elif what == "bias":
            state[name] = value
        else:
            if (array < 0).any():
                raise TrainingError(f"{path}: array {name} holds {array.min():g}; it is not negative in the formula")
            value = value.T if what == "gamma" and gamma_order == "in-out" else value
            state[name] = non_negative_init(value.contiguous())
    return state


def _filled(model: Codec, state: Mapping[str, Tensor], path: str | Path) -> Codec:
    own = model.state_dict()
    for name, value in own.items():
        if name not in state:
            raise TrainingError(f"{path}: tensor {name} is missing")
        if state[name].shape != value.shape:
            have, want = tuple(state[name].shape), tuple(value.shape)
            raise TrainingError(f"{path}: tensor {name} has shape {have}, expected {want}")
        if not torch.isfinite(state[name]).all():
            raise TrainingError(f"{path}: tensor {name} holds numbers that are not finite")
    extra = sorted(set(state) - set(own))
    if extra:
        raise TrainingError(f"{path}: tensor {extra[0]} has no place in a model of {model.config.architecture}")
    model.load_state_dict(dict(state))
    return model.eval()
