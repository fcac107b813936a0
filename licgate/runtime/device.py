"""What a host says to any accelerator behind its link, as conversations.

A conversation is a generator: it yields bytes for the device, perhaps none, and is sent the next frame that comes from
it; what it returns is its result. So the same program runs over a serial port and in a simulation.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping
from typing import TypeVar

from licgate.errors import DeviceError
from licgate.target.frames import ErrorCode, Frame, FrameType, Sums, read_frame, write_frame
from licgate.target.registers import IDS, Control, Kind, Register, Status

__all__ = [
    "OUTSTANDING",
    "Conversation",
    "LineError",
    "check_sums",
    "describe_streams",
    "expect",
    "identify",
    "named",
    "read_counters",
    "read_register",
    "reset",
    "wait_while",
    "wake",
    "write_register",
]

_Result = TypeVar("_Result")
Conversation = Generator[bytes, Frame, _Result]

#: Frames of pixels that may wait for their answer at any device; PROTOCOL says how many at this one.
OUTSTANDING = 7

#: Seconds for which something that takes a device moments is waited for.
_LONGEST_WAIT = 30.0

#: Bytes that end a frame which another host has begun, whatever it said of its length.
_END_OF_ANY_FRAME = bytes(262)


class LineError(DeviceError):
    """The line has lost or spoilt something: after `wake` the same can be tried again."""


_TITLES = {
    Kind.RESIDENT: "one with its memories on the chip",
    Kind.SDRAM: "an accelerator with external memory",
    Kind.AXI: "one beside a processor",
}

_STREAMS_A_WORD = 16
_STATES = {(0, 0): "idle", (0, 1): "waits for data", (1, 0): "held", (1, 1): "moves"}  # valid, ready


def write_register(address: int, value: int) -> Conversation[None]:
    """Write a register."""
    expect((yield write_frame(address, value)), FrameType.ACK, bytes([FrameType.WRITE]))


def read_register(address: int) -> Conversation[int]:
    """Read a register."""
    frame = yield read_frame(address)
    expect(frame, FrameType.VALUE, bytes([address]))
    return int.from_bytes(frame.payload[1:], "little")


def wake(nonce: int) -> Conversation[None]:
    """Come to an understanding with a device in whatever state another host has left it, or the line.

    When the device says the nonce, all that it sent in answer to what came before has come. Frames of a run may come
    until `reset`.

    Parameters
    ----------
    nonce : int
        32 bits that were not used before.
    """
    value = bytes([Register.SCRATCH]) + nonce.to_bytes(4, "little")
    end = time.monotonic() + _LONGEST_WAIT
    for data, answer in (
        (_END_OF_ANY_FRAME + write_frame(Register.SCRATCH, nonce), (FrameType.ACK, bytes([FrameType.WRITE]))),
        (read_frame(Register.SCRATCH), (FrameType.VALUE, value)),
    ):
        frame = yield data
        while (frame.type, frame.payload) != answer:
            if time.monotonic() > end:
                raise LineError("the device sends, and answers nothing")
            frame = yield b""


def identify(kind: Kind, *, model: str | None = None) -> Conversation[None]:
    """Make sure that the device is what it is taken for.

    Parameters
    ----------
    kind : Kind
    model : str or None
        Hash of the manifest that the accelerator must have been built of.

    Raises
    ------
    DeviceError
        It is another one.
    """
    if (found := (yield from read_register(Register.ID))) != IDS[kind]:
        raise DeviceError(f"the device's ID is {found:#010x}, {_TITLES[kind]} has {IDS[kind]:#010x}")
    if model is not None and (found := (yield from read_register(Register.MODEL))) != int(model[:8], 16):
        raise DeviceError(f"the device was built for model {found:08x}, not {model[:8]}: load that model's bitstream")


def reset() -> Conversation[None]:
    """Give up whatever is under way, and wait until that is done; what a run still sends is passed over."""
    frame = yield write_frame(Register.CONTROL, Control.RESET)
    while frame.type in (FrameType.PATCH, FrameType.LATENTS, FrameType.LATENTS_LAST) or (
        frame.payload == bytes([FrameType.PIXELS])
    ):
        frame = yield b""
    expect(frame, FrameType.ACK, bytes([FrameType.WRITE]))
    yield from wait_while(Status.BUSY, "the device does not come out of a reset: load its bitstream again")


def wait_while(flag: Status, otherwise: str) -> Conversation[None]:
    """Read STATUS until a flag of it falls.

    Raises
    ------
    DeviceError
        It does not within half a minute; ``otherwise`` says what that means.
    """
    end = time.monotonic() + _LONGEST_WAIT
    while (yield from read_register(Register.STATUS)) & flag:
        if time.monotonic() > end:
            raise DeviceError(otherwise)


def check_sums(pixels: Sums, latents: Sums) -> Conversation[None]:
    """Make sure that the accelerator took the pixels, and gave the latents, that the host sent and has, since a reset.

    Raises
    ------
    LineError
        It did not.
    """
    for register, sums in ((Register.PIXELS_SUMS, pixels), (Register.LATENTS_SUMS, latents)):
        for k, right in enumerate(sums.values):
            if (yield from read_register(register + k)) != right:
                raise LineError("what came differs from what was sent, though every frame's CRC was right")


def read_counters(names: Mapping[str, Register]) -> Conversation[dict[str, int]]:
    """Read what was counted, by names."""
    counters = {}
    for name, register in names.items():
        counters[name] = yield from read_register(register)
    return counters


def expect(frame: Frame, kind: FrameType, payload: bytes = b"") -> None:
    """Demand a frame of a kind whose payload begins so.

    Raises
    ------
    LineError
        It is another one.
    """
    if frame.type == FrameType.ERROR:
        code = frame.payload[0]
        name = ErrorCode(code).name if code in set(ErrorCode) else f"error {code}"
        raise LineError(f"the device dropped a frame ({name})")
    if frame.type != kind or not frame.payload.startswith(payload):
        raise LineError(f"the accelerator answered {named(frame)} where {kind.name} was due")


def named(frame: Frame) -> str:
    """A frame in words, for messages."""
    name = FrameType(frame.type).name if frame.type in set(FrameType) else f"a frame of type {frame.type:#x}"
    return f"{name} ({frame.payload[:5].hex()})"


def describe_streams(names: Iterable[str], words: list[int]) -> str:
    """What a watchdog's registers say of streams, in words."""
    parts = []
    for index, name in enumerate(names):
        word, bit = divmod(index, _STREAMS_A_WORD)
        valid, ready = words[word] >> 2 * bit & 1, words[word] >> 2 * bit + 1 & 1
        parts.append(f"{name} {_STATES[valid, ready]}")
    return ", ".join(parts)
