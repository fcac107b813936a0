"""Files that are written whole or not at all."""

import os
import threading
from pathlib import Path

from licgate.errors import ConfigError

__all__ = ["temporary_beside", "write_whole"]


def temporary_beside(path: str | Path) -> Path:
    """Return the name under which a file is written before it is moved to `path`; short, as `path` may be long."""
    return Path(path).with_name(f".licgate-{os.getpid()}-{threading.get_ident()}.tmp")


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
        if path.exists() and not path.is_file():
            raise ConfigError(f"cannot write {path}: not a regular file")
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)
