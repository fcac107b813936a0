"""Training on several devices under torchrun: which process is which, and the few numbers that all must agree on."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from licgate.errors import TrainingError


@dataclass(frozen=True)
class Rank:
    """One process among its peers.

    Attributes
    ----------
    index, count : int
        Which of how many.
    device : torch.device
    """

    index: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this one reports and saves."""
        return self.index == 0

    def describe(self) -> str:
        """Say where and on how many devices training runs."""
        return f"{self.count} x {self.device.type}" if self.count > 1 else self.device.type

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Average numbers over all ranks, which then hold the same ones to the last bit."""
        if self.count == 1:
            return dict(values)
        packed = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(packed)
        return dict(zip(values, (packed / self.count).tolist(), strict=True))

    def wait(self) -> None:
        """Wait for all others, so that what the first one has written is there for all."""
        if self.count > 1:
            dist.barrier()

    def wrap(self, module: nn.Module) -> nn.Module:
        """Average gradients over all ranks."""
        if self.count == 1:
            return module
        # Each step uses the same parameters, perhaps not all; torch notices which ones in the first step.
        return DistributedDataParallel(module, static_graph=True)


def reports() -> bool:
    """Whether this process is the one that talks, also outside a run."""
    return os.environ.get("RANK", "0") == "0"


def choose_device(name: str) -> torch.device:
    """Turn auto, cpu or cuda into a device.

    Raises
    ------
    TrainingError
        When there is no GPU to take.
    """
    cuda = torch.cuda.is_available()
    if name == "cuda" and not cuda:
        raise TrainingError("device cuda is not there: install a torch with CUDA, or give --device cpu")
    return torch.device("cuda" if cuda and name != "cpu" else "cpu")


@contextmanager
def join_ranks(device: str) -> Iterator[Rank]:
    """Join the peers that torchrun started, if it did.

    Kernels that give another result each time are switched off meanwhile.
    """
    place = choose_device(device)
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if place.index >= torch.cuda.device_count():
            raise TrainingError(
                f"process {place.index} has no GPU of its own: start at most {torch.cuda.device_count()} a machine"
            )
        torch.cuda.set_device(place)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        if count == 1:
            yield Rank(0, 1, place)
            return
        if not dist.is_initialized():
            dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
            # A second run of the same processes uses the group again: one launch of torchrun makes but one.
            atexit.register(dist.destroy_process_group)
        yield Rank(dist.get_rank(), dist.get_world_size(), place)
