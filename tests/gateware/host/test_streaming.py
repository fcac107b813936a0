"""The host link with frames of pixels that need no answer: it holds the line back, and an abort empties it."""

import numpy as np
import pytest
from amaranth.back import rtlil

from licgate.gateware.host.hostlink import HostLink
from licgate.target.frames import (
    MAX_PIXELS,
    ErrorCode,
    Frame,
    FrameType,
    decode_frames,
    encode_frame,
    pixel_frames,
    read_frame,
    write_frame,
)
from licgate.target.registers import Control, Register
from tests.gateware.host.test_hostlink import ACK_PIXELS, ACK_WRITE, Bench, as_pixels, error, value
from tests.gateware.kit import stream_get

RESET = (Register.CONTROL, Control.RESET)


def some_pixels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, 3 * count, dtype=np.uint8).tobytes()


@pytest.mark.parametrize(("p", "seed", "frames"), [(0, 0, 2), (0.4, 1, 4), (0.8, 2, 2)])
def test_more_than_there_is_room_for_waits_and_is_not_answered(p, seed, frames):
    bench, rgb = Bench(p=p, seed=seed, frames=frames, streaming=True), some_pixels(2 * MAX_PIXELS + 9, seed)

    async def host(ctx):
        for frame in pixel_frames(rgb, FrameType.PIXELS_STREAM):
            await bench.send(ctx, frame)
        # what is asked for behind them is answered, and nothing before
        assert await bench.ask(ctx, read_frame(3)) == [value(3, 0xDEAD0003)]
        while len(bench.pixels) < len(rgb) // 3:
            await ctx.tick()
        assert len(decode_frames(bytes(bench.received))[0]) == 1

    bench.run(host)
    assert bench.pixels == as_pixels(rgb)
    assert bench.writes == [RESET]


def test_the_line_stands_still_until_a_frame_has_been_taken():
    bench, taken = Bench(p=0, frames=2, take_pixels=False, streaming=True), []

    async def watch(ctx):
        async for _clk, _rst, valid, ready in ctx.tick().sample(bench.link.i.valid, bench.link.i.ready):
            taken.append(valid & ready)

    async def host(ctx):
        for n in range(4):
            await bench.send(ctx, encode_frame(FrameType.PIXELS_STREAM, bytes([n] * 6)))

    async def accelerator(ctx):
        await ctx.tick().repeat(400)
        # one is in the ring, one waits behind it; of the third not a byte has been taken
        assert sum(taken[100:]) == 0
        assert sum(taken) == 2 * 11
        for n in (0, 0, 1, 1, 2, 2, 3, 3):
            assert await stream_get(ctx, bench.link.o_pixels) == n * 0x10101

    bench.run(host, accelerator, background=[watch])
    assert sum(taken) == 4 * 11
    assert not bench.received


def test_a_line_of_a_byte_a_cycle_is_never_held_back_by_the_pixels():
    bench, count = Bench(p=0, frames=16, streaming=True), 10
    taken, rgb = [], some_pixels(count * MAX_PIXELS)
    frames = b"".join(pixel_frames(rgb, FrameType.PIXELS_STREAM))

    async def watch(ctx):
        async for _clk, _rst, cycle in ctx.tick().sample(bench.link.o_pixels.valid & bench.link.o_pixels.ready):
            taken.append(cycle)

    async def host(ctx):
        await bench.send(ctx, frames)
        while len(bench.pixels) < count * MAX_PIXELS:
            await ctx.tick()

    bench.run(host, background=[watch])
    assert bench.pixels == as_pixels(rgb)
    moves = [cycle for cycle, moved in enumerate(taken) if moved]
    # nothing but bytes, and six cycles behind each frame, until it has been reported
    assert moves[-1] - moves[0] == (count - 1) * (len(frames) // count + 6) + MAX_PIXELS - 1
    assert moves[MAX_PIXELS - 1] - moves[0] == MAX_PIXELS - 1


def test_both_kinds_of_frames_share_the_ring():
    bench, rgb = Bench(p=0.3, frames=4, streaming=True), some_pixels(42)

    async def host(ctx):
        for n in range(14):
            quiet = n % 3 != 1
            if not quiet:
                while n // 3 > len(decode_frames(bytes(bench.received))[0]):
                    await ctx.tick()
                while len(bench.pixels) < 3 * n:  # or it may be refused
                    await ctx.tick()
            kind = FrameType.PIXELS_STREAM if quiet else FrameType.PIXELS
            await bench.send(ctx, encode_frame(kind, rgb[9 * n : 9 * n + 9]))
        assert await bench.answers(ctx, 5) == [ACK_PIXELS] * 5

    bench.run(host)
    assert bench.pixels == as_pixels(rgb)


def test_one_that_is_spoilt_is_an_error_and_has_no_effect_even_when_the_ring_is_full():
    bench, rgb = Bench(p=0, frames=2, take_pixels=False, streaming=True), some_pixels(2)
    spoilt = bytearray(encode_frame(FrameType.PIXELS_STREAM, bytes(6)))
    spoilt[5] ^= 4

    async def host(ctx):
        await bench.send(ctx, encode_frame(FrameType.PIXELS_STREAM, rgb))
        cases = (bytes(spoilt), encode_frame(FrameType.PIXELS_STREAM, bytes(4)), encode_frame(FrameType.PIXELS_STREAM))
        codes = (ErrorCode.BAD_CRC, ErrorCode.BAD_LENGTH, ErrorCode.BAD_LENGTH)
        assert await bench.ask(ctx, *cases) == [error(code) for code in codes]
        # one that wants an acknowledgment is refused as ever, and registers are there until one that wants none waits
        assert await bench.ask(ctx, encode_frame(FrameType.PIXELS, bytes(3))) == [error(ErrorCode.BUSY)]
        assert await bench.ask(ctx, write_frame(*RESET)) == [ACK_WRITE]
        await bench.send(ctx, encode_frame(FrameType.PIXELS_STREAM, b"\x01\x02\x03"))
        assert await stream_get(ctx, bench.link.o_pixels) == 0x030201

    bench.run(host)


@pytest.mark.parametrize("seed", range(6))
def test_an_abort_forgets_whatever_is_on_its_way(seed):
    """Pixels that nobody takes with commands behind them, half a frame, latents that nobody reads."""
    coin = np.random.default_rng(seed)
    bench = Bench(p=0, frames=2, take_pixels=False, streaming=True)
    sent = b"".join(pixel_frames(some_pixels(200, seed), FrameType.PIXELS_STREAM)) + read_frame(5) * 3
    held = coin.integers(2)

    async def push(ctx):
        link = bench.link
        for byte in sent[: coin.integers(1, len(sent))]:
            ctx.set(link.i.payload, byte)
            ctx.set(link.i.valid, 1)
            _, _, ready = await ctx.tick().sample(link.i.ready)
            if not ready:
                break
        ctx.set(link.i.valid, 0)

    async def host(ctx):
        link = bench.link
        ctx.set(link.i_latents.valid, 1)
        await push(ctx)
        await ctx.tick().repeat(int(coin.integers(1, 300)))
        ctx.set(link.i_latents.valid, 0)
        before = len(bench.writes)
        ctx.set(link.abort, 1)
        await ctx.tick().repeat(1 + 5 * int(held))
        ctx.set(link.abort, 0)
        bench.received.clear()
        await ctx.tick().repeat(8)
        assert set(bench.writes[before:]) == {RESET}
        assert await bench.ask(ctx, read_frame(9)) == [value(9, 0xDEAD0009)]
        await bench.send(ctx, encode_frame(FrameType.PIXELS_STREAM, b"\x04\x05\x06"))
        assert await stream_get(ctx, link.o_pixels) == 0x060504
        await bench.send(ctx, encode_frame(FrameType.PIXELS, b"\x07\x08\x09"))
        assert await stream_get(ctx, link.o_pixels) == 0x090807
        assert (await bench.answers(ctx, 2))[1:] == [ACK_PIXELS]

    bench.run(host)


def test_without_it_the_type_is_unknown_and_nothing_is_there_for_it():
    bench = Bench(p=0)

    async def host(ctx):
        refused = Frame(FrameType.ERROR, bytes([ErrorCode.UNKNOWN_TYPE]))
        assert await bench.ask(ctx, encode_frame(FrameType.PIXELS_STREAM, bytes(3))) == [refused]

    bench.run(host)
    assert bench.pixels == []
    assert bench.writes == []
    text = rtlil.convert(HostLink(timeout=100), emit_src=False)
    assert "quiet" not in text
    assert "abort" not in text
