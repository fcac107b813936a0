"""The ring of received pixels: each once, in order, a pixel a cycle, and told when a frame has been taken."""

from itertools import pairwise
from random import Random

import pytest

from licgate.gateware.host.pixelbuffer import PixelBuffer
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation


class Bench:
    """A buffer between a line that writes a byte now and then and a reader that takes a pixel now and then."""

    def __init__(self, *, frames=4, streaming=False, size=256, write=0.0, read=0.0, seed=0):
        self.dut = PixelBuffer(frames=frames, streaming=streaming, size=size)
        self.watcher, self._streaming = Monitor(self.dut.o, "o"), streaming
        self._write = random_stalls(seed, write) if write else never()
        self._read = random_stalls(seed + 1, read) if read else never()
        self.cycles, self.committed, self.pixels, self.told, self.waiting = 0, [], [], [], 0

    async def tick(self, ctx):
        """Let a cycle pass, in which the reader is ready or not."""
        dut = self.dut
        ctx.set(dut.o.ready, not next(self._read))
        await ctx.delay(1e-9)
        if ctx.get(dut.o.valid) and ctx.get(dut.o.ready) and not ctx.get(dut.flush):
            self.pixels.append((self.cycles, ctx.get(dut.o.payload)))
        for name in ("drained", "released") if self._streaming else ("drained",):
            if ctx.get(getattr(dut, name)):
                self.told.append((self.cycles, name))
                self.waiting -= 1
        await ctx.tick()
        self.cycles += 1

    async def write(self, ctx, payload, *, quiet=False, commit=True):
        """Write a frame, as soon as there is room for it."""
        dut = self.dut
        while self.waiting == dut.frames - 1:
            await self.tick(ctx)
        for n, byte in enumerate(payload):
            while next(self._write):
                await self.tick(ctx)
            ctx.set(dut.w_index, n), ctx.set(dut.w_data, byte), ctx.set(dut.w_stb, 1)
            await self.tick(ctx)
            ctx.set(dut.w_stb, 0)
        if commit:
            ctx.set(dut.pixels, len(payload) // 3), ctx.set(dut.commit, 1)
            if self._streaming:
                ctx.set(dut.quiet, quiet)
            self.committed.append(self.cycles)
            self.waiting += 1
            await self.tick(ctx)
            ctx.set(dut.commit, 0)
            await self.tick(ctx)  # in which no byte may come

    async def flush(self, ctx):
        """Forget what has been committed."""
        ctx.set(self.dut.flush, 1)
        await self.tick(ctx)
        ctx.set(self.dut.flush, 0)
        self.waiting = 0
        self.pixels.clear(), self.told.clear()

    async def drain(self, ctx):
        """Wait for all that is committed, and for what should not be."""
        while self.waiting:
            await self.tick(ctx)
        for _ in range(20):
            await self.tick(ctx)

    def run(self, host):
        run_simulation(self.dut, host, monitors=[self.watcher], limit=60_000)


def pixels_of(payload):
    """Pixels of a frame's bytes."""
    return [int.from_bytes(payload[n : n + 3], "little") for n in range(0, len(payload), 3)]


@pytest.mark.parametrize("frames", [2, 8])
@pytest.mark.parametrize(("write", "read"), [(0, 0), (0, 0.5), (0.7, 0), (0.3, 0.9)])
def test_every_pixel_comes_once_and_in_order_and_every_end_is_told(frames, write, read):
    bench, coin = Bench(frames=frames, streaming=True, write=write, read=read), Random(frames)
    payloads = [coin.randbytes(3 * n) for n in (1, 2, 3, 4, 5, 85, 84, 1, 83, 82, 6, 7, 8)]
    quiet = [coin.random() < 0.5 for _ in payloads]

    async def host(ctx):
        for payload, silent in zip(payloads, quiet, strict=True):
            await bench.write(ctx, payload, quiet=silent)
        await bench.drain(ctx)

    bench.run(host)
    assert [pixel for _, pixel in bench.pixels] == [pixel for payload in payloads for pixel in pixels_of(payload)]
    # the cycle behind the one that takes a frame's last pixel
    ends = [sum(len(payload) // 3 for payload in payloads[: n + 1]) - 1 for n in range(len(payloads))]
    names = ["released" if silent else "drained" for silent in quiet]
    assert bench.told == [(bench.pixels[end][0] + 1, name) for end, name in zip(ends, names, strict=True)]


@pytest.mark.parametrize("size", [16, 256])
def test_latency_interval_and_gap_are_exact(size):
    bench, most = Bench(frames=4, size=size), size // 3
    payload = bytes(range(3 * most))

    async def host(ctx):
        for count in (1, most, most, 2):
            await bench.write(ctx, payload[: 3 * count])
            await bench.drain(ctx)

    bench.run(host)
    dut, cycles = bench.dut, [cycle for cycle, _ in bench.pixels]
    at = 0
    for count, committed in zip((1, most, most, 2), bench.committed, strict=True):
        assert cycles[at : at + count] == [committed + dut.latency + n * dut.interval for n in range(count)]
        at += count


def test_frames_that_wait_come_with_a_gap_between_them():
    bench, held = Bench(frames=8), [True]
    bench._read = iter(lambda: held[0], None)
    payload = bytes(range(255))

    async def host(ctx):
        for _ in range(5):
            await bench.write(ctx, payload)
        held[0] = False
        await bench.drain(ctx)

    bench.run(host)
    cycles = [cycle for cycle, _ in bench.pixels]
    # what was read ahead hides the first of them, in part or whole
    longer = {n: b - a for n, (a, b) in enumerate(pairwise(cycles)) if b - a > 1}
    assert set(longer) <= {85 * n - 1 for n in range(1, 5)}
    assert max(longer.values()) == 1 + bench.dut.gap


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 50])
@pytest.mark.parametrize("read", [0, 0.5])
def test_what_is_flushed_is_forgotten_whenever_that_is(after, read):
    bench = Bench(frames=4, streaming=True, read=read, seed=after)
    payloads = [bytes(range(60)), bytes(range(100, 130)), bytes(range(9))]

    async def host(ctx):
        for payload in payloads[:2]:
            await bench.write(ctx, payload)
        for _ in range(after):
            await bench.tick(ctx)
        await bench.flush(ctx)
        await bench.write(ctx, payloads[2])
        await bench.drain(ctx)

    # an offered pixel is withdrawn, which a monitor would mind
    run_simulation(bench.dut, host, limit=2000)
    assert [pixel for _, pixel in bench.pixels] == pixels_of(payloads[2])
    assert [name for _, name in bench.told] == ["drained"]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"frames": 3}, ValueError, r"^frames must be a power of two of at least 2, not 3$"),
        ({"frames": "8"}, TypeError, r"^frames must be an integer, not '8'$"),
        ({"frames": 2, "size": 100}, ValueError, r"^size must be a power of two of at least 4, not 100$"),
    ],
)
def test_constructor_errors(options, kind, message):
    with pytest.raises(kind, match=message):
        PixelBuffer(**options)
