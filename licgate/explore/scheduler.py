"""Builds on the workers of a Dask cluster that is already there; the package ``distributed`` is the extra ``dask``."""

from __future__ import annotations

import contextlib
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from licgate import __version__
from licgate.errors import ERROR, ConfigError, ToolError
from licgate.explore.worker import BOARD, MODEL, OUT, build_on_worker
from licgate.files import write_whole
from licgate.synth.build import STALE

__all__ = ["Cluster", "connect"]

ANSWER = 5.0  # seconds that a scheduler has to answer
HEARTBEAT = 30.0  # seconds between two lines that say what is still missing
DESERTED = 60.0  # seconds without any worker after which what is missing is given up
_POLL = 0.2


@contextlib.contextmanager
def connect(address: str, *, timeout: float = ANSWER) -> Iterator[Cluster]:
    """Connect to a scheduler, for as long as the context lasts.

    Parameters
    ----------
    address : str
        As the scheduler prints it: ``tcp://host:port``.
    timeout : float
        Seconds that it has to answer.

    Raises
    ------
    ConfigError
        The address is none.
    ToolError
        The package is missing, or no scheduler answers.
    """
    scheme, found, rest = address.partition("://")
    if not (found and scheme in ("tcp", "tls", "ws", "wss", "ucx") and rest.rpartition(":")[2].isdecimal()):
        raise ConfigError(f"{address!r} is no address of a scheduler: give --scheduler tcp://HOST:PORT")
    try:
        from distributed import Client
    except ImportError:
        raise ToolError(
            "builds on a Dask cluster need the package distributed: pip install 'licgate[dask]', or leave --scheduler "
            "out to build on this machine"
        ) from None
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError):
        raise ToolError(
            f"no Dask scheduler answers at {address} within {timeout:g} s: start one with `dask scheduler`, or leave "
            "--scheduler out to build on this machine"
        ) from None
    try:
        yield Cluster(client, address)
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=ANSWER)


class Cluster:
    """The workers of a scheduler.

    Parameters
    ----------
    client
        A ``distributed.Client``, or what has its ``submit``, ``cancel`` and ``nthreads``.
    address : str
        For messages.
    deserted, heartbeat : float
        Seconds without any worker after which the rest is given up; seconds between two lines of progress.
    """

    def __init__(self, client, address: str, *, deserted: float = DESERTED, heartbeat: float = HEARTBEAT):
        self.client, self.address, self.deserted, self.heartbeat = client, address, deserted, heartbeat

    def run(
        self,
        builds: Sequence,
        *,
        manifest,
        board: Path | None = None,
        folder: Path,
        say: Callable[[str], None],
        finished: Callable[[str, int], None],
    ) -> None:
        """Run builds on the workers, and bring what they make into a folder here; see `route.run_here`.

        A build that fails, a worker that dies (its build goes to another one) or a cluster that is gone fails no more
        than what it had to do: ``finished`` is called for every build, and its log says why.

        Parameters
        ----------
        builds : sequence of Build
        manifest : Manifest
            Sent along: no worker needs to have the model.
        board : Path or None
            Board file, sent along as well; None for a board that every installation has.
        folder : Path
        say : callable
            Takes progress lines.
        finished : callable
            Gets key and exit code of each build, when its files are there.
        """
        model, left = _files_of(manifest), {build.key: build for build in builds}
        sent, suspects = None if board is None else board.read_bytes(), []

        def keep(key: str, outcome: dict) -> None:
            _keep(folder, key, outcome)
            del left[key]
            finished(key, outcome["code"])

        def round_of(some: Sequence) -> None:
            with contextlib.closing(self._outcomes(some, model, sent, say)) as outcomes:
                for key, outcome in outcomes:
                    if outcome is None and len(some) > 1:
                        suspects.append(left[key])
                    else:
                        keep(key, outcome or _failed("the workers that tried it died, one after the other"))

        round_of(builds)
        # Dask blames all that a dead worker had taken on, also what had not begun: alone, only the culprit dies again
        for build in suspects:
            say(f"{build.key}: a worker died; once more, alone")
            round_of([build])
        for key in list(left):
            keep(key, _failed(f"there was no worker at {self.address} for {self.deserted:g} s"))

    def _outcomes(self, builds: Sequence, model: dict, board: bytes | None, say) -> Iterator[tuple[str, dict | None]]:
        """What becomes of builds, each as it is done; None where its workers died."""
        pending, run = {}, uuid.uuid4().hex[:8]
        try:
            for build in builds:
                command = build.command(MODEL, Path(OUT), **({} if board is None else {"board": BOARD}))
                with warnings.catch_warnings():
                    # a model of some megabytes travels with each build, so that no worker's death can lose it
                    warnings.simplefilter("ignore", UserWarning)
                    pending[build.key] = self.client.submit(
                        build_on_worker,
                        command,
                        model,
                        __version__,
                        board,
                        key=f"licgate-{build.key}-{run}",
                        pure=False,
                    )
                say(f"{build.key}: sent to {self.address}")
            for key in self._done(pending, say):
                yield key, _outcome(pending.pop(key))
        finally:
            # a scheduler that is gone, in whatever words the client says so, has nothing to cancel
            with contextlib.suppress(Exception):
                self.client.cancel(list(pending.values()))

    def _done(self, pending: dict, say) -> Iterator[str]:
        """Keys of builds that are done, until there are none or nobody is left to do them."""
        alive = told = time.monotonic()
        asked, workers = float("-inf"), 0
        while pending:
            yield from [key for key, future in pending.items() if future.done()]
            now = time.monotonic()
            if now - asked >= min(self.deserted / 4, self.heartbeat):
                asked, workers = now, self._workers()
            alive = now if workers else alive
            if now - alive >= self.deserted:
                return
            if now - told >= self.heartbeat and pending:
                told = now
                say(f"{len(pending)} builds to go, {workers} workers at {self.address}")
            time.sleep(_POLL)

    def _workers(self) -> int:
        try:
            return len(self.client.nthreads())
        except Exception:  # whatever a lost connection raises: a scheduler that is gone has no workers
            return 0


def _files_of(manifest) -> dict[str, bytes]:
    from licgate.manifest import save_manifest

    with tempfile.TemporaryDirectory(prefix="licgate-") as work:
        folder = Path(work) / MODEL
        save_manifest(manifest, folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _outcome(future) -> dict | None:
    """What a build left, or a log that says why there is nothing; None where its workers died."""
    try:
        return future.result()
    except BaseException as error:
        # that of a future is an Exception here, or a CancelledError; a person's interrupt is not one of the future's
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        name = type(error).__name__
        if name == "KilledWorker":
            return None
        if "Cancelled" in name:
            return _failed("the scheduler lost it")
        text = " ".join(str(error).split()) or name
        if isinstance(error, ImportError) or "deserialization" in text:
            return _failed(f"the worker cannot load the package: install licgate {__version__} for the workers, too")
        return _failed(f"the worker could not do it: {text}")


def _failed(why: str) -> dict:
    return {"code": 2, "log": f"{ERROR}{why}\n".encode(), "files": {}}


def _keep(folder: Path, key: str, outcome: dict) -> None:
    """Put log and files of a build where a build on this machine would have put them."""
    write_whole(folder / f"{key}.log", outcome["log"])
    out = folder / key
    if outcome["files"]:
        out.mkdir(exist_ok=True)
        for name in STALE:
            if name not in outcome["files"]:
                (out / name).unlink(missing_ok=True)
    for name, content in outcome["files"].items():
        write_whole(out / Path(name).name, content)
