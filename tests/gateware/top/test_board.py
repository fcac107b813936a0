"""An accelerator behind its link: what the link's registers say, what a reset leaves behind, and the UART around it."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.gateware.top.board import EmulatedBoard, LinkedAccelerator, SerialAccelerator
from licgate.runtime.device import read_register, write_register
from licgate.target.frames import FrameType, decode_frames, pixel_frames, read_frame, running_sums, write_frame
from licgate.target.link import LinkFacts
from licgate.target.registers import Control, Kind, Register
from licgate.target.registertable import decode
from tests.gateware.kit import run_simulation, stream_get, stream_put_all
from tests.gateware.linked import LinkedBench, linked

FACTS = LinkFacts(build=0x0123456789ABCDEF, clock_khz=99_750, emulated=True)


class Fountain(Component):
    """Gives latents as fast as they are taken, numbered from WIDTH on, takes pixels, and holds WIDTH."""

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(24)),
                "o": Out(stream.Signature(latent_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
                "csr": In(csr_signature),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width, number = Signal(16), Signal(16)
        m.d.comb += [self.i.ready.eq(1), self.o.valid.eq(width != 0), self.o.payload.value.eq(number)]
        m.d.sync += self.csr.r_data.eq(0)
        with m.If(self.csr.addr == Register.WIDTH):
            m.d.sync += self.csr.r_data.eq(width)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += number.eq(number + 1)
        with m.If(self.csr.w_stb & (self.csr.addr == Register.WIDTH)):
            m.d.sync += [width.eq(self.csr.w_data), number.eq(self.csr.w_data)]
        # as an accelerator does: a few cycles behind the register's write nothing comes any more
        with m.If(self.csr.w_stb & (self.csr.addr == Register.CONTROL)):
            m.d.sync += width.eq(0)
        return m


def test_the_links_registers_say_what_it_is_and_the_accelerators_stay():
    bench = LinkedBench(linked(Fountain(), facts=FACTS))

    async def host(ctx):
        async def read(register):
            return await bench.talk(ctx, read_register(register))

        fields = decode(Register.PROTOCOL, Kind.RESIDENT, await read(Register.PROTOCOL))
        assert fields == {"version": 1, "frames": bench.board.link.frames - 1, "serial": 0, "emulated": 1, "stream": 0}
        assert (await read(Register.BUILD)) | (await read(Register.BUILD + 1)) << 32 == FACTS.build
        assert await read(Register.CLOCK) == FACTS.clock_khz
        await bench.talk(ctx, write_register(Register.SCRATCH, 0xCAFED00D))
        assert await read(Register.SCRATCH) == 0xCAFED00D
        assert await read(Register.WIDTH) == 0
        assert await read(63) == 0

    bench.run(host)


@pytest.mark.parametrize("seed", [None, 2])
def test_sums_are_those_of_what_came_and_went(seed):
    bench = LinkedBench(linked(Fountain(), facts=FACTS), seed=seed)
    rgb = np.random.default_rng(1).integers(0, 256, 3 * 200, dtype=np.uint8)

    async def host(ctx):
        async def sums(register):
            return tuple([await bench.talk(ctx, read_register(register + k)) for k in range(2)])

        for frame in pixel_frames(rgb.tobytes()):
            await stream_put_all(ctx, bench.board.i, frame)
        while len(decode_frames(bytes(bench.received))[0]) < 3:
            await ctx.tick()
        bench.received.clear()
        pixels = rgb.reshape(-1, 3).astype(np.int64) @ np.array([1, 1 << 8, 1 << 16])
        assert await sums(Register.PIXELS_SUMS) == running_sums(pixels)
        assert await sums(Register.LATENTS_SUMS) == (0, 0)
        await bench.talk(ctx, write_register(Register.CONTROL, Control.RESET))
        assert await sums(Register.PIXELS_SUMS) == (0, 0)

    bench.run(host)


def test_a_frame_goes_to_the_accelerator_a_pixel_a_cycle():
    board, moves, rgb = linked(Fountain(), facts=FACTS), [], bytes(range(255))

    async def host(ctx):
        ctx.set(board.o.ready, 1)
        for frame in pixel_frames(rgb):
            await stream_put_all(ctx, board.i, frame)
        await ctx.tick().repeat(150)

    async def watch(ctx):
        i, cycle = board.accelerator.i, 0
        async for _clk, _rst, moved, pixel in ctx.tick().sample(i.valid & i.ready, i.payload):
            if moved:
                moves.append((cycle, pixel))
            cycle += 1

    run_simulation(board, host, background=[watch])
    assert [pixel for _, pixel in moves] == [int.from_bytes(rgb[n : n + 3], "little") for n in range(0, 255, 3)]
    assert moves[-1][0] - moves[0][0] == 84


@pytest.mark.parametrize("wait", [0, 1, 2, 3, 150, 301])
def test_a_reset_leaves_no_latent_of_before(wait):
    """Whatever the fountain, the register behind it and the packer hold in that cycle."""
    board, received = linked(Fountain(), facts=FACTS), []

    async def host(ctx):
        ctx.set(board.o.ready, 1)
        await stream_put_all(ctx, board.i, write_frame(Register.WIDTH, 1000))
        await ctx.tick().repeat(100 + wait)
        await stream_put_all(ctx, board.i, write_frame(Register.CONTROL, Control.RESET))
        await ctx.tick().repeat(900)
        received.clear()
        await stream_put_all(ctx, board.i, write_frame(Register.WIDTH, 5000))
        await ctx.tick().repeat(1500)

    async def listen(ctx):
        async for _clk, _rst, valid, byte in ctx.tick().sample(board.o.valid, board.o.payload):
            if valid:
                received.append(byte)

    run_simulation(board, host, background=[listen], limit=6000)
    frames, _ = decode_frames(bytes(received))
    first = next(frame for frame in frames if frame.type == FrameType.LATENTS)
    assert np.frombuffer(first.payload, "<i2").tolist() == list(range(5000, 5127))


@pytest.mark.parametrize(("wait", "length"), [(1, 1), (150, 1), (301, 40)])
def test_an_abort_leaves_nothing_of_before_and_resets_the_accelerator(wait, length):
    """While the host reads nothing: a command waits for its answer to go, and what stands behind it for the command."""
    board, received = linked(Fountain(), facts=LinkFacts(stream=True)), []

    async def host(ctx):
        await stream_put_all(ctx, board.i, write_frame(Register.WIDTH, 1000))
        for byte in 2 * read_frame(1) + next(pixel_frames(bytes(255), FrameType.PIXELS_STREAM)):
            ctx.set(board.i.payload, byte)
            ctx.set(board.i.valid, 1)
            await ctx.tick().repeat(2)
        await ctx.tick().repeat(wait)
        ctx.set(board.i.valid, 0)
        ctx.set(board.abort, 1)
        await ctx.tick().repeat(length)
        ctx.set(board.abort, 0)
        await ctx.tick().repeat(40)
        await stream_put_all(ctx, board.i, write_frame(Register.WIDTH, 5000))
        while not any(frame.type == FrameType.LATENTS for frame in decode_frames(bytes(received))[0]):
            received.append(await stream_get(ctx, board.o))

    run_simulation(board, host, limit=6000)
    frames, _ = decode_frames(bytes(received))
    assert [frame.type for frame in frames] == [FrameType.ACK, FrameType.LATENTS]
    assert np.frombuffer(frames[1].payload, "<i2").tolist() == list(range(5000, 5127))


@pytest.mark.parametrize("divisor", [4, 7])
def test_behind_a_uart_lost_bytes_are_counted(divisor):
    serial = SerialAccelerator(linked(Fountain(), facts=LinkFacts(serial=True)), divisor=divisor)
    board, line = EmulatedBoard(serial), []

    async def send(ctx, data, *, stop=1):
        for byte in data:
            for bit in (0, *((byte >> n) & 1 for n in range(8)), stop):
                ctx.set(board.rx, bit)
                await ctx.tick().repeat(divisor)
            ctx.set(board.rx, 1)
            await ctx.tick().repeat(1 if stop else 2 * divisor)

    async def host(ctx):
        await send(ctx, b"\x55\x12", stop=0)
        await send(ctx, write_frame(Register.SCRATCH, 77) + read_frame(Register.SCRATCH))
        await ctx.tick().repeat(10 * divisor * 12)
        await send(ctx, read_frame(Register.LINE_ERRORS))
        await ctx.tick().repeat(10 * divisor * 14)

    async def wires(ctx):
        async for _clk, _rst, tx in ctx.tick().sample(board.tx):
            line.append(tx)

    run_simulation(board, host, background=[wires], limit=30_000)
    received, at = [], 0
    while at < len(line):
        if line[at]:
            at += 1
            continue
        bits = [line[at + divisor * k + divisor // 2] for k in range(10)] if at + 10 * divisor <= len(line) else [1]
        assert bits[0] == 0
        assert bits[-1] == 1
        received.append(sum(bit << k for k, bit in enumerate(bits[1:9])))
        at += 10 * divisor - 1
    frames, rest = decode_frames(bytes(received))
    assert rest == b""
    values = [int.from_bytes(frame.payload[1:], "little") for frame in frames if frame.type == FrameType.VALUE]
    assert values == [77, 2]


def test_a_board_has_the_pins_that_it_needs():
    board = LinkedAccelerator(Fountain(), timeout=100)
    assert set(EmulatedBoard(board).signature.members) == {"i", "o"}
    assert set(SerialAccelerator(board, divisor=4).signature.members) == {"rx", "tx"}
    with pytest.raises(ValueError, match=r"^divisor must be at least 4 clock cycles per bit, not 3$"):
        SerialAccelerator(board, divisor=3)
