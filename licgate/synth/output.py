"""The output folder: checked before the work begins, filled at its end, each file whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from licgate.errors import ConfigError

__all__ = ["OutputFolder"]


class OutputFolder:
    """A folder that results are written to.

    Parameters
    ----------
    path : Path
        Made if it is not there.

    Raises
    ------
    ConfigError
        It cannot be made or written to.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise ConfigError(f"cannot write to the output folder {self.path}: {error.strerror}") from None

    def copy(self, source: Path, name: str) -> str:
        """Copy a file in under `name`; return the name."""
        self._replace(name, lambda temporary: shutil.copyfile(source, temporary))
        return name

    def write(self, name: str, text: str) -> str:
        """Write a text file `name`; return the name."""
        self._replace(name, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        return name

    def remove(self, name: str) -> None:
        """Remove a file of an earlier build that this one does not replace."""
        (self.path / name).unlink(missing_ok=True)

    def _replace(self, name, fill) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        try:
            fill(temporary)
            temporary.replace(self.path / name)
        except OSError as error:
            raise ConfigError(f"cannot write {self.path / name}: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)
