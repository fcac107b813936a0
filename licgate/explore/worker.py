"""What a Dask worker does: one build in a folder of its own, whose files travel there and back as bytes.

A worker needs this package, of the same version as the caller's, and nothing of the caller's file system.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from licgate import __version__
from licgate.errors import ERROR

__all__ = ["BOARD", "MODEL", "OUT", "build_on_worker", "task_is_gone"]

# what a command calls model, board file and output folder on a worker; paths, lest names that it knows be meant
MODEL, BOARD, OUT = "./model", "./board.py", "out"

# seconds between two looks at whether the caller still wants the result
POLL = 1.0


def build_on_worker(
    command: Sequence[str],
    model: Mapping[str, bytes],
    version: str,
    board: bytes | None = None,
    *,
    given_up: Callable[[], bool] | None = None,
    poll: float = POLL,
) -> dict:
    """Run a build and return what it left.

    Parameters
    ----------
    command : sequence of str
        Python (the worker takes its own) and its arguments, which call model, board and output folder `MODEL`, `BOARD`
        and `OUT`.
    model : mapping of str to bytes
        Files of the manifest.
    version : str
        Version of the caller's package.
    board : bytes or None
        Board file, where the command has it.
    given_up : callable or None
        Whether nobody waits for the build any more, which ends it; None asks the scheduler, see `task_is_gone`.
    poll : float
        Seconds between two such questions.

    Returns
    -------
    dict
        code: exit code, 2 where the worker is not of that version; log: what the build wrote; files: name to content of
        the output folder's files; worker: name of the machine.
    """
    host = platform.node()
    if version != __version__:
        why = f"the worker on {host} has licgate {__version__}, not {version}: install the same version there"
        return {"code": 2, "log": f"{ERROR}{why}\n".encode(), "files": {}, "worker": host}
    with tempfile.TemporaryDirectory(prefix="licgate-") as work:
        folder = Path(work)
        (folder / MODEL).mkdir()
        for name, content in model.items():
            (folder / MODEL / name).write_bytes(content)
        if board is not None:
            (folder / BOARD).write_bytes(board)
        code = _run([sys.executable, *command[1:]], folder, given_up or task_is_gone, poll)
        made = folder / OUT
        files = {path.name: path.read_bytes() for path in sorted(made.glob("*")) if path.is_file()}
        return {"code": code, "log": (folder / "log").read_bytes(), "files": files, "worker": host}


def _run(command: Sequence[str], folder: Path, given_up: Callable[[], bool], poll: float) -> int:
    """Run a command in a folder, to its end or until nobody waits for it any more."""
    # the package need not be installed where the worker has it on its path
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    return process.wait(poll)
                except subprocess.TimeoutExpired:
                    if given_up():
                        process.terminate()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def task_is_gone() -> bool:
    """Whether the scheduler has cancelled the task of this thread; a thread of a worker is not stopped by that."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        worker = distributed.get_worker()
        task = worker.state.tasks.get(worker.get_current_task())
    except (ValueError, AttributeError):
        # no worker's thread, or a release that keeps its tasks elsewhere: then the build just goes on to its end
        return False
    return task is None or task.state in ("cancelled", "released", "forgotten")
