"""Files of tensors written by others: tensors, numbers and names are read, and no code is run."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from licgate.errors import TrainingError

__all__ = ["load_tensor_file", "state_dicts"]

DEPTH = 4
"""Levels of dicts, and of modules, that are searched for tensors."""

_OWN_FUNCTIONS = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): np.dtype,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    ("_codecs", "encode"): lambda text, name: text.encode("latin1"),
}
"""All that a pickle may call here: what makes tensors of their bytes, and names of sizes and types."""

_TYPES = (torch.dtype, torch.storage.TypedStorage, torch.storage._LegacyStorage)


class Inert:
    """Stands for an object of any class: keeps what was stored of it, and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        """Take any arguments."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *_: Any, **__: Any) -> Inert:
        return Inert()

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        """Take an item of what was a list."""

    def extend(self, _: Any) -> None:
        """Take items of what was a list."""

    def add(self, _: Any) -> None:
        """Take an item of what was a set."""


class _Unpickler(pickle.Unpickler):
    """Makes tensors; what else a file names, functions among them, becomes `Inert`."""

    def find_class(self, module: str, name: str) -> Any:
        """Give what a file may call, or a class that does nothing."""
        if (module, name) in _OWN_FUNCTIONS:
            return _OWN_FUNCTIONS[module, name]
        if module in ("torch", "torch.storage"):
            found = getattr(torch if module == "torch" else torch.storage, name, None)
            if isinstance(found, torch.dtype) or (isinstance(found, type) and issubclass(found, _TYPES[1:])):
                return found
        return Inert


def _load(file: Any, **options: Any) -> Any:
    return _Unpickler(file, **options).load()


def load_tensor_file(path: Path, *, missing: str, unreadable: str) -> object:
    """Read a safetensors or torch file; nothing in it is executed.

    Parameters
    ----------
    path : Path
    missing, unreadable : str
        What to say of a file that is not there, or holds something else.

    Raises
    ------
    TrainingError
        With one of them.
    """
    if not path.is_file():
        raise TrainingError(missing)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with path.open("rb") as file:
            if file.read(4) == b"PK\3\4" and _is_script(path):
                raise TrainingError(
                    f"checkpoint {path} is a TorchScript program: where you trust it, write its tensors with "
                    "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')"
                )
        # all that torch takes from such a module; files of older kinds are read with load
        module = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="pickle")
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    except TrainingError:
        raise
    except Exception:  # on foreign bytes the unpickler raises nearly anything
        raise TrainingError(unreadable) from None


def _is_script(path: Path) -> bool:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return any(name.split("/")[1:2] == ["code"] or name.endswith("/constants.pkl") for name in archive.namelist())


def state_dicts(content: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Find the dicts of tensors in what a file holds, whole modules among them.

    Yields
    ------
    str
        Where it stands, such as ``model.ema``; empty for the file itself.
    dict of str to Tensor
    """
    if isinstance(content, Inert):
        found = dict(_module_tensors(content, "", 0))
        if found:
            yield name, found
            return
        content = content.state
    if not isinstance(content, Mapping) or depth > DEPTH:
        return
    own = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if own:
        yield name, own
    for key, value in content.items():
        if isinstance(value, Mapping | Inert):
            yield from state_dicts(value, f"{name}.{key}" if name else str(key), depth + 1)


def _module_tensors(module: Inert, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Give the parameters and buffers of a pickled module by name."""
    state = module.state
    if not isinstance(state, Mapping) or depth > 4 * DEPTH:
        return
    for kind in ("_parameters", "_buffers"):
        part = state.get(kind)
        for key, value in part.items() if isinstance(part, Mapping) else ():
            if isinstance(value, Tensor):
                yield f"{prefix}{key}", value.detach()
    part = state.get("_modules")
    for key, value in part.items() if isinstance(part, Mapping) else ():
        if isinstance(value, Inert):
            yield from _module_tensors(value, f"{prefix}{key}.", depth + 1)
