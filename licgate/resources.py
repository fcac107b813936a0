"""Where models, boards and the C++ sources of simulations are: one's own, and those of this installation."""

from __future__ import annotations

import os
from pathlib import Path

from licgate.errors import ConfigError

__all__ = ["search_path", "shipped_folder", "simulation_source"]

PACKAGE = Path(__file__).resolve().parent


def shipped_folder(kind: str) -> Path:
    """Return the folder ``models``, ``boards`` or ``sim`` of this installation.

    It lies inside the package where that was installed, and beside it in a checkout or an editable installation.
    """
    inside = PACKAGE / "_data" / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def search_path(kind: str) -> list[Path]:
    """Return the folders in which names are looked up, in this order.

    Parameters
    ----------
    kind : str
        ``models`` or ``boards``. Folders that ``LICGATE_MODELS`` or ``LICGATE_BOARDS`` names, set apart as in ``PATH``,
        go before the one of this installation.

    Raises
    ------
    ConfigError
        A folder named there is missing or cannot be read.
    """
    variable = f"LICGATE_{kind.upper()}"
    own = [Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part]
    for folder in own:
        # access first: a folder behind one that is closed makes is_dir raise
        if not (os.access(folder, os.R_OK | os.X_OK) and folder.is_dir()):
            raise ConfigError(f"{variable} names {folder}, which is no folder that can be read: correct or unset it")
    return [*own, shipped_folder(kind)]


def simulation_source(name: str) -> Path:
    """Return a C++ source of the simulations, e.g. ``harness.cpp``; the headers that it includes lie beside it."""
    return shipped_folder("sim") / name
