"""The table of an accelerator's registers, from which gateware, host programs, documents, JSON and a C header come."""

from __future__ import annotations

from collections.abc import Mapping

from licgate.target.registers import Access, Control, Field, Kind, Register, RegisterEntry, Status

__all__ = ["TABLE", "decode", "encode", "entries", "entry"]

_ALL = frozenset(Kind)
_RESIDENT, _SDRAM, _AXI = (frozenset({kind}) for kind in Kind)
_STREAMED = _SDRAM | _AXI
_LINKED = _RESIDENT | _SDRAM


def _flag(flag: Control | Status, meaning: str, kinds: frozenset[Kind] = _ALL, name: str = "") -> Field:
    return Field(name or str(flag.name).lower(), flag.bit_length() - 1, 1, meaning, kinds)


_READ, _WRITE, _BOTH = Access.READ, Access.WRITE, Access.BOTH

#: Every register, by its address.
TABLE = (
    RegisterEntry(Register.ID, _READ, "tells the kinds of accelerators apart; four letters, the first in the top byte"),
    RegisterEntry(Register.MODEL, _READ, "first 32 bits of the manifest's hash"),
    RegisterEntry(
        Register.CONTROL,
        _WRITE,
        "begins a run or gives it up; a reset wins over a start",
        bits=2,
        fields=(
            _flag(Control.START, "start a run"),
            _flag(Control.RESET, "give up whatever is under way, but for transactions of a memory, which are finished"),
        ),
    ),
    RegisterEntry(
        Register.STATUS,
        _READ,
        "what the accelerator does",
        fields=(
            _flag(Status.BUSY, "a run or a reset is under way"),
            _flag(Status.DONE, "the last run is over, whatever came of it; until the next start or reset"),
            _flag(
                Status.REFUSED,
                "the last start was refused: a run or a reset was under way; or the run was: a size is zero, a patch "
                "wider than the line buffers, or the transform is not there (then `done` does not rise)",
                _RESIDENT,
            ),
            _flag(
                Status.REFUSED,
                "the last start or transfer was refused: a core was busy, another transfer or a reset under way",
                _SDRAM,
            ),
            _flag(Status.REFUSED, "the last start was refused: a run or a reset was under way", _AXI),
            _flag(Status.HUNG, "a run made no progress for WATCHDOG cycles; until the next start or reset"),
            _flag(Status.MOVING, "a transfer is under way", _SDRAM, "moving"),
            _flag(Status.FAILED, "an answer on the bus was not OKAY; until `aresetn`", _AXI, "failed"),
            Field("cores_done", 16, 16, "a bit for each core that is done", _SDRAM),
        ),
    ),
    RegisterEntry(Register.WIDTH, _BOTH, "of the image in pixels, or of the feature map in values", _RESIDENT, 16),
    RegisterEntry(Register.HEIGHT, _BOTH, "likewise", _RESIDENT, 16),
    RegisterEntry(Register.PATCH_WIDTH, _BOTH, "of a patch, likewise", _RESIDENT, 16),
    RegisterEntry(Register.PATCH_HEIGHT, _BOTH, "likewise", _RESIDENT, 16),
    RegisterEntry(
        Register.MODE,
        _BOTH,
        "what patches are: 0 margin (latents equal those of the whole image), 1 independent",
        _RESIDENT,
        1,
    ),
    RegisterEntry(Register.OVERLAP, _BOTH, "of independent patches, in pixels", _RESIDENT, 16),
    RegisterEntry(
        Register.SHAPE,
        _READ,
        "of the array",
        fields=(
            Field("rows", 0, 8, "rows of processing elements"),
            Field("cols", 8, 8, "columns of processing elements"),
            Field("max_width", 16, 16, "widest window, in pixels", _RESIDENT),
        ),
    ),
    RegisterEntry(
        Register.TRANSFORM,
        _BOTH,
        "which one the next start runs: 0 g_a, 1 h_a, 2 h_s, 3 g_s, 4 context, 5 parameters; after power-up the first "
        "that the accelerator holds",
        _RESIDENT,
        3,
    ),
    RegisterEntry(Register.TRANSFORMS, _READ, "a bit for each transform that it holds, bit 0 for g_a and so on"),
    RegisterEntry(Register.CYCLES, _READ, "clock cycles of the run", of_core=True),
    RegisterEntry(Register.BUSY, _READ, "cycles with a step of the array", of_core=True),
    RegisterEntry(Register.STALL_INPUT, _READ, "cycles without one: pixels or maps are late", of_core=True),
    RegisterEntry(Register.STALL_MEMORY, _READ, "cycles without one: weights are late", of_core=True),
    RegisterEntry(Register.STALL_OUTPUT, _READ, "cycles without one: there is no room for results", of_core=True),
    RegisterEntry(
        Register.WATCHDOG,
        _BOTH,
        "cycles without progress after which a run, of any core, counts as hung; 0 for never",
        reset=50_000_000,
    ),
    RegisterEntry(
        Register.STREAMS,
        _READ,
        "state of the streams: bit 2k is `valid` of stream k, bit 2k + 1 its `ready`, 16 streams a register",
        count=4,
        of_core=True,
    ),
    RegisterEntry(
        Register.LEVELS,
        _READ,
        "16 bits for each stream that has a level",
        _RESIDENT,
        count=2,
        of_core=True,
    ),
    RegisterEntry(Register.CORE, _BOTH, "which core the registers marked so speak of", _SDRAM, 4, reset=0),
    RegisterEntry(Register.CORES, _BOTH, "a bit for each core that CONTROL starts; after power-up all", _SDRAM, 16),
    RegisterEntry(Register.ADDRESS, _BOTH, "beat of the first command", _STREAMED, of_core=True, reset=0),
    RegisterEntry(Register.MEMORY_ADDRESS, _BOTH, "first beat of the next transfer", _SDRAM, reset=0),
    RegisterEntry(Register.MEMORY_WRITE, _WRITE, "begins a transfer of that many beats, which come as PIXELS", _SDRAM),
    RegisterEntry(Register.MEMORY_READ, _WRITE, "begins a transfer of that many beats, which go as LATENTS", _SDRAM),
    RegisterEntry(
        Register.MEMORY_SHAPE,
        _READ,
        "of the external memory",
        _STREAMED,
        fields=(
            Field("beat_bits", 0, 8, "bits of a beat"),
            Field("address_bits", 8, 8, "bits of a beat's address"),
            Field("cores", 16, 8, "how many cores there are"),
        ),
    ),
    RegisterEntry(
        Register.PROTOCOL,
        _READ,
        "what a host may expect of the link",
        _LINKED,
        fields=(
            Field(
                "version", 0, 8, "of frames and registers, 1; 0 is an older device, without the registers from here on"
            ),
            Field("frames", 8, 8, "PIXELS frames that may wait for their ACK"),
            Field("serial", 16, 1, "bytes go through a UART, whose errors LINE_ERRORS counts"),
            Field(
                "emulated", 17, 1, "a simulation: what it does is exact, how long it takes on the wall means nothing"
            ),
            Field("stream", 18, 1, "PIXELS_STREAM is taken: the way to the device holds back what it cannot take"),
        ),
        of_link=True,
    ),
    RegisterEntry(
        Register.BUILD,
        _READ,
        "64 bits by which a build is known, the low ones first: of the digest of `device.json`, which the build writes",
        _LINKED,
        count=2,
        of_link=True,
    ),
    RegisterEntry(Register.CLOCK, _READ, "of the accelerator, in kHz", _LINKED, of_link=True),
    RegisterEntry(
        Register.LINE_ERRORS,
        _READ,
        "bytes that the UART lost since power-up, modulo 65536 each",
        _LINKED,
        fields=(
            Field("framing", 0, 16, "bytes without a stop bit"),
            Field("overflow", 16, 16, "bytes that nobody took in time"),
        ),
        of_link=True,
    ),
    RegisterEntry(Register.SCRATCH, _BOTH, "holds what is written, and means nothing", _LINKED, reset=0, of_link=True),
    RegisterEntry(
        Register.PIXELS_SUMS,
        _READ,
        "of what the accelerator took since the last reset, 24 bits a pixel: the sum s of all, and the sum of s behind "
        "each of them, modulo 2^32",
        _LINKED,
        count=2,
        of_link=True,
    ),
    RegisterEntry(
        Register.LATENTS_SUMS,
        _READ,
        "likewise of the latents that it gave, 16 bits each",
        _LINKED,
        count=2,
        of_link=True,
    ),
)

_ENTRIES = {row.register: row for row in TABLE}


def entry(register: Register) -> RegisterEntry:
    """Row of a register."""
    return _ENTRIES[register]


def entries(kind: Kind) -> tuple[RegisterEntry, ...]:
    """Rows of the registers that an accelerator has."""
    return tuple(row for row in TABLE if kind in row.kinds)


def encode(register: Register, kind: Kind, **values: int) -> int:
    """Value of a register of fields.

    Raises
    ------
    ValueError
        The register has no such field, or a value does not fit into it.
    """
    fields = {field.name: field for field in entry(register).fields_of(kind)}
    word = 0
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"{register.name} has no field {name!r} in accelerators of kind {kind.value}")
        if not 0 <= value < 1 << fields[name].width:
            raise ValueError(f"{name} of {register.name} has {fields[name].width} bits, {value} does not fit")
        word |= value << fields[name].low
    return word


def decode(register: Register, kind: Kind, word: int) -> Mapping[str, int]:
    """Fields of a register's value, by their names."""
    return {field.name: (word & field.mask) >> field.low for field in entry(register).fields_of(kind)}
