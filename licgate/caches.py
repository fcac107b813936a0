"""Folders for what can be made again: of this user, or of this process alone where those cannot be written."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
import threading
from pathlib import Path

__all__ = ["cache_folder", "usable"]

# what stands in for folders that cannot be written
_instead: dict[Path, Path] = {}
_lock = threading.Lock()


def cache_folder(*parts: str) -> Path:
    """Return a folder below the cache of licgate, made and writable.

    It is ``licgate`` in ``$XDG_CACHE_HOME`` or ``~/.cache`` (or where else the system keeps caches), if that can be
    written, else see `usable`.
    """
    import platformdirs

    return usable(Path(platformdirs.user_cache_dir("licgate", appauthor=False), *parts), "XDG_CACHE_HOME")


def usable(folder: Path, variable: str) -> Path:
    """Return a folder for a cache: the one that is asked for, or, with a note on standard error, a temporary one.

    Without a cache things take longer; that is no reason to fail. The temporary one goes when the process ends.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    variable : str
        The environment variable that would name another one.
    """
    try:
        if not folder.is_absolute():  # no home that "~" could stand for
            raise FileNotFoundError(None, "there is no home folder")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        with _lock:
            if folder not in _instead:
                _instead[folder] = _temporary()
                print(
                    f"licgate: note: nothing is kept for the next run: cannot write to {folder}: {error.strerror} "
                    f"({variable} can name another place)",
                    file=sys.stderr,
                    flush=True,
                )
            return _instead[folder]


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="licgate-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
