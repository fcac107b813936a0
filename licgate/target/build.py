"""What a host has to know of a build, and the number by which a device says which one it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from licgate import __version__
from licgate.caches import cache_folder
from licgate.errors import ConfigError
from licgate.files import write_whole
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import PROTOCOL, Kind
from licgate.target.streamed import StreamedConfig

__all__ = ["DEVICE_FILE", "BuildFacts", "read_facts", "recall", "remember"]

#: What a build calls the file of its facts.
DEVICE_FILE = "device.json"

_CONFIGS = {Kind.RESIDENT: AcceleratorConfig, Kind.SDRAM: StreamedConfig}


@dataclass(frozen=True, kw_only=True)
class BuildFacts:
    """A build as its host knows it.

    Attributes
    ----------
    kind : Kind
    board : str
        Name.
    model, hash : str
        Name of the model, and hash of its manifest.
    transforms : tuple of str
        Those that the accelerator holds.
    config : AcceleratorConfig
        A StreamedConfig with external memory.
    clock_khz : int
    cores : int
    licgate : str
        Version that made it.
    protocol : int
        Of the link.
    link : str
        The way to the host.
    """

    kind: Kind
    board: str
    model: str
    hash: str
    transforms: tuple[str, ...]
    config: AcceleratorConfig
    clock_khz: int
    cores: int = 1
    licgate: str = __version__
    protocol: int = PROTOCOL
    link: str = "serial"

    @property
    def build(self) -> int:
        """64 bits of the digest of all that, which the register BUILD holds."""
        text = json.dumps(self.document(), sort_keys=True, separators=(",", ":"))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    @property
    def name(self) -> str:
        """That number as people are shown it."""
        return f"{self.build:016x}"

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        plain = asdict(self)
        if self.link == "serial":  # as builds of before there was another one have it
            del plain["link"]
        return plain | {"kind": self.kind.value, "transforms": list(self.transforms)}

    def text(self) -> str:
        """The file `DEVICE_FILE`."""
        return json.dumps({"build": self.name} | self.document(), indent=2) + "\n"


def _of_document(document: Mapping[str, Any]) -> BuildFacts:
    """The facts of a document; KeyError, TypeError or ValueError if it is none, ConfigError if it makes no sense."""
    given = {"link": "serial", **document}
    values = {field.name: given[field.name] for field in fields(BuildFacts)}
    kind = Kind(values["kind"])
    config = _CONFIGS[kind](**values["config"])
    return BuildFacts(**values | {"kind": kind, "transforms": tuple(values["transforms"]), "config": config})


def read_facts(path: Path) -> BuildFacts:
    """Read the facts of a build.

    Parameters
    ----------
    path : Path
        The file, or the folder of the build.

    Raises
    ------
    ConfigError
        There is no such file, or it is not what a build of this version writes.
    """
    path = path / DEVICE_FILE if path.is_dir() else path
    try:
        document = json.loads(path.read_bytes())
        facts = _of_document(document)
        if document["build"] != facts.name:
            raise ValueError("it was changed")
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}: name a folder that licgate build has filled"
        ) from None
    except (KeyError, TypeError, ValueError, RecursionError, ConfigError) as error:
        raise ConfigError(
            f"{path} is not what a build of licgate {__version__} writes ({error}): build again"
        ) from None
    return facts


def remember(facts: BuildFacts) -> None:
    """Keep the facts of a build, so that its device is known when it is met."""
    write_whole(cache_folder("devices") / f"{facts.name}.json", facts.text())


def recall(build: int) -> BuildFacts | None:
    """The facts of a build that was made on this machine; None if there is none that is remembered."""
    try:
        return read_facts(cache_folder("devices") / f"{build:016x}.json")
    except ConfigError:
        return None
