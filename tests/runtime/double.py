"""A device in Python, frame by frame, as quick as its transforms; and ways to it that spoil bytes, or keep time."""

from collections import deque

import numpy as np

from licgate.manifest.patches import patches
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.program.depthform import depth_form
from licgate.program.order import from_stream, stream_order
from licgate.reference import run_transform
from licgate.runtime.ports import Port, UnpluggedError
from licgate.target.frames import MAX_LATENTS, SYNC, ErrorCode, FrameType, Sums, crc16, encode_frame
from licgate.target.registers import COUNTERS, IDS, PROTOCOL, Control, Kind, Register, Status
from licgate.target.registertable import encode


class Receiver:
    """What a device's receiver does with bytes: frames one after the other, each taken whole before the next."""

    def __init__(self, take):
        self._take, self._frame = take, bytearray()

    def feed(self, data):
        waiting, at = self._frame + data, 0
        while True:
            # whatever does not begin a frame is passed over
            at = waiting.find(SYNC, at)
            end = at + waiting[at + 2] + 5 if 0 <= at < len(waiting) - 2 else None
            if end is None or end > len(waiting):
                self._frame = waiting[at:] if at >= 0 else bytearray()
                return
            frame, at = bytes(waiting[at:end]), end
            good = crc16(frame[1:-2]) == int.from_bytes(frame[-2:], "big")
            self._take(frame[1], frame[3:-2], None if good else ErrorCode.BAD_CRC)

    def timeout(self):
        """Nothing came for as long as the device waits."""
        if self._frame:
            kind = self._frame[1] if len(self._frame) > 1 else 0
            self._frame = bytearray()
            self._take(kind, b"", ErrorCode.TRUNCATED)


class Double:
    """An accelerator with its memories on the chip, behind its link.

    It runs transforms by the reference on what it *received*, so that whatever gets past the link shows in the values.
    """

    def __init__(self, manifest, *, rows=3, cols=4, max_width=64, transforms=("g_a",), frames=15, build=0, stream=0):
        self.manifest, self.rows, self.frames, self.stream = manifest, rows, frames, stream
        self.out, self.runs, self.started = bytearray(), 0, 0
        kind = Kind.RESIDENT
        numbers = [TRANSFORM_NAMES.index(name) for name in transforms]
        self.registers = {
            Register.ID: IDS[kind],
            Register.MODEL: int(manifest.hash[:8], 16),
            Register.SHAPE: encode(Register.SHAPE, kind, rows=rows, cols=cols, max_width=max_width),
            Register.TRANSFORMS: sum(1 << number for number in numbers),
            Register.PROTOCOL: encode(
                Register.PROTOCOL, kind, version=PROTOCOL, frames=frames, serial=1, stream=stream
            ),
            Register.BUILD: build & 0xFFFFFFFF,
            Register.BUILD + 1: build >> 32,
            Register.CLOCK: 100_000,
            Register.STATUS: 0,
        }
        self._receiver = Receiver(self._take)
        self._cache = {}
        self._reset()

    def feed(self, data):
        self._receiver.feed(data)

    def timeout(self):
        self._receiver.timeout()

    @property
    def wants_pixels(self):
        """A patch has been asked for, and not all of it has come."""
        return self._wanted > 0

    def taken(self):
        """What it has sent since it was asked last."""
        data, self.out = bytes(self.out), bytearray()
        return data

    def _reset(self):
        self._windows, self._pixels, self._wanted = deque(), bytearray(), 0
        self._sums = {Register.PIXELS_SUMS: Sums(), Register.LATENTS_SUMS: Sums()}
        self.registers[Register.STATUS] = 0

    def _send(self, kind, payload):
        self.out += encode_frame(kind, payload)

    def _take(self, kind, payload, error):
        if error is None:
            error = self._carried_out(kind, payload)
        if error is not None:
            self._send(FrameType.ERROR, bytes([error]))

    def _carried_out(self, kind, payload):
        """Carry out a frame; return why not."""
        if kind == FrameType.PIXELS or (kind == FrameType.PIXELS_STREAM and self.stream):
            if not payload or len(payload) % 3:
                return ErrorCode.BAD_LENGTH
            if not self._wanted:
                return ErrorCode.BUSY
            self._more(payload, kind)
            return None
        if kind not in (FrameType.WRITE, FrameType.READ):
            return ErrorCode.UNKNOWN_TYPE
        if len(payload) != (5 if kind == FrameType.WRITE else 1):
            return ErrorCode.BAD_LENGTH
        address = payload[0]
        if address > 63:
            return ErrorCode.BAD_ADDRESS
        if kind == FrameType.READ:
            self._send(FrameType.VALUE, payload + self._value(address).to_bytes(4, "little"))
            return None
        value = int.from_bytes(payload[1:], "little")
        self._send(FrameType.ACK, bytes([FrameType.WRITE]))
        if address == Register.CONTROL:
            self._control(value)
        elif address not in (Register.ID, Register.MODEL, Register.STATUS, Register.SHAPE, Register.PROTOCOL):
            self.registers[address] = value
        return None

    def _value(self, address):
        for register, sums in self._sums.items():
            if address in (register, register + 1):
                return sums.values[address - register]
        return self.registers.get(address, 0)

    def _control(self, value):
        if value & Control.RESET:
            self._reset()
        elif value & Control.START and self.registers[Register.STATUS] & Status.BUSY:
            self.registers[Register.STATUS] |= Status.REFUSED
        elif value & Control.START:
            self._start()

    def _start(self):
        def get(register):
            return self.registers.get(register, 0)

        self._transform = self.manifest.transforms[TRANSFORM_NAMES[get(Register.TRANSFORM)]]
        size = get(Register.WIDTH), get(Register.HEIGHT)
        self.started += 1
        self.registers[Register.STATUS] = Status.BUSY
        if self._transform.name == "g_a":
            cut = get(Register.PATCH_WIDTH), get(Register.PATCH_HEIGHT)
            found = patches(*size, patch_width=cut[0], patch_height=cut[1], transform=self._transform)
            self._windows = deque(found)
        else:
            self._windows = deque([size])
        self._ask()

    def _ask(self):
        window = self._windows[0]
        place = (0, 0, *window) if isinstance(window, tuple) else (window.x, window.y, window.width, window.height)
        self._send(FrameType.PATCH, np.array(place, dtype="<u2").tobytes())
        count = place[2] * place[3] * (1 if self._transform.name == "g_a" else self._transform.in_channels)
        self._wanted = 3 * count

    def _more(self, payload, kind):
        """Take pixels, as many as are wanted."""
        took = payload[: self._wanted - len(self._pixels)]
        self._pixels += took
        self._sums[Register.PIXELS_SUMS].add_bytes(took)
        if kind == FrameType.PIXELS:
            self._send(FrameType.ACK, bytes([FrameType.PIXELS]))
        if len(self._pixels) == self._wanted:
            window, pixels = self._windows.popleft(), bytes(self._pixels)
            self._pixels, self._wanted = bytearray(), 0
            self._give(self._values(window, pixels))
            if self._windows:
                self._ask()
            else:
                self.runs += 1
                self.registers[Register.STATUS] = Status.DONE
                self.registers |= {register: 1000 + k for k, register in enumerate(COUNTERS.values())}

    def _values(self, window, pixels):
        key = (self._transform.name, str(window), pixels)
        if key not in self._cache:
            self._cache[key] = self._computed(window, pixels)
        return self._cache[key]

    def _computed(self, window, pixels):
        transform = self._transform
        places = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, 3).astype(np.int64)
        if transform.name == "g_a":
            x = places.reshape(window.height, window.width, 3).transpose(2, 0, 1)
            kept = run_transform(transform, x)[:, window.skip_y :, window.skip_x :]
            return stream_order(kept[:, : window.out_height, : window.out_width], window.skip_x, self.rows)
        words = (places[:, 0] | places[:, 1] << 8).astype(np.uint16).view(np.int16).astype(np.int64)
        x = from_stream(words, (transform.in_channels, window[1], window[0]), 0, self.rows)
        out, last = run_transform(transform, x), transform.layers[-1]
        return stream_order(depth_form(out) if last.kind == "conv2d" and last.transposed else out, 0, self.rows)

    def _give(self, values):
        words = values.astype("<i2")
        self._sums[Register.LATENTS_SUMS].add(words.view("<u2"))
        for at in range(0, len(words), MAX_LATENTS):
            last = at + MAX_LATENTS >= len(words)
            self._send(FrameType.LATENTS_LAST if last else FrameType.LATENTS, words[at : at + MAX_LATENTS].tobytes())


class DoublePort(Port):
    """A clean line to a device; no time passes on it, so a wait for what does not come is over at once.

    ``unplug`` is after how many bytes from the device the line goes; it comes back when it is opened again.
    """

    deadline = 60.0

    def __init__(self, device, *, unplug=None):
        self.device, self.address, self._left, self.gone = device, "double", unplug, False

    def write(self, data):
        self._plugged()
        self.device.feed(self.to_device(data))

    def read(self, timeout):
        self._plugged()
        data = self.device.taken()
        if not data and timeout:
            self.device.timeout()
            data = self.device.taken()
        data = self.to_host(data)
        if self._left is not None:
            self._left -= len(data)
            self.gone = self._left <= 0
        return data

    def close(self):
        pass

    def to_device(self, data):
        return data

    def to_host(self, data):
        return data

    def _plugged(self):
        if self.gone:
            raise UnpluggedError(f"{self.address} is gone")


class FaultyPort(DoublePort):
    """A line that flips, loses, doubles and delays bytes, each with a probability; ``faults`` counts them by kind."""

    KINDS = ("flipped", "lost", "doubled", "late", "later")

    def __init__(self, device, coin, rate):
        super().__init__(device)
        self._coin, self.rate = coin, rate
        self.faults = dict.fromkeys(self.KINDS, 0)
        self._late, self._silent = bytearray(), 0

    def to_device(self, data):
        return self._spoilt(data)[0]

    def to_host(self, data):
        if self._silent:  # what is late beyond every deadline
            self._silent -= 1
            self._late += data
            return b""
        now, late = self._spoilt(data)
        now, self._late = bytes(self._late) + now, bytearray(late)
        return now

    def _spoilt(self, data):
        """What comes now, and what later."""
        out, places = bytearray(), np.flatnonzero(self._coin.random(len(data)) < self.rate)
        start = 0
        for place in places.tolist():
            kind = self.KINDS[self._coin.integers(len(self.KINDS))]
            self.faults[kind] += 1
            out += data[start:place]
            start = place + 1
            if kind == "flipped":
                out.append(data[place] ^ 1 << int(self._coin.integers(8)))
            elif kind == "doubled":
                out += bytes([data[place]] * 2)
            elif kind != "lost":
                self._silent = 0 if kind == "late" else int(self._coin.integers(1, 4))
                return bytes(out), data[place:]
        return bytes(out + data[start:]), b""
