"""A folder that is written whole: under a temporary name, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from licgate.errors import ConfigError
from licgate.files import check_new

__all__ = ["check_folder", "write_folder"]


def check_folder(path: Path, mark: str, *, force: bool = False) -> None:
    """Make sure, before long work, that a folder can be written.

    Parameters
    ----------
    path : Path
        Not there yet, or empty.
    mark : str
        Name of a file that tells a folder which may be replaced.
    force : bool
        Replace it.

    Raises
    ------
    ConfigError
        It cannot be made, or holds something that is not to be replaced.
    """
    check_new(path)
    if not path.exists():
        return
    if not path.is_dir():
        raise ConfigError(f"{path} is no folder: give another --out")
    if not any(path.iterdir()):
        return
    if not (path / mark).is_file():
        raise ConfigError(f"{path} holds files of others: give another --out")
    if not force:
        raise ConfigError(f"{path} holds an accelerator already: give another --out, or --force to replace it")


def write_folder(path: Path, files: Mapping[str, str]) -> None:
    """Write a folder of text files, in place of the one that is there.

    Parameters
    ----------
    path : Path
        `check_folder` has seen it.
    files : mapping of str to str
        Their contents, by their names; a name may have folders in front.

    Raises
    ------
    ConfigError
        It cannot be written; what was there is there still.
    """
    path = path.absolute()
    new, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("new", "old"))
    try:
        for name, content in files.items():
            target = new / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
