"""Files of tensors written by others."""

from __future__ import annotations

from pathlib import Path

import torch

from licgate.errors import TrainingError


def load_tensor_file(path: Path, *, missing: str, unreadable: str) -> object:
    """Read a safetensors or torch file; nothing in it is executed.

    Parameters
    ----------
    path : Path
    missing, unreadable : str
        What to say of a file that is not there, or holds something else.

    Raises
    ------
    TrainingError
        With one of them.
    """
    if not path.is_file():
        raise TrainingError(missing)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # on foreign bytes the unpickler raises nearly anything
        raise TrainingError(unreadable) from None
