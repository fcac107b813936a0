"""What every verb of training does first."""

from __future__ import annotations

from licgate.errors import TrainingError


def start_torch(threads: int) -> None:
    """Import torch, or say how to install it, and set how many threads one operation may use."""
    try:
        import torch
    except ImportError:
        raise TrainingError("this verb needs torch, which is not installed: pip install 'licgate[train]'") from None
    if threads < 1:
        raise TrainingError(f"threads {threads} must be at least 1")
    torch.set_num_threads(threads)
