"""Transforms on streamed cores: how an input is cut for them, and how what they give is put together."""

from __future__ import annotations

from collections.abc import Sequence

from licgate.errors import ConfigError
from licgate.manifest import Manifest
from licgate.manifest.checks import AnyIntegers
from licgate.program.cores import CoreJob, core_jobs
from licgate.program.streamed import compile_streamed
from licgate.runtime.outcome import PatchResult
from licgate.runtime.transforms import check_input
from licgate.target.streamed import StreamedConfig

__all__ = ["StreamedTransforms"]


class StreamedTransforms:
    """Streamed cores with their memory, wherever they run.

    Parameters
    ----------
    manifest : Manifest
    config : StreamedConfig
    transforms : sequence of str
        Those that the accelerator contains.
    cores : int
        Each takes a strip of the input.

    Raises
    ------
    ConfigError
        The array does not run one of the transforms.

    Attributes
    ----------
    program : StreamedProgram
    config : StreamedConfig
    multipliers : int
        Of all cores.
    """

    counts = "cycles"

    def __init__(
        self, manifest: Manifest, config: StreamedConfig, transforms: Sequence[str], *, cores: int = 1
    ) -> None:
        self.program = compile_streamed([manifest.transforms[name] for name in transforms], config)
        self.manifest, self.config, self.cores = manifest, config, cores

    @property
    def multipliers(self) -> int:
        """Multipliers of all cores."""
        return self.cores * self.config.multipliers

    def _jobs(
        self, name: str, x: AnyIntegers, *, patch: int | None = None, independent: bool = False, overlap: int = 0
    ) -> list[CoreJob]:
        """What each core does for an input."""
        if patch is not None or independent or overlap:
            raise ConfigError("patches are for accelerators without external memory")
        chain = self.program.chain_of(name)
        check_input(chain.transform, x)
        return core_jobs(self.program, chain, x.shape[2], x.shape[1], self.cores)

    @staticmethod
    def _results(jobs: Sequence[CoreJob], outputs: Sequence[AnyIntegers]) -> tuple[PatchResult, ...]:
        """What counts of what each core gave."""
        results = []
        for job, output in zip(jobs, outputs, strict=True):
            p = job.patch
            results.append(PatchResult(p.x, p.y, p.width, p.height, p.out_x, p.out_y, job.kept(output), 0))
        return tuple(results)
