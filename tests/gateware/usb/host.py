"""A USB host of full speed, down to the bits on D+ and D-: packets, transactions, control transfers, frames.

It is made of the specification alone (USB 2.0, chapters 7 to 9), and knows nothing of the gateware.
"""

import struct
import subprocess
from dataclasses import dataclass
from io import BufferedReader

__all__ = ["DATA", "PID", "Answer", "StallError", "UsbHost", "WireProcess"]

SE0, J, K = 0, 1, 2
PID = {
    "OUT": 0x1,
    "ACK": 0x2,
    "DATA0": 0x3,
    "SOF": 0x5,
    "IN": 0x9,
    "NAK": 0xA,
    "DATA1": 0xB,
    "SETUP": 0xD,
    "STALL": 0xE,
}
NAMES = {number: name for name, number in PID.items()}
DATA = ("DATA0", "DATA1")

#: Bits: of a frame; for which a host waits for an answer; between packets of the host's.
FRAME, TIMEOUT, GAP = 12_000, 18, 4
#: Bits from the end of the host's packet, where the lines go from SE0 to J, to the device's first. By the specification
#: (7.1.18) they are 2 to 6.5, which LUNA's PHY does not keep; a host waits for 16, of which a cable takes one.
LONGEST_TURN = 15


class StallError(Exception):
    """The device refuses a request."""


@dataclass(frozen=True)
class Answer:
    """A packet of the device's.

    Attributes
    ----------
    name : str
    data : bytes
        Without its CRC.
    turn : float
        Bits from the end of the host's packet.
    """

    name: str
    data: bytes
    turn: float


def bits_of(data):
    """Bits of bytes, the low one first."""
    return [byte >> k & 1 for byte in data for k in range(8)]


def crc(bits, width, polynomial):
    """The CRC of bits, as bits in the order in which they go."""
    remainder = (1 << width) - 1
    for bit in bits:
        top = remainder >> (width - 1)
        remainder = (remainder << 1) & ((1 << width) - 1)
        if top ^ bit:
            remainder ^= polynomial
    return [1 - (remainder >> k & 1) for k in reversed(range(width))]


def lines_of(name, bits=()):
    """States of the lines, one a bit, for a packet: SYNC, PID, bits, stuffed and by NRZI, and its end."""
    number = PID[name]
    out, state, ones = [], J, 0
    for bit in [0] * 7 + [1] + bits_of([number | (number ^ 0xF) << 4]) + list(bits):
        state = state if bit else J + K - state
        out.append(state)
        ones = ones + 1 if bit else 0
        if ones == 6:
            state, ones = J + K - state, 0
            out.append(state)
    return [*out, SE0, SE0, J]


def token_lines(name, address, endpoint):
    """A token, with its CRC of five bits."""
    bits = [address >> k & 1 for k in range(7)] + [endpoint >> k & 1 for k in range(4)]
    return lines_of(name, bits + crc(bits, 5, 0x05))


def data_lines(name, data):
    """A packet of data, with its CRC of sixteen bits."""
    bits = bits_of(data)
    return lines_of(name, bits + crc(bits, 16, 0x8005))


def decoded(samples):
    """Name and bytes of a packet from the states of the lines, four a bit; an AssertionError says what is wrong."""
    assert len(samples) % 4 == 0, f"{len(samples)} samples are no whole bits"
    for k in range(0, len(samples), 4):
        assert len(set(samples[k : k + 4])) == 1, f"the lines change in the middle of bit {k // 4}"
    states = samples[::4]
    assert states[-3:] == bytes([SE0, SE0, J]), "the packet has no end"
    bits, before, ones = [], J, 0
    for state in states[:-3]:
        assert state in (J, K)
        bit, before = int(state == before), state
        if ones == 6:
            assert not bit, "seven ones in a row"
            ones = 0
            continue
        ones = ones + 1 if bit else 0
        bits.append(bit)
    assert bits[:8] == [0] * 7 + [1], "the packet does not begin by SYNC"
    assert len(bits) % 8 == 0
    whole = bytes(sum(bit << k for k, bit in enumerate(bits[n : n + 8])) for n in range(8, len(bits), 8))
    assert whole[0] & 0xF == whole[0] >> 4 ^ 0xF, "the PID is spoilt"
    name, data = NAMES[whole[0] & 0xF], whole[1:]
    if name in DATA:
        assert bits_of(data[-2:]) == crc(bits_of(data[:-2]), 16, 0x8005), "the CRC is wrong"
        data = data[:-2]
    else:
        assert not data
    return name, data


class WireProcess:
    """A running ``wire.cpp``; a context that ends it."""

    def __init__(self, program, *, io=5, sync=4, drift=0.0, skew=False):
        arguments = [io, sync, round(4 * 65536 * (1 + drift)), int(skew)]
        command = [program, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._in = BufferedReader(self._process.stdout)

    def drive(self, states, listen):
        """Drive states of the lines, a bit each, then listen for so many bits: samples of silence, and those behind."""
        self._process.stdin.write(struct.pack("<II", len(states), listen) + bytes(states))
        silent, count = struct.unpack("<II", self._in.read(8))
        return silent, self._in.read(count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._in.close()


class UsbHost:
    """A host at a device's lines; the only one on its bus.

    Attributes
    ----------
    now : int
        Bits since the beginning.
    naks : int
        Transactions that the device put off.
    longest_turn : float
        Bits for which it let the host wait for an answer, at most.
    """

    def __init__(self, wire):
        self.wire, self.now, self._frame, self.address = wire, 0, 0, 0
        self.naks, self.longest_turn = 0, 0.0
        self._toggles, self._started = {}, False

    # what happens on the lines

    def _send(self, states, listen=0):
        silent, samples = self.wire.drive(states, listen)
        self.now += len(states)
        if silent == 0xFFFFFFFF:
            self.now += listen
            return None
        self.now += (silent + len(samples)) // 4
        turn = silent / 4 + 1  # the last bit driven was that J
        self.longest_turn = max(self.longest_turn, turn)
        assert 2 <= turn <= LONGEST_TURN, f"the device answers after {turn} bits"
        return Answer(*decoded(samples), turn)

    def idle(self, bits):
        """Let the bus rest, frames apart."""
        end = self.now + bits
        while self.now < end:
            self._tick(1)
            self._send([J] * min(end - self.now, max(1, self._left())))

    def _left(self):
        return FRAME - self.now % FRAME if self._started else FRAME

    def _tick(self, need):
        """Begin a frame where what comes next has no room in this one."""
        if self._started and self.now // FRAME >= self._frame:
            self._sof()
        elif self._started and self._left() < need:
            self._send([J] * self._left())
            self._sof()

    def _sof(self):
        self._frame = self.now // FRAME + 1
        number = self._frame & 0x7FF
        self._send([*token_lines("SOF", number & 0x7F, number >> 7), *[J] * GAP])

    def reset(self):
        """Reset the bus; the device has no address then."""
        silent, samples = self.wire.drive([J] * 200, 1)
        assert silent == 0xFFFFFFFF
        assert not samples, "no pull-up says that a device is there"
        self._started = False
        self._send([SE0] * 1000 + [J] * 200)
        self.address, self._toggles, self._started = 0, {}, True
        self._frame = self.now // FRAME

    # transactions

    def transaction(self, token, endpoint, data=None, *, toggle=0, lose=False):
        """One transaction: the device's last packet, or None; with ``lose`` the host does not acknowledge."""
        self._tick(900)
        first = [*token_lines(token, self.address, endpoint)]
        if data is not None:
            answer = self._send([*first, *[J] * GAP, *data_lines(DATA[toggle], data)], TIMEOUT)
        else:
            answer = self._send(first, TIMEOUT)
            if answer and answer.name in DATA and not lose:
                self._send([*[J] * GAP, *lines_of("ACK")])
        self._send([J] * GAP)
        if answer and answer.name == "NAK":
            self.naks += 1
        return answer

    def _until_taken(self, token, endpoint, data, toggle, patience):
        end = self.now + patience
        while True:
            answer = self.transaction(token, endpoint, data, toggle=toggle)
            assert answer is not None, f"no answer to {token} at endpoint {endpoint}"
            if answer.name == "STALL":
                raise StallError
            if answer.name != "NAK" or self.now > end:
                return answer

    def control(self, kind, request, value=0, index=0, data=b"", length=None, patience=FRAME):
        """A control transfer; what came, for one that reads (``length``)."""
        reads = length is not None
        setup = struct.pack("<BBHHH", kind, request, value, index, length if reads else len(data))
        assert self.transaction("SETUP", 0, setup).name == "ACK"
        got, toggle = b"", 1
        while reads:
            answer = self._until_taken("IN", 0, None, 0, patience)
            assert answer.name == DATA[toggle]
            got, toggle = got + answer.data, 1 - toggle
            if len(answer.data) < 64 or len(got) >= length:
                break
        if reads:
            assert self._until_taken("OUT", 0, b"", 1, patience).name == "ACK"
        else:
            answer = self._until_taken("IN", 0, None, 0, patience)
            assert (answer.name, answer.data) == ("DATA1", b"")
        return got

    def write(self, endpoint, data, patience=4 * FRAME):
        """A bulk transfer to the device; how many bytes it took before the host lost patience with one packet."""
        for at in range(0, len(data), 64):
            toggle = self._toggles.get(endpoint, 0)
            answer = self._until_taken("OUT", endpoint, data[at : at + 64], toggle, patience)
            if answer.name == "NAK":
                return at
            self._toggles[endpoint] = 1 - toggle
        return len(data)

    def read(self, endpoint, size, patience=FRAME):
        """A bulk transfer from the device, up to a short packet; what came before the host lost patience."""
        got = b""
        while len(got) < size:
            answer = self._until_taken("IN", endpoint, None, 0, patience)
            if answer.name == "NAK":
                break
            key = 0x80 | endpoint
            toggle = self._toggles.get(key, 0)
            if answer.name == DATA[toggle]:  # else the device did not hear that it had been taken
                self._toggles[key] = 1 - toggle
                got += answer.data
            if len(answer.data) < 64:
                break
        return got

    # requests of chapter 9

    def descriptor(self, kind, index=0, language=0, length=255):
        """GET_DESCRIPTOR."""
        return self.control(0x80, 6, kind << 8 | index, language, length=length)

    def string(self, index):
        """The text of a string descriptor."""
        data = self.descriptor(3, index, 0x0409)
        assert (data[0], data[1]) == (len(data), 3)
        return data[2:].decode("utf-16-le")

    def enumerate(self, address=9):
        """Bring a device from the reset of its bus to its configuration; its descriptors."""
        self.reset()
        first = self.descriptor(1, length=8)
        self.control(0x00, 5, address)
        self.address = address
        device = self.descriptor(1, length=18)
        assert device[:8] == first
        head = self.descriptor(2, length=9)
        whole = self.descriptor(2, length=int.from_bytes(head[2:4], "little"))
        self.configure(whole[5])
        return device, whole

    def configure(self, number):
        """SET_CONFIGURATION, which begins all endpoints anew."""
        self.control(0x00, 9, number)
        self._toggles = {}

    def set_interface(self, number=0, setting=0):
        """SET_INTERFACE, likewise."""
        self.control(0x01, 11, setting, number)
        self._toggles = {}
