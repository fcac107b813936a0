"""Files that are written whole or not at all."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from licgate.errors import ConfigError

__all__ = ["removed", "temporary_beside", "write_whole"]


def temporary_beside(path: str | Path) -> Path:
    """Return the name under which a file is written before it is moved to `path`; short, as `path` may be long."""
    return Path(path).with_name(f".licgate-{os.getpid()}-{threading.get_ident()}.tmp")


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
