"""Host link against the frames in software, with an accelerator made of a few registers behind it."""

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from amaranth.lib.wiring import Component

from licgate.gateware.host.hostframe import FrameReceiver
from licgate.gateware.host.hostlink import HostLink
from licgate.gateware.host.latentpacker import LatentPacker
from licgate.target.frames import (
    MAX_PIXELS,
    SYNC,
    ErrorCode,
    Frame,
    FrameType,
    crc16,
    decode_frames,
    encode_frame,
    pixel_frames,
    read_frame,
    write_frame,
)
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation, stream_get, stream_put, stream_put_all

ACK_WRITE = Frame(FrameType.ACK, bytes([FrameType.WRITE]))
ACK_PIXELS = Frame(FrameType.ACK, bytes([FrameType.PIXELS]))


def error(code):
    return Frame(FrameType.ERROR, bytes([code]))


def value(address, number):
    return Frame(FrameType.VALUE, bytes([address]) + number.to_bytes(4, "little"))


class Bench:
    """Host, registers and pixel sink around one link, each stalled at random."""

    def __init__(self, *, p=0.3, seed=1, timeout=5000, frames=8, take_pixels=True, streaming=False):
        self.reset = Signal()
        self.link = HostLink(timeout=timeout, frames=frames, streaming=streaming)
        void = self.link.buffer.flush | self.reset
        if streaming:
            void |= self.link.abort
        self.p, self.seed, self.take_pixels = p, seed, take_pixels
        self.registers, self.pixels, self.received, self.writes = {}, [], bytearray(), []
        self.monitors = [
            Monitor(self.link.o, "o", reset=self.reset | (self.link.abort if streaming else 0)),
            Monitor(self.link.o_pixels, "o_pixels", reset=void),
        ]

    def stalls(self, n):
        return random_stalls(100 * self.seed + n, self.p) if self.p else never()

    async def serve_registers(self, ctx):
        """Registers whose value is there one cycle after the address, as the accelerator's are."""
        csr = self.link.csr
        async for _clk, _rst, address, data, strobe in ctx.tick().sample(csr.addr, csr.w_data, csr.w_stb):
            if strobe:
                self.registers[address] = data
                self.writes.append((address, data))
            ctx.set(csr.r_data, self.registers.get(address, 0xDEAD0000 + address))

    async def take(self, ctx):
        while self.take_pixels:
            self.pixels.append(await stream_get(ctx, self.link.o_pixels, stalls=self.stalls(1)))

    async def listen(self, ctx):
        while True:
            self.received.append(await stream_get(ctx, self.link.o, stalls=self.stalls(2)))

    async def send(self, ctx, data):
        await stream_put_all(ctx, self.link.i, data, stalls=self.stalls(3))

    async def answers(self, ctx, count):
        """Wait for `count` whole frames in all."""
        while len(decode_frames(bytes(self.received))[0]) < count:
            await ctx.tick().repeat(10)
        frames, rest = decode_frames(bytes(self.received))
        assert rest == b""
        return frames

    async def ask(self, ctx, *frames):
        """Send frames one after the other, waiting for one answer to each; return those answers."""
        before = len(decode_frames(bytes(self.received))[0])
        for n, frame in enumerate(frames):
            await self.send(ctx, frame)
            got = await self.answers(ctx, before + n + 1)
        return got[before:]

    def run(self, *testbenches, limit=60_000, background=()):
        background = (self.serve_registers, self.take, self.listen, *background)
        dut = ResetInserter(self.reset)(self.link)
        run_simulation(dut, *testbenches, monitors=self.monitors, background=background, limit=limit)


def as_pixels(rgb):
    return [int.from_bytes(rgb[n : n + 3], "little") for n in range(0, len(rgb), 3)]


def test_crc_of_the_catalogue():
    assert crc16(b"123456789") == 0x29B1


def test_software_frames():
    broken = encode_frame(0x44, b"xyz")[:-1] + b"\x00"
    data = encode_frame(0x42, b"ab") + b"\x00\x07" + broken + encode_frame(0x43)
    assert decode_frames(data) == ([Frame(0x42, b"ab"), Frame(0x43)], b"")
    assert decode_frames(encode_frame(1, b"abc")[:-1]) == ([], encode_frame(1, b"abc")[:-1])
    with pytest.raises(ValueError, match=r"^a frame holds at most 255 bytes, not 256$"):
        encode_frame(1, bytes(256))
    with pytest.raises(ValueError, match=r"^pixels are three bytes each: 4 bytes are no whole number of them$"):
        list(pixel_frames(bytes(4)))


@pytest.mark.parametrize("p", [0, 0.4])
def test_registers(p):
    bench = Bench(p=p)

    async def host(ctx):
        frames = write_frame(4, 0x01020304), read_frame(4), read_frame(63), write_frame(63, 2**32 - 1)
        got = await bench.ask(ctx, *frames)
        assert got == [ACK_WRITE, value(4, 0x01020304), value(63, 0xDEAD003F), ACK_WRITE]

    bench.run(host)
    assert bench.writes == [(4, 0x01020304), (63, 2**32 - 1)]


@pytest.mark.parametrize(("p", "seed"), [(0, 0), (0.4, 1), (0.8, 2)])
def test_pixels_arrive_in_order_and_are_acknowledged(p, seed):
    bench = Bench(p=p, seed=seed)
    rgb = np.random.default_rng(seed).integers(0, 256, 3 * (2 * MAX_PIXELS + 7), dtype=np.uint8).tobytes()

    async def host(ctx):
        for frame in pixel_frames(rgb):
            await bench.send(ctx, frame)
        assert await bench.answers(ctx, 3) == [ACK_PIXELS] * 3

    bench.run(host)
    assert bench.pixels == as_pixels(rgb)


@pytest.mark.parametrize(("at", "bit"), [(1, 2), (7, 0), (20, 7), (33, 3), (34, 0)])
def test_corrupt_pixels_never_reach_the_accelerator(at, bit):
    bench = Bench(seed=at)
    good, broken = bytes(range(30)), bytearray(encode_frame(FrameType.PIXELS, bytes(range(100, 130))))
    broken[at] ^= 1 << bit

    async def host(ctx):
        got = await bench.ask(ctx, bytes(broken), encode_frame(FrameType.PIXELS, good))
        assert got == [error(ErrorCode.BAD_CRC), ACK_PIXELS]

    bench.run(host)
    assert bench.pixels == as_pixels(good)


def test_refused_frames_change_nothing():
    bench = Bench(p=0.2)
    cases = [
        (encode_frame(FrameType.WRITE, bytes(4)), ErrorCode.BAD_LENGTH),
        (encode_frame(FrameType.READ, bytes(2)), ErrorCode.BAD_LENGTH),
        (encode_frame(FrameType.READ), ErrorCode.BAD_LENGTH),
        (encode_frame(FrameType.PIXELS, bytes(4)), ErrorCode.BAD_LENGTH),
        (encode_frame(FrameType.PIXELS), ErrorCode.BAD_LENGTH),
        (encode_frame(FrameType.VALUE, bytes(5)), ErrorCode.UNKNOWN_TYPE),
        (encode_frame(0x00, bytes(255)), ErrorCode.UNKNOWN_TYPE),
        (write_frame(64, 1), ErrorCode.BAD_ADDRESS),
        (read_frame(255), ErrorCode.BAD_ADDRESS),
    ]

    async def host(ctx):
        assert await bench.ask(ctx, *(frame for frame, _ in cases)) == [error(code) for _, code in cases]
        assert await bench.ask(ctx, b"noise" + read_frame(7)) == [value(7, 0xDEAD0007)]

    bench.run(host)
    assert bench.pixels == []
    assert bench.writes == []


@pytest.mark.parametrize("kept", [1, 2, 3, 9, 14, 15])
def test_truncated_frame_times_out(kept):
    bench = Bench(p=0, timeout=200)
    frame = encode_frame(FrameType.PIXELS, bytes(12))

    async def host(ctx):
        assert await bench.ask(ctx, frame[:kept], read_frame(1)) == [error(ErrorCode.TRUNCATED), value(1, 0xDEAD0001)]

    bench.run(host)
    assert bench.pixels == []


def test_too_many_outstanding_frames_are_refused_and_reset_forgets_them():
    bench = Bench(p=0, frames=4, take_pixels=False)

    async def host(ctx):
        for n in range(3):
            await bench.send(ctx, encode_frame(FrameType.PIXELS, bytes([n] * 6)))
        assert await bench.ask(ctx, encode_frame(FrameType.PIXELS, bytes(3))) == [error(ErrorCode.BUSY)]
        # Registers stay accessible, and the control register's reset empties the ring.
        assert await bench.ask(ctx, read_frame(3), write_frame(2, 2)) == [value(3, 0xDEAD0003), ACK_WRITE]
        await bench.send(ctx, encode_frame(FrameType.PIXELS, b"\x01\x02\x03"))
        assert await stream_get(ctx, bench.link.o_pixels) == 0x030201
        assert (await bench.answers(ctx, 4))[3:] == [ACK_PIXELS]

    bench.run(host)


@pytest.mark.parametrize(("p", "count"), [(0, 1), (0.3, 127), (0.3, 128), (0, 300)])
def test_latents_and_windows(p, count):
    bench = Bench(p=p)
    latents = np.random.default_rng(count).integers(-(2**15), 2**15, count).tolist()
    windows = [{"x": 1, "y": 0x203, "width": 0x8004, "height": 5}, {"x": 0, "y": 0, "width": 65535, "height": 1}]

    async def accelerator(ctx):
        for n, latent in enumerate(latents):
            item = {"value": latent, "last": n == count - 1}
            await stream_put(ctx, bench.link.i_latents, item, stalls=bench.stalls(5))

    async def window(ctx):
        for item in windows:
            await stream_put(ctx, bench.link.i_patch, item, stalls=bench.stalls(6))

    async def host(ctx):
        frames = await bench.answers(ctx, 2 + -(-count // 127))
        got = [f for f in frames if f.type != FrameType.PATCH]
        assert [f.type for f in got] == [FrameType.LATENTS] * (len(got) - 1) + [FrameType.LATENTS_LAST]
        assert all(len(f.payload) == 254 for f in got[:-1])
        assert np.frombuffer(b"".join(f.payload for f in got), "<i2").tolist() == latents
        asked = [np.frombuffer(f.payload, "<u2").tolist() for f in frames if f.type == FrameType.PATCH]
        assert asked == [list(w.values()) for w in windows]

    bench.run(accelerator, window, host)


def test_traffic_in_both_directions_at_once():
    bench = Bench(p=0.3, seed=9)
    rgb = bytes(range(240))
    latents = list(range(-100, 100))

    async def accelerator(ctx):
        for n, latent in enumerate(latents):
            await stream_put(ctx, bench.link.i_latents, {"value": latent, "last": n == len(latents) - 1})

    async def host(ctx):
        for n in range(4):
            await bench.send(ctx, encode_frame(FrameType.PIXELS, rgb[60 * n : 60 * n + 60]))
            await bench.send(ctx, read_frame(n))
        frames = await bench.answers(ctx, 10)
        assert [f for f in frames if f.type == FrameType.VALUE] == [value(n, 0xDEAD0000 + n) for n in range(4)]
        assert frames.count(ACK_PIXELS) == 4
        data = b"".join(f.payload for f in frames if f.type in (FrameType.LATENTS, FrameType.LATENTS_LAST))
        assert np.frombuffer(data, "<i2").tolist() == latents

    bench.run(accelerator, host)
    assert bench.pixels == as_pixels(rgb)


@pytest.mark.parametrize("at", [2, 20, 37])
def test_reset_in_the_middle_of_a_frame(at):
    bench = Bench(p=0)
    frame = encode_frame(FrameType.PIXELS, bytes(range(36)))

    async def host(ctx):
        await bench.send(ctx, frame[:at])
        ctx.set(bench.reset, 1)
        await ctx.tick()
        ctx.set(bench.reset, 0)
        await bench.send(ctx, frame[at:].replace(bytes([SYNC]), b"\0"))
        assert await bench.ask(ctx, read_frame(9)) == [value(9, 0xDEAD0009)]

    bench.run(host)
    assert bench.pixels == []


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: HostLink(timeout=1), ValueError, r"^timeout must be at least 2 clock cycles, not 1$"),
        (lambda: FrameReceiver(timeout=2.5), TypeError, r"^timeout must be an integer, not 2\.5$"),
    ],
)
def test_constructor_errors(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_packer_needs_no_parameters():
    assert isinstance(LatentPacker(), Component)
