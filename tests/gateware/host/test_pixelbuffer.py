"""The ring of received pixels: each once, in order, a pixel a cycle, and told when a frame has been taken."""

from random import Random

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.host.pixelbuffer import PixelBuffer
from tests.gateware.kit import Monitor, never, random_stalls, run_simulation


class Bench:
    """A buffer between a line that pauses and a reader that stalls, and what was seen of them, cycle by cycle."""

    def __init__(self, *, frames=4, streaming=True, size=256, write=0.0, read=0.0, seed=0):
        self.dut, self.reset = PixelBuffer(frames=frames, streaming=streaming, size=size), Signal()
        self.monitor = Monitor(self.dut.o, "o", reset=self.reset | self.dut.flush)
        self.pauses = random_stalls(seed, write) if write else never()
        self.stalls = random_stalls(seed + 1, read) if read else never()
        self.cycle, self.waiting, self.hold = 0, 0, False
        self.commits, self.pixels, self.told = [], [], []

    async def tick(self, ctx, cycles=1):
        """Let cycles pass, in which the reader is ready or not."""
        dut = self.dut
        names = ("drained", "released") if dut.streaming else ("drained",)
        for _ in range(cycles):
            ctx.set(dut.o.ready, not self.hold and not next(self.stalls))
            seen = (dut.o.valid, dut.o.ready, dut.o.payload, dut.flush, *(getattr(dut, name) for name in names))
            _, _, valid, ready, pixel, flush, *ends = await ctx.tick().sample(*seen)
            if valid and ready and not flush:
                self.pixels.append((self.cycle, pixel))
            for name, end in zip(names, ends, strict=True):
                if end:
                    self.told.append((self.cycle, name))
                    self.waiting -= 1
            self.cycle += 1

    async def write(self, ctx, payload):
        """Write bytes of the open frame."""
        for n, byte in enumerate(payload):
            while next(self.pauses):
                await self.tick(ctx)
            ctx.set(self.dut.w_index, n)
            ctx.set(self.dut.w_data, byte)
            ctx.set(self.dut.w_stb, 1)
            await self.tick(ctx)
            ctx.set(self.dut.w_stb, 0)

    async def commit(self, ctx, count, *, quiet=False):
        """Close the open frame, as soon as there is room for another."""
        while self.waiting == self.dut.frames - 1:
            await self.tick(ctx)
        ctx.set(self.dut.pixels, count)
        ctx.set(self.dut.commit, 1)
        if self.dut.streaming:
            ctx.set(self.dut.quiet, quiet)
        self.commits.append(self.cycle)
        self.waiting += 1
        await self.tick(ctx)
        ctx.set(self.dut.commit, 0)
        await self.tick(ctx)  # `pixels` still stands, and no byte comes

    async def put(self, ctx, payload, *, quiet=False):
        """Write and commit a frame."""
        await self.write(ctx, payload)
        await self.commit(ctx, len(payload) // 3, quiet=quiet)

    async def pulse(self, ctx, signal):
        """Flush or reset; what was taken and told before is no matter from here on."""
        ctx.set(signal, 1)
        await self.tick(ctx)
        ctx.set(signal, 0)
        self.waiting = 0
        self.pixels.clear()
        self.told.clear()

    async def drain(self, ctx):
        """Wait for all that is committed, and for what should not come."""
        while self.waiting:
            await self.tick(ctx)
        await self.tick(ctx, 20)

    def run(self, host, limit=30_000):
        run_simulation(ResetInserter(self.reset)(self.dut), host, monitors=[self.monitor], limit=limit)


def pixels_of(*payloads):
    """Pixels of frames' bytes."""
    return [int.from_bytes(payload[n : n + 3], "little") for payload in payloads for n in range(0, len(payload), 3)]


def check_ends(bench, counts, quiet):
    """The end of each frame is told once, in the cycle behind its last pixel's, and as what it is."""
    taken, ends = [cycle for cycle, _ in bench.pixels], []
    for count, silent in zip(counts, quiet, strict=True):
        ends.append((taken[count - 1] + 1, "released" if silent else "drained"))
        del taken[:count]
    assert bench.told == ends


@pytest.mark.parametrize(("frames", "size", "streaming"), [(2, 256, True), (8, 256, False), (4, 16, True)])
@pytest.mark.parametrize(("write", "read"), [(0, 0), (0, 0.6), (0.7, 0), (0.3, 0.8)])
def test_every_pixel_comes_once_and_in_order_and_every_end_is_told(frames, size, streaming, write, read):
    bench, coin = Bench(frames=frames, streaming=streaming, size=size, write=write, read=read), Random(frames)
    most = size // 3
    counts = [1, 1, 1, 2, 3, 4, 5, most, most - 1, most - 2, 1, most, 2, 1]
    payloads = [coin.randbytes(3 * count) for count in counts]
    quiet = [streaming and coin.random() < 0.5 for _ in counts]

    async def host(ctx):
        for payload, silent in zip(payloads, quiet, strict=True):
            if coin.random() < 0.4:  # a frame that is spoilt, or none of pixels: never committed
                await bench.write(ctx, coin.randbytes(coin.randrange(1, size)))
            await bench.put(ctx, payload, quiet=silent)
        await bench.drain(ctx)

    bench.run(host)
    assert [pixel for _, pixel in bench.pixels] == pixels_of(*payloads)
    check_ends(bench, counts, quiet)


@pytest.mark.parametrize("frames", [2, 16])
def test_frames_of_every_size_are_offered_at_the_exact_cycles(frames):
    """A frame follows the one before without a gap, or comes `latency` cycles behind its commit."""
    bench, coin = Bench(frames=frames, streaming=False), Random(1)
    counts = [*range(1, 86)] if frames > 2 else [1, 85, 2, 3, 84, 4, 1]
    coin.shuffle(counts)
    payloads = [coin.randbytes(3 * count) for count in counts]

    async def host(ctx):
        for payload in payloads:
            await bench.put(ctx, payload)
        await bench.drain(ctx)

    bench.run(host)
    expected, last = [], -1
    for committed, count in zip(bench.commits, counts, strict=True):
        first = max(committed + bench.dut.latency, last + 1)
        expected += [first + n * bench.dut.interval for n in range(count)]
        last = expected[-1]
    assert bench.pixels == list(zip(expected, pixels_of(*payloads), strict=True))
    check_ends(bench, counts, [False] * len(counts))


@pytest.mark.parametrize("counts", [[85] * 7, [1] * 7, [2, 1, 1, 3, 85, 1, 7], [4, 5, 6, 7, 8, 3, 2]])
def test_frames_that_wait_go_in_one_burst_a_pixel_each_cycle(counts):
    bench, coin = Bench(frames=8), Random(0)
    payloads, quiet = [coin.randbytes(3 * count) for count in counts], [count % 2 == 0 for count in counts]

    async def host(ctx):
        bench.hold = True
        for payload, silent in zip(payloads, quiet, strict=True):
            await bench.put(ctx, payload, quiet=silent)
        await bench.tick(ctx, 40)
        assert ctx.get(bench.dut.o.valid)
        assert not bench.told
        bench.hold = False
        await bench.drain(ctx)

    bench.run(host)
    taken, values = zip(*bench.pixels, strict=True)
    assert taken == tuple(range(taken[0], taken[0] + sum(counts)))
    assert [*values] == pixels_of(*payloads)
    check_ends(bench, counts, quiet)


@pytest.mark.parametrize("after", range(14))
@pytest.mark.parametrize("read", [0, 0.5])
def test_what_was_committed_is_flushed_at_any_time_and_the_open_frame_stays(after, read):
    bench = Bench(frames=4, read=read, seed=after)
    old, new = [bytes(range(60)), bytes(range(100, 130))], bytes(range(200, 221))

    async def host(ctx):
        for payload in old:
            await bench.put(ctx, payload)
        await bench.write(ctx, new)
        await bench.tick(ctx, after)
        await bench.pulse(ctx, bench.dut.flush)
        await bench.tick(ctx, 20)
        assert not bench.pixels
        assert not bench.told
        await bench.commit(ctx, len(new) // 3, quiet=True)
        await bench.put(ctx, old[0])
        await bench.drain(ctx)

    bench.run(host)
    assert [pixel for _, pixel in bench.pixels] == pixels_of(new, old[0])
    assert [name for _, name in bench.told] == ["released", "drained"]


@pytest.mark.parametrize("wait", range(4))
def test_a_frame_is_flushed_from_the_cycle_of_its_commit_on(wait):
    bench, payload = Bench(), bytes(range(9))

    async def host(ctx):
        await bench.write(ctx, payload)
        ctx.set(bench.dut.pixels, 3)
        for cycle in range(5):
            ctx.set(bench.dut.commit, cycle == 0)
            ctx.set(bench.dut.flush, cycle == wait)
            await bench.tick(ctx)
        await bench.tick(ctx, 20)
        assert not bench.pixels
        assert not bench.told
        for n in range(6):
            await bench.put(ctx, bytes([n] * 6))
        await bench.drain(ctx)

    bench.run(host)
    assert [pixel for _, pixel in bench.pixels] == pixels_of(*(bytes([n] * 6) for n in range(6)))


@pytest.mark.parametrize("after", [0, 3, 6, 9, 30])
def test_a_reset_empties_the_ring(after):
    bench = Bench(read=0.3, seed=after)

    async def host(ctx):
        for n in range(3):
            await bench.put(ctx, bytes(range(n, n + 48)))
        await bench.write(ctx, bytes(5))
        await bench.tick(ctx, after)
        await bench.pulse(ctx, bench.reset)
        await bench.tick(ctx, 20)
        assert not bench.pixels
        await bench.put(ctx, bytes(range(30)), quiet=True)
        await bench.drain(ctx)

    bench.run(host)
    assert [pixel for _, pixel in bench.pixels] == pixels_of(bytes(range(30)))
    assert [name for _, name in bench.told] == ["released"]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"frames": 3}, ValueError, r"^frames must be a power of two of at least 2, not 3$"),
        ({"frames": "8"}, TypeError, r"^frames must be an integer, not '8'$"),
        ({"frames": 2, "size": 100}, ValueError, r"^size must be a power of two of at least 4, not 100$"),
        ({"frames": 2, "size": 256.0}, TypeError, r"^size must be an integer, not 256\.0$"),
    ],
)
def test_constructor_errors(options, kind, message):
    with pytest.raises(kind, match=message):
        PixelBuffer(**options)
