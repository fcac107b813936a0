"""The host's side of an accelerator with external memory, as conversations: see `licgate.runtime.device`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from licgate.errors import DeviceError
from licgate.manifest.checks import AnyIntegers
from licgate.program.commands import command_beats
from licgate.program.records import Beats
from licgate.program.schedule import Schedule
from licgate.runtime.device import (
    OUTSTANDING,
    Conversation,
    LineError,
    check_sums,
    describe_streams,
    expect,
    identify,
    named,
    read_counters,
    read_register,
    reset,
    wait_while,
    write_register,
)
from licgate.target.frames import FrameType, Sums, pixel_frames, read_frame
from licgate.target.registers import STREAMED_COUNTERS, Control, Kind, Register, Status
from licgate.target.registertable import decode

__all__ = ["STREAM_NAMES", "download", "read_register", "run", "upload", "write_register"]

#: Streams that a core's watchdog sees, in their order.
STREAM_NAMES = (
    "weights",
    "load",
    "band",
    "passes",
    "tiles",
    "writes",
    "records",
    "words",
    "commands request",
    "weights request",
    "maps request",
    "results request",
)


def upload(
    address: int,
    beats: AnyIntegers,
    beat_bits: int = 16,
    *,
    sums: Sums | None = None,
    outstanding: int = OUTSTANDING,
    stream: bool = False,
) -> Conversation[None]:
    """Write beats to memory.

    Parameters
    ----------
    address : int
        Of the first one.
    beats : ndarray of int
    beat_bits : int
    sums : Sums or None
        Takes what is sent.
    outstanding : int
        PIXELS frames that may wait for their ACK.
    stream : bool
        PIXELS_STREAM frames go instead: see :attr:`licgate.runtime.connection.Connection.streams`.
    """
    if not len(beats):
        return
    yield from write_register(Register.MEMORY_ADDRESS, address)
    yield from write_register(Register.MEMORY_WRITE, len(beats))
    _check_begun((yield from read_register(Register.STATUS)))
    data = _bytes(beats, beat_bits)
    data += bytes(-len(data) % 3)
    if sums is not None:
        sums.add_bytes(data)
    if stream:
        yield from _streamed(data)
    else:
        yield from _acknowledged(data, outstanding)
    yield from wait_while(Status.MOVING, "the memory takes nothing: load the bitstream again")


def _streamed(data: bytes) -> Conversation[None]:
    """Send pixels, and something behind them that is answered."""
    frames = b"".join(pixel_frames(data, FrameType.PIXELS_STREAM))
    expect((yield frames + read_frame(Register.STATUS)), FrameType.VALUE, bytes([Register.STATUS]))


def _acknowledged(data: bytes, outstanding: int) -> Conversation[None]:
    """Send pixels, so many frames under way."""
    frames = list(pixel_frames(data))
    due, waiting = b"".join(frames[:outstanding]), frames[outstanding:]
    for index in range(len(frames)):
        expect((yield due), FrameType.ACK, bytes([FrameType.PIXELS]))
        due = waiting[index] if index < len(waiting) else b""


def download(address: int, count: int, beat_bits: int = 16, *, sums: Sums | None = None) -> Conversation[Beats]:
    """Read ``count`` beats of memory from ``address`` on: ndarray of uint64; ``sums`` takes what came."""
    if not count:
        return np.zeros(0, dtype=np.uint64)
    yield from write_register(Register.MEMORY_ADDRESS, address)
    yield from write_register(Register.MEMORY_READ, count)
    data = bytearray()
    asked = read_frame(Register.STATUS)
    while True:
        frame, asked = (yield asked), b""
        if frame.type == FrameType.VALUE:
            _check_begun(int.from_bytes(frame.payload[1:], "little"))
            continue
        if frame.type not in (FrameType.LATENTS, FrameType.LATENTS_LAST):
            raise LineError(f"the accelerator sent {named(frame)} where beats of its memory were due")
        data += frame.payload
        if frame.type == FrameType.LATENTS_LAST:
            break
    if len(data) != count * beat_bits // 8:
        raise LineError(f"the accelerator sent {len(data)} bytes of its memory, {count * beat_bits // 8} were due")
    if sums is not None:
        sums.add(np.frombuffer(bytes(data), dtype="<u2"))
    places = np.frombuffer(bytes(data), dtype=np.uint8).reshape(count, -1).astype(np.uint64)
    beats: Beats = (places << (8 * np.arange(places.shape[1], dtype=np.uint64))).sum(axis=1, dtype=np.uint64)
    return beats


def run(
    schedules: Sequence[Schedule],
    inputs: Sequence[AnyIntegers],
    *,
    model: str | None = None,
    outstanding: int = OUTSTANDING,
    stream: bool = False,
    watchdog: int | None = None,
) -> Conversation[tuple[list[AnyIntegers], list[dict[str, int]]]]:
    """Run a schedule on each core.

    Parameters
    ----------
    schedules : sequence of Schedule
        For cores 0, 1 and so on, in stretches of memory that do not overlap.
    inputs : sequence of ndarray
    model : str or None
        Hash of the manifest that the accelerator must have been built of.
    outstanding : int
        PIXELS frames that may wait for their ACK.
    stream : bool
        PIXELS_STREAM frames go instead: see :attr:`licgate.runtime.connection.Connection.streams`.
    watchdog : int or None
        Cycles without progress after which a core counts as hung; what the device holds if left out.

    Returns
    -------
    list of ndarray, list of dict
        Outputs (C, H, W), and counters of each core, by the names of ``STREAMED_COUNTERS``.

    Raises
    ------
    DeviceError
        The device is another one than expected, or refuses.
    LineError
        Something was lost on the line, or a core hangs.
    """
    yield from reset()
    yield from identify(Kind.SDRAM, model=model)
    shape = decode(Register.MEMORY_SHAPE, Kind.SDRAM, (yield from read_register(Register.MEMORY_SHAPE)))
    if shape["cores"] < len(schedules):
        raise DeviceError(f"the device has {shape['cores']} cores, {len(schedules)} schedules were given")
    if watchdog is not None:
        yield from write_register(Register.WATCHDOG, watchdog)
    sent, came = Sums(), Sums()
    write = partial(upload, sums=sent, outstanding=outstanding, stream=stream)
    for core, (schedule, x) in enumerate(zip(schedules, inputs, strict=True)):
        yield from _prepare(core, schedule, x, write)
    # before anything runs on it
    yield from check_sums(sent, came)
    yield from write_register(Register.CORES, (1 << len(schedules)) - 1)
    yield from write_register(Register.CONTROL, Control.START)
    while not (status := (yield from read_register(Register.STATUS))) & (Status.DONE | Status.REFUSED):
        if status & Status.HUNG:
            raise LineError((yield from _hang(len(schedules))))
    if status & Status.REFUSED:
        raise DeviceError("the accelerator refused to start: a core is busy")
    outputs, counters = [], []
    for core, schedule in enumerate(schedules):
        last = schedule.maps[-1]
        found = yield from download(last.base, last.beats, schedule.program.beat_bits, sums=came)
        outputs.append(schedule.unpacked(found))
        yield from write_register(Register.CORE, core)
        counters.append((yield from read_counters(STREAMED_COUNTERS)))
    yield from check_sums(sent, came)
    return outputs, counters


def _prepare(
    core: int, schedule: Schedule, x: AnyIntegers, write: Callable[[int, AnyIntegers, int], Conversation[None]]
) -> Conversation[None]:
    """Write to memory what a core's schedule reads, and where that begins."""
    memory, first, origin = schedule.memory(x), schedule.maps[0], schedule.origin
    # weights lie before the input; maps in between are written before they are read
    begin = memory[: first.base + first.beats - origin]
    bits = schedule.program.beat_bits
    yield from write(origin, begin, bits)
    # what is read ahead beyond the last command does not count
    commands = memory[schedule.address - origin :][: len(schedule.commands) * command_beats(schedule.program)]
    yield from write(schedule.address, commands, bits)
    yield from write_register(Register.CORE, core)
    yield from write_register(Register.ADDRESS, schedule.address)


def _hang(cores: int) -> Conversation[str]:
    """What the streams of each core did."""
    parts = []
    for core in range(cores):
        yield from write_register(Register.CORE, core)
        word = yield from read_register(Register.STREAMS)
        parts.append(f"core {core}: {describe_streams(STREAM_NAMES, [word])}")
    return f"the accelerator hung; {'; '.join(parts)}"


def _check_begun(status: int) -> None:
    if status & Status.REFUSED:
        raise DeviceError("the accelerator refused to move memory: another transfer or a reset is under way")


def _bytes(beats: AnyIntegers, beat_bits: int) -> bytes:
    places = np.asarray(beats, dtype=np.uint64)[:, None] >> (8 * np.arange(beat_bits // 8, dtype=np.uint64))
    return (places & np.uint64(0xFF)).astype(np.uint8).tobytes()
