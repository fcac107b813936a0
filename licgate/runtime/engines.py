"""Devices as engines: they run a transform as simulated gateware and the integer reference do, to the same values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from licgate.errors import DeviceError
from licgate.manifest import Manifest, Transform
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.reference import run_transform
from licgate.runtime import resident, streamed
from licgate.runtime.connection import Connection
from licgate.runtime.device import Conversation, LineError
from licgate.runtime.identity import Identity
from licgate.runtime.outcome import Outcome, Ran, Task
from licgate.runtime.streamedtransforms import StreamedTransforms
from licgate.runtime.transforms import Progress, ResidentTransforms
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Kind, Register
from licgate.target.streamed import StreamedConfig

__all__ = ["DeviceRun", "ResidentEngine", "StreamedEngine", "device_engine"]

#: Seconds without progress after which a run counts as hung, and cycles where seconds mean nothing.
_HUNG_SECONDS, _HUNG_CYCLES = 0.5, 2_000_000


def check_model(identity: Identity, manifest: Manifest) -> None:
    """Refuse a device that was built of another model; a DeviceError says what to do."""
    if identity.model != int(manifest.hash[:8], 16):
        facts = identity.facts
        of = f"{facts.model} ({identity.model:08x})" if facts else f"{identity.model:08x}"
        raise DeviceError(
            f"the device was built for model {of}, not {manifest.name} ({manifest.hash[:8]}): give --model, or load "
            "that model's bitstream"
        )


def check_device(identity: Identity, manifest: Manifest, transforms: Sequence[str]) -> None:
    """Refuse a device of another model, or without one of the transforms."""
    check_model(identity, manifest)
    if missing := [name for name in transforms if name not in identity.transforms]:
        raise DeviceError(f"the device holds {', '.join(identity.transforms)}, not {', '.join(missing)}")


def engine_facts(connection: Connection) -> dict[str, Any]:
    """What a result says of the device that gave it."""
    return {"engine": "board", "port": connection.address, "build": f"{connection.identity.build:016x}"}


def watchdog_of(identity: Identity) -> int:
    """Cycles without progress after which a run of a device counts as hung."""
    return _HUNG_CYCLES if identity.link["emulated"] else max(1, round(identity.clock_khz * 1e3 * _HUNG_SECONDS))


class ResidentEngine(ResidentTransforms):
    """A device with its memories on the chip.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
    transforms : sequence of str
        Of those that the device holds.

    Raises
    ------
    DeviceError
        It was built of another model, or lacks one of the transforms.

    Attributes
    ----------
    facts : dict
        What a result says of it.
    """

    def __init__(self, connection: Connection, manifest: Manifest, transforms: Sequence[str]) -> None:
        self._connection, identity = connection, connection.identity
        check_device(identity, manifest, transforms)
        shape = {name: identity.shape[name] for name in ("rows", "cols", "max_width")}
        config = identity.facts.config if identity.facts else AcceleratorConfig(**shape)  # type: ignore[arg-type]
        # of all that it holds: how wide its lines are depends on them
        super().__init__(manifest, config, identity.transforms)
        self.facts = engine_facts(connection)

    def _carried_out(self, task: Task, progress: Callable[[int], object] | None) -> Outcome:
        return self._connection.hold(partial(self._conversation, task, progress))

    def _conversation(self, task: Task, progress: Callable[[int], object] | None) -> Conversation[Outcome]:
        identity = self._connection.identity
        settings = {Register.WATCHDOG: watchdog_of(identity)}
        settings |= {Register(address): value for address, value in task.registers if address != Register.CONTROL}
        outcome = yield from resident.run(
            task.words,
            settings,
            model=self.manifest.hash,
            outstanding=identity.link["frames"],
            stream=self._connection.streams,
            progress=progress,
        )
        if wrong := task.wrong(outcome):
            raise LineError(wrong)
        return outcome


class StreamedEngine(StreamedTransforms):
    """A device with cores at an SDRAM.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
    transforms : sequence of str
        Of those that the device holds.

    Raises
    ------
    DeviceError
        It was built of another model, lacks one of the transforms, or its build is not known: where weights and maps
        lie is for the host to say, and depends on all of the configuration.

    Attributes
    ----------
    facts : dict
        What a result says of it.
    """

    def __init__(self, connection: Connection, manifest: Manifest, transforms: Sequence[str]) -> None:
        self._connection, identity = connection, connection.identity
        check_device(identity, manifest, transforms)
        known = identity.facts
        if known is None or not isinstance(known.config, StreamedConfig):
            raise DeviceError(
                f"the device is of build {identity.build:016x}, which was not made on this machine: give the folder of "
                "its build, with device.json in it, as --build"
            )
        super().__init__(manifest, known.config, identity.transforms, cores=known.cores)
        self.facts = engine_facts(connection)

    def run(
        self,
        name: str,
        x: AnyIntegers,
        *,
        progress: Progress | None = None,
        **patching: Any,
    ) -> Ran:
        """Run a transform, without patches; see :meth:`licgate.runtime.transforms.ResidentTransforms.run`.

        Counters are sums over the cores, ``cycles`` the most that one took.
        """
        jobs, identity = self._jobs(name, x, **patching), self._connection.identity
        schedules, inputs = [job.schedule for job in jobs], [job.input(x) for job in jobs]
        make = partial(
            streamed.run,
            schedules,
            inputs,
            model=self.manifest.hash,
            outstanding=identity.link["frames"],
            stream=self._connection.streams,
            watchdog=watchdog_of(identity),
        )
        outputs, counters = self._connection.hold(make)
        results = self._results(jobs, outputs)
        if progress is not None:
            total = sum(result.values.size for result in results)
            progress(total, total)
        sums = {key: sum(core[key] for core in counters) for key in counters[0]}
        return Ran(results, {"cycles": max(core["busy"] for core in counters)} | sums)


def device_engine(
    connection: Connection, manifest: Manifest, transforms: Sequence[str]
) -> ResidentEngine | StreamedEngine:
    """The engine of a device, of whichever kind it is.

    Raises
    ------
    DeviceError
        It was built of another model, or lacks one of the transforms.
    """
    engine = StreamedEngine if connection.identity.kind is Kind.SDRAM else ResidentEngine
    return engine(connection, manifest, transforms)


class DeviceRun:
    """A device as the codec wants it: ``run(transform, x) -> ndarray``; what it does not hold, the reference runs.

    Parameters
    ----------
    connection : Connection
    manifest : Manifest
    wanted : sequence of str
        Transforms of which it has to hold one at least.
    progress : callable or None
        Called with (transform, values so far, values in all).

    Raises
    ------
    DeviceError
        It was built of another model, or holds none of them.

    Attributes
    ----------
    held, host : tuple of str
        Transforms that the device runs, and that the reference does.
    """

    def __init__(
        self,
        connection: Connection,
        manifest: Manifest,
        wanted: Sequence[str],
        progress: Callable[[str, int, int], object] | None = None,
    ) -> None:
        here = connection.identity.transforms
        check_model(connection.identity, manifest)
        if not set(here) & set(wanted):
            raise DeviceError(
                f"the device holds {', '.join(here)}, and {' or '.join(wanted)} is needed: load a build of another "
                "--mode, or use another --engine"
            )
        self.held, self._transforms, self._progress = here, manifest.transforms, progress
        self.host = tuple(name for name in wanted if name not in here)
        self._engine = device_engine(connection, manifest, here)

    def __call__(self, transform: Transform, x: AnyIntegers) -> Integers:
        """Run a transform of the model on x, (C, H, W); int64 of shape (C', H', W')."""
        name = transform.name
        if name not in self.held:
            return run_transform(transform, x).astype(np.int64, copy=False)
        report = None if self._progress is None else partial(self._progress, name)
        ran = self._engine.run(name, np.asarray(x), progress=report)
        if wrong := sum(p.misplaced for p in ran.patches):
            raise DeviceError(f"{name}: {wrong} marks of the last value are out of place")
        return ran.output()
