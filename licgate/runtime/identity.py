"""What a device says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from licgate.errors import DeviceError
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.runtime.device import Conversation, read_register
from licgate.target.build import BuildFacts, recall
from licgate.target.registers import IDS, PROTOCOL, Kind, Register
from licgate.target.registertable import decode

__all__ = ["Identity", "read_identity"]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A device as its registers tell of it.

    Attributes
    ----------
    kind : Kind
    model : int
        First 32 bits of the manifest's hash.
    build : int
        64 bits by which the build is known.
    clock_khz : int
    link, shape : dict of str to int
        Fields of PROTOCOL and of SHAPE.
    transforms : tuple of str
        Those that the accelerator holds.
    """

    kind: Kind
    model: int
    build: int
    clock_khz: int
    link: Mapping[str, int]
    shape: Mapping[str, int]
    transforms: tuple[str, ...]

    @property
    def facts(self) -> BuildFacts | None:
        """What its build wrote down, if that was made on this machine."""
        return recall(self.build)


def read_identity() -> Conversation[Identity]:
    """Ask a device what it is.

    Raises
    ------
    DeviceError
        It is none of licgate's, or one of another version.
    """
    number = yield from read_register(Register.ID)
    kind = next((kind for kind, known in IDS.items() if known == number), None)
    if kind is None:
        raise DeviceError(f"what answers there is no device of licgate: its ID is {number:#010x}")
    link = decode(Register.PROTOCOL, kind, (yield from read_register(Register.PROTOCOL)))
    if link["version"] != PROTOCOL:
        raise DeviceError(
            f"the device speaks version {link['version']} of the link, this program version {PROTOCOL}: "
            "build and load its bitstream again with this version of licgate, or use the version that built it"
        )
    low = yield from read_register(Register.BUILD)
    high = yield from read_register(Register.BUILD + 1)
    held = yield from read_register(Register.TRANSFORMS)
    return Identity(
        kind=kind,
        model=(yield from read_register(Register.MODEL)),
        build=low | high << 32,
        clock_khz=(yield from read_register(Register.CLOCK)),
        link=link,
        shape=decode(Register.SHAPE, kind, (yield from read_register(Register.SHAPE))),
        transforms=tuple(name for k, name in enumerate(TRANSFORM_NAMES) if held >> k & 1),
    )
