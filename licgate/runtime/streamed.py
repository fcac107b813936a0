"""The host's side of an accelerator with external memory, as conversations.

A conversation is a generator: it yields bytes for the device, perhaps none, and is sent the next frame that comes from
it; what it returns is its result. So the same program runs over a serial port and in a simulation.
"""

import numpy as np

from licgate.errors import DeviceError
from licgate.program.commands import command_beats
from licgate.target.frames import FrameType, pixel_frames, read_frame, write_frame
from licgate.target.registers import Register

__all__ = ["ID", "STREAM_NAMES", "download", "read_register", "run", "talk", "upload", "write_register"]

#: What the register ID says.
ID = 0x4C494353

#: Streams that a core's watchdog sees, in their order.
STREAM_NAMES = (
    "weights",
    "load",
    "band",
    "passes",
    "tiles",
    "results",
    "records",
    "words",
    "commands request",
    "weights request",
    "maps request",
    "results request",
)

#: Frames of pixels that may wait for their answer.
OUTSTANDING = 7

_BUSY, _DONE, _REFUSED, _HUNG, _MOVING = (1 << bit for bit in range(5))
_STATES = {(0, 0): "idle", (0, 1): "waits for data", (1, 0): "held", (1, 1): "moves"}  # valid, ready


def talk(conversation, send, receive):
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
            return stop.value


def write_register(address, value):
    """Write a register."""
    _expect((yield write_frame(address, value)), FrameType.ACK, bytes([FrameType.WRITE]))


def read_register(address):
    """Read a register."""
    frame = yield read_frame(address)
    _expect(frame, FrameType.VALUE, bytes([address]))
    return int.from_bytes(frame.payload[1:], "little")


def upload(address, beats, beat_bits=16):
    """Write beats, ndarray of int, to memory from ``address`` on."""
    if not len(beats):
        return
    yield from write_register(Register.MEMORY_ADDRESS, address)
    yield from write_register(Register.MEMORY_WRITE, len(beats))
    _check_begun((yield from read_register(Register.STATUS)))
    data = _bytes(beats, beat_bits)
    frames = list(pixel_frames(data + bytes(-len(data) % 3)))
    due, waiting = b"".join(frames[:OUTSTANDING]), frames[OUTSTANDING:]
    for index in range(len(frames)):
        _expect((yield due), FrameType.ACK, bytes([FrameType.PIXELS]))
        due = waiting[index] if index < len(waiting) else b""
    while (yield from read_register(Register.STATUS)) & _MOVING:
        pass


def download(address, count, beat_bits=16):
    """Read ``count`` beats of memory from ``address`` on: ndarray of uint64."""
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
            raise DeviceError(f"the accelerator sent {_named(frame)} where beats of its memory were due")
        data += frame.payload
        if frame.type == FrameType.LATENTS_LAST:
            break
    if len(data) != count * beat_bits // 8:
        raise DeviceError(f"the accelerator sent {len(data)} bytes of its memory, {count * beat_bits // 8} were due")
    places = np.frombuffer(bytes(data), dtype=np.uint8).reshape(count, -1).astype(np.uint64)
    return (places << (8 * np.arange(places.shape[1], dtype=np.uint64))).sum(axis=1, dtype=np.uint64)


def run(schedules, inputs, *, model=None):
    """Run a schedule on each core.

    Parameters
    ----------
    schedules : sequence of Schedule
        For cores 0, 1 and so on, in stretches of memory that do not overlap.
    inputs : sequence of ndarray
    model : str or None
        Hash of the manifest that the accelerator must have been built of.

    Returns
    -------
    list of ndarray, list of dict
        Outputs (C, H, W), and counters of each core.

    Raises
    ------
    DeviceError
        The device is another one than expected, refuses, or hangs.
    """
    if (found := (yield from read_register(Register.ID))) != ID:
        raise DeviceError(f"the device's ID is {found:#010x}, an accelerator with external memory has {ID:#010x}")
    if model is not None and (found := (yield from read_register(Register.MODEL))) != int(model[:8], 16):
        raise DeviceError(f"the device was built for model {found:08x}, not {model[:8]}: load that model's bitstream")
    shape = yield from read_register(Register.MEMORY_SHAPE)
    if shape >> 16 < len(schedules):
        raise DeviceError(f"the device has {shape >> 16} cores, {len(schedules)} schedules were given")
    yield from write_register(Register.CONTROL, 2)
    while (yield from read_register(Register.STATUS)) & _BUSY:
        pass
    for core, (schedule, x) in enumerate(zip(schedules, inputs, strict=True)):
        memory, first, origin = schedule.memory(x), schedule.maps[0], schedule.origin
        # weights lie before the input; maps in between are written before they are read
        begin = memory[: first.base + first.beats - origin]
        yield from upload(origin, begin, schedule.program.beat_bits)
        # what is read ahead beyond the last command does not count
        commands = memory[schedule.address - origin :][: len(schedule.commands) * command_beats(schedule.program)]
        yield from upload(schedule.address, commands, schedule.program.beat_bits)
        yield from write_register(Register.CORE, core)
        yield from write_register(Register.ADDRESS, schedule.address)
    yield from write_register(Register.CORES, (1 << len(schedules)) - 1)
    yield from write_register(Register.CONTROL, 1)
    while not (status := (yield from read_register(Register.STATUS))) & (_DONE | _REFUSED):
        if status & _HUNG:
            raise DeviceError((yield from _hang(len(schedules))))
    if status & _REFUSED:
        raise DeviceError("the accelerator refused to start: a core is busy")
    outputs, counters = [], []
    for core, schedule in enumerate(schedules):
        last = schedule.maps[-1]
        found = yield from download(last.base, last.beats, schedule.program.beat_bits)
        outputs.append(schedule.unpacked(found))
        yield from write_register(Register.CORE, core)
        names = {
            "busy": Register.CYCLES,
            "steps": Register.BUSY,
            "wait_map": Register.STALL_INPUT,
            "wait_weights": Register.STALL_MEMORY,
            "wait_output": Register.STALL_OUTPUT,
        }
        row = {}
        for name, address in names.items():
            row[name] = yield from read_register(address)
        counters.append(row)
    return outputs, counters


def _hang(cores):
    """What the streams of each core did."""
    parts = []
    for core in range(cores):
        yield from write_register(Register.CORE, core)
        word = yield from read_register(Register.STREAMS)
        states = [_STATES[word >> 2 * k & 1, word >> 2 * k + 1 & 1] for k in range(len(STREAM_NAMES))]
        parts.append(f"core {core}: " + ", ".join(f"{n} {s}" for n, s in zip(STREAM_NAMES, states, strict=True)))
    return f"the accelerator hung; {'; '.join(parts)}"


def _check_begun(status):
    if status & _REFUSED:
        raise DeviceError("the accelerator refused to move memory: another transfer or a reset is under way")


def _bytes(beats, beat_bits):
    places = np.asarray(beats, dtype=np.uint64)[:, None] >> (8 * np.arange(beat_bits // 8, dtype=np.uint64))
    return (places & np.uint64(0xFF)).astype(np.uint8).tobytes()


def _expect(frame, kind, payload):
    """Demand a frame of a kind whose payload begins so."""
    if frame.type != kind or not frame.payload.startswith(payload):
        raise DeviceError(f"the accelerator answered {_named(frame)} where {FrameType(kind).name} was due")


def _named(frame):
    name = FrameType(frame.type).name if frame.type in set(FrameType) else f"a frame of type {frame.type:#x}"
    return f"{name} ({frame.payload[:5].hex()})"
