"""Whether a device computes in bfloat16 faster than in float32."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

CPU_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
"""Flags of Linux's /proc/cpuinfo. Without such units a step under bfloat16 autocast takes half as long again."""


@cache
def cpu_flags(path: str = "/proc/cpuinfo") -> frozenset[str]:
    """Give the flags of the first processor, or nothing where there is no such file."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return not CPU_FLAGS.isdisjoint(cpu_flags())
