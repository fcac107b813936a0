"""What every verb of training does first."""

from __future__ import annotations

import ctypes

from licgate.errors import TrainingError

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
LARGEST_MAPPED, SPARE = 32 << 20, 256 << 20


def keep_memory() -> bool:
    """Let glibc keep what a step frees for the next one.

    By default it maps every larger tensor anew, and the faults of its fresh pages cost up to a sixth of a step.

    Returns
    -------
    bool
        Whether the C library could be told so; another than glibc cannot.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = ((MMAP_THRESHOLD, LARGEST_MAPPED), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, SPARE))
    return all(mallopt(*pair) == 1 for pair in wanted)


def start_torch(threads: int) -> None:
    """Import torch, or say how to install it, and set how many threads one operation may use."""
    try:
        import torch
    except ImportError:
        raise TrainingError("this verb needs torch, which is not installed: pip install 'licgate[train]'") from None
    if threads < 1:
        raise TrainingError(f"threads {threads} must be at least 1")
    torch.set_num_threads(threads)
    keep_memory()
