"""Files that are written whole or not at all."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from licgate.errors import ConfigError

__all__ = ["check_new", "check_writable", "removed", "temporary_beside", "write_whole"]


def temporary_beside(path: str | Path) -> Path:
    """Return the name under which a file is written before it is moved to `path`; short, as `path` may be long."""
    return Path(path).with_name(f".licgate-{os.getpid()}-{threading.get_ident()}.tmp")


def check_new(path: str | Path) -> None:
    """Make sure, before long work, that a file or folder can be made under a name, its folders included.

    Raises
    ------
    ConfigError
        If it cannot.
    """
    path = Path(path)
    try:
        path.exists()  # some names are too long
        place = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
        temporary = temporary_beside(place / "x")
        with removed(temporary):
            temporary.touch()
        if not path.parent.is_dir() and not all(p.is_dir() for p in path.parents if p.exists()):
            raise ConfigError(f"cannot write {path}: a part of its path is a file")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def check_writable(path: str | Path) -> None:
    """Make sure, before long work, that a file can be written in a folder that is there.

    Raises
    ------
    ConfigError
        If it cannot.
    """
    path = Path(path)
    try:
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
            raise ConfigError(f"cannot write {path}: its folder is missing or read-only, or it is a folder")
        # replacing a device by a file would harm the system
        if path.exists() and not path.is_file():
            raise ConfigError(f"cannot write {path}: not a regular file")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from None


@contextmanager
def removed(path: Path) -> Iterator[None]:
    """Remove a temporary file in the end, if it is still there; what keeps it from that is no error of its own."""
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file under a temporary name, then rename it.

    Parameters
    ----------
    path : Path
    content : bytes or str
        Text is written as UTF-8.

    Raises
    ------
    ConfigError
        It cannot be written, or stands for something else than a file: replacing a device would harm the system.
    """
    temporary = temporary_beside(path)
    try:
        with removed(temporary):
            if path.exists() and not path.is_file():
                raise ConfigError(f"cannot write {path}: not a regular file")
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from None
