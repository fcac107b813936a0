"""Registers of an accelerator: addresses, flags, and what a row of their table says; the rows are in `registertable`.

An address or a flag is written down here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

__all__ = [
    "ADDRESS_WIDTH",
    "COUNTERS",
    "IDS",
    "PROTOCOL",
    "STREAMED_COUNTERS",
    "Access",
    "Control",
    "Field",
    "Kind",
    "Register",
    "RegisterEntry",
    "Status",
]

#: Of a register's address.
ADDRESS_WIDTH = 6

#: Version of frames and registers: a host that knows another one does not know what it talks to.
PROTOCOL = 1


class Kind(Enum):
    """Which accelerator: with its memories on the chip, or with cores at an SDRAM or at an AXI4 bus."""

    RESIDENT = "resident"
    SDRAM = "sdram"
    AXI = "axi"


class Access(Enum):
    """What a host may do with a register."""

    READ = "read"
    WRITE = "write"
    BOTH = "read, write"


class Register(IntEnum):
    """Addresses; of several registers in a row, the first."""

    ID = 0
    MODEL = 1
    CONTROL = 2
    STATUS = 3
    WIDTH = 4
    HEIGHT = 5
    PATCH_WIDTH = 6
    PATCH_HEIGHT = 7
    MODE = 8
    OVERLAP = 9
    SHAPE = 10
    TRANSFORM = 11
    TRANSFORMS = 12
    CYCLES = 16
    BUSY = 17
    STALL_INPUT = 18
    STALL_MEMORY = 19
    STALL_OUTPUT = 20
    WATCHDOG = 21
    STREAMS = 24
    LEVELS = 28
    CORE = 32
    CORES = 33
    ADDRESS = 34
    MEMORY_ADDRESS = 35
    MEMORY_WRITE = 36
    MEMORY_READ = 37
    MEMORY_SHAPE = 38
    PROTOCOL = 48
    BUILD = 49
    CLOCK = 51
    LINE_ERRORS = 52
    SCRATCH = 53
    PIXELS_SUMS = 54
    LATENTS_SUMS = 56


class Control(IntFlag):
    """Bits of CONTROL."""

    START = 1 << 0
    RESET = 1 << 1


class Status(IntFlag):
    """Flags of STATUS; the two names of bit 4 are of different accelerators."""

    BUSY = 1 << 0
    DONE = 1 << 1
    REFUSED = 1 << 2
    HUNG = 1 << 3
    MOVING = 1 << 4
    FAILED = 1 << 4


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Attributes
    ----------
    name : str
    low, width : int
        Place of the lowest bit, and how many there are.
    meaning : str
        For the documents.
    kinds : frozenset of Kind
        Accelerators that have it.
    """

    name: str
    low: int
    width: int
    meaning: str
    kinds: frozenset[Kind] = frozenset(Kind)

    @property
    def mask(self) -> int:
        """Its bits in the register."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class RegisterEntry:
    """A row of the table.

    Attributes
    ----------
    register : Register
    access : Access
    meaning : str
        For the documents.
    kinds : frozenset of Kind
        Accelerators that have it.
    bits : int
        The most that it holds; an accelerator may have fewer.
    fields : tuple of Field
        None where the register is one number.
    count : int
        The most registers in a row, from the address on.
    of_core : bool
        There is one for each core, and CORE says which is meant.
    of_link : bool
        It lies in the host link, not in the accelerator.
    reset : int or None
        Value after power-up; None where it depends on the accelerator, or on what it does.
    """

    register: Register
    access: Access
    meaning: str
    kinds: frozenset[Kind] = frozenset(Kind)
    bits: int = 32
    fields: tuple[Field, ...] = ()
    count: int = 1
    of_core: bool = False
    of_link: bool = False
    reset: int | None = None

    @property
    def name(self) -> str:
        """Its name in the gateware and in JSON."""
        return self.register.name.lower()

    def fields_of(self, kind: Kind) -> tuple[Field, ...]:
        """Fields that an accelerator has."""
        return tuple(field for field in self.fields if kind in field.kinds)


#: What the register ID says.
IDS = {
    Kind.RESIDENT: int.from_bytes(b"LICG", "big"),
    Kind.SDRAM: int.from_bytes(b"LICS", "big"),
    Kind.AXI: int.from_bytes(b"LICZ", "big"),
}

#: Names of what an accelerator counts, with where they are read.
COUNTERS = {
    "cycles": Register.CYCLES,
    "busy": Register.BUSY,
    "stall_input": Register.STALL_INPUT,
    "stall_memory": Register.STALL_MEMORY,
    "stall_output": Register.STALL_OUTPUT,
}

#: The same registers by the names that a streamed core's counters have.
STREAMED_COUNTERS = dict(
    zip(("busy", "steps", "wait_map", "wait_weights", "wait_output"), COUNTERS.values(), strict=True)
)
