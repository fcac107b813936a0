"""What a host says to any accelerator behind its link, as conversations.

A conversation is a generator: it yields bytes for the device, perhaps none, and is sent the next frame that comes from
it; what it returns is its result. So the same program runs over a serial port and in a simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TypeVar

from licgate.errors import DeviceError
from licgate.target.frames import Frame, FrameType, read_frame, write_frame
from licgate.target.registers import IDS, Control, Kind, Register, Status

__all__ = [
    "OUTSTANDING",
    "Conversation",
    "describe_streams",
    "expect",
    "identify",
    "named",
    "read_counters",
    "read_register",
    "reset",
    "talk",
    "write_register",
]

_Result = TypeVar("_Result")
Conversation = Generator[bytes, Frame, _Result]

#: Frames of pixels that may wait for their answer.
OUTSTANDING = 7

_TITLES = {
    Kind.RESIDENT: "one with its memories on the chip",
    Kind.SDRAM: "an accelerator with external memory",
    Kind.AXI: "one beside a processor",
}

_STREAMS_A_WORD = 16
_STATES = {(0, 0): "idle", (0, 1): "waits for data", (1, 0): "held", (1, 1): "moves"}  # valid, ready


def talk(conversation: Conversation[_Result], send: Callable[[bytes], object], receive: Callable[[], Frame]) -> _Result:
    """Hold a conversation; return its result.

    Parameters
    ----------
    conversation : generator
    send : callable
        Sends bytes.
    receive : callable
        Returns the next :class:`~licgate.target.frames.Frame`.
    """
    data = next(conversation)
    while True:
        if data:
            send(data)
        try:
            data = conversation.send(receive())
        except StopIteration as stop:
            result: _Result = stop.value
            return result


def write_register(address: int, value: int) -> Conversation[None]:
    """Write a register."""
    expect((yield write_frame(address, value)), FrameType.ACK, bytes([FrameType.WRITE]))


def read_register(address: int) -> Conversation[int]:
    """Read a register."""
    frame = yield read_frame(address)
    expect(frame, FrameType.VALUE, bytes([address]))
    return int.from_bytes(frame.payload[1:], "little")


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
    """Give up whatever is under way, and wait until that is done."""
    yield from write_register(Register.CONTROL, Control.RESET)
    while (yield from read_register(Register.STATUS)) & Status.BUSY:
        pass


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
    DeviceError
        It is another one.
    """
    if frame.type != kind or not frame.payload.startswith(payload):
        raise DeviceError(f"the accelerator answered {named(frame)} where {kind.name} was due")


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
