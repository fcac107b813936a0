"""One backend for each memory that weights and feature maps can lie in: ``chip``, ``sdram`` and ``axi``.

A backend settles the configuration of an accelerator, fits it to a board, makes it, counts what it costs, and puts it
on a simulator; see :class:`licgate.backends.base.Backend`. Verbs parse, choose a backend by its name, and print.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from licgate.errors import ConfigError

if TYPE_CHECKING:
    from licgate.backends.base import Backend

__all__ = ["get_backend"]

_BACKENDS = {"chip": "Chip", "sdram": "Sdram", "axi": "Axi"}


def get_backend(name: str) -> Backend:
    """The backend that ``--memory`` calls so; what it needs is imported when it is asked for.

    Raises
    ------
    ConfigError
        There is none.
    """
    if name not in _BACKENDS:
        raise ConfigError(f"memory {name!r} is unknown; there are {', '.join(_BACKENDS)}")
    return getattr(importlib.import_module(f"licgate.backends.{name}"), _BACKENDS[name])()
