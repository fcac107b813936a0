"""The interleaver: parities of columns put together, in order, to the cycle, in as few places as its proof says."""

import random
from collections import deque

import pytest

from licgate.gateware.streamed.interleaver import Interleaver
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get
from tests.gateware.waves import trace

BITS, MOST, APART = 6, 4, 11
# rows, credits, passes of a record: odd and even rows, from the fewest credits on
SHAPES = [(4, 4, 3), (3, 4, 3), (1, 5, 3), (5, 9, 3)]


def writes(rows, coin, count):
    """Random writes: passes with their words, and what is to come out, column by column of the words put together."""
    passes, expected = [], []
    for _ in range(count):
        pair, beyond = coin.random() < 0.7, coin.random() < 0.3
        counts = [MOST] * coin.randrange(3) + [coin.randrange(1, MOST)] if coin.random() < 0.7 else [MOST]
        channels = sum(counts)
        words = [[[coin.getrandbits(BITS) for _ in range(rows)] for _ in range(channels)] for _ in range(1 + pair)]
        for column, whole in enumerate(words):
            first = 0
            for index, size in enumerate(counts):
                about = {"count": size, "apart": channels, "pair": int(pair), "column": column}
                about |= {"beyond": int(pair and beyond), "first": index == 0, "last": index == len(counts) - 1}
                passes.append((about, whole[first : first + size]))
                first += size
        if not pair:
            expected += words[0]
            continue
        both = [[words[c % 2][k][c // 2] for c in range(2 * rows)] for k in range(channels)]
        expected += [columns[:rows] for columns in both]
        expected += [] if beyond else [columns[rows:] for columns in both]
    return passes, expected


def quad_writes(rows, coin, count):
    """Random writes of passes of quads among others, and what is to come out."""
    passes, expected = [], []
    for _ in range(count):
        if coin.random() < 0.4:
            more, out = writes(rows, coin, 1)
            passes += [(about | {"quads": 0}, words) for about, words in more]
            expected += out
            continue
        pair, beyond, channels = coin.random() < 0.6, coin.random() < 0.3, coin.randint(1, MOST)
        words = [[coin.getrandbits(BITS) for _ in range(rows)] for _ in range(4 * channels)]
        about = {"count": 4 * channels, "apart": channels, "pair": int(pair), "beyond": int(pair and beyond)}
        passes.append((about | {"column": 0, "first": 1, "last": 1, "quads": 1}, words))
        fourths = [words[k::4] for k in range(4)]
        if not pair:
            expected += [word for fourth in fourths for word in fourth]
            continue
        for halves in (fourths[0::2], fourths[1::2]):
            both = [[halves[c % 2][k][c // 2] for c in range(2 * rows)] for k in range(channels)]
            expected += [columns[:rows] for columns in both]
            expected += [] if beyond else [columns[rows:] for columns in both]
    return passes, expected


class Bench:
    """Passes are announced as soon as there are credits, or later; their words come at every second cycle, or later."""

    def __init__(self, shape, passes, seed=None):
        rows, self.credits, pairs = shape
        depth = 1 << ((self.credits + pairs) * MOST - 1).bit_length()
        quads = any("quads" in about for about, _ in passes)
        most = 4 * MOST if quads else MOST
        self.dut = Interleaver(rows, BITS, most_words=most, most_apart=APART, depth=depth, quads=quads)
        self.passes, self.coin = passes, None if seed is None else random.Random(seed)
        self.watchers = [monitor(self.dut.o, "o"), monitor(self.dut.i, "i")]
        self.counted, self.sent, self.cycle = [], [], 0

    @property
    def unpacked(self):
        """Passes that count whose words have not all been taken."""
        taken, open_ = self.watchers[0].transfers, 0
        for words in self.counted:
            open_ += taken < words
            taken -= words
        return open_

    async def tick(self, ctx):
        await ctx.tick()
        self.cycle += 1

    async def send(self, ctx):
        for about, words in self.passes:
            quads = about.get("quads", 0)
            while self.unpacked + (4 if quads else 1) > self.credits:
                await self.tick(ctx)
            if quads:
                self.counted += [len(words) // 4] * (4 >> about["beyond"])
            elif not (about["beyond"] and about["column"]):
                self.counted.append(len(words))
            ctx.set(self.dut.i.payload, about)
            ctx.set(self.dut.i.valid, 1)
            assert ctx.get(self.dut.i.ready)
            await self.tick(ctx)
            ctx.set(self.dut.i.valid, 0)
            await self.tick(ctx)
            for word in words:
                while self.coin and self.coin.random() < 0.4:
                    await self.tick(ctx)
                for target, value in zip(self.dut.word, word, strict=True):
                    ctx.set(target, value)
                ctx.set(self.dut.enable, 1)
                self.sent.append(self.cycle)
                await self.tick(ctx)
                ctx.set(self.dut.enable, 0)
                await self.tick(ctx)

    def run(self, expected, *, stalls=None, late=0):
        got, rows = [], len(self.dut.word)

        async def sink(ctx):
            await ctx.tick().repeat(late + 1)
            for _ in expected:
                word = await stream_get(ctx, self.dut.o, stalls=stalls)
                got.append([word >> (BITS * r) & ((1 << BITS) - 1) for r in range(rows)])

        run_simulation(self.dut, self.send, sink, monitors=self.watchers, limit=20_000)
        assert got == expected
        return self.watchers[0].transfer_cycles


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [1, 2])
def test_words_of_both_parities_come_out_as_records_with_random_stalls(shape, seed):
    passes, expected = writes(shape[0], random.Random(seed), 12)
    Bench(shape, passes, seed).run(expected, stalls=random_stalls(seed, 0.6))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [1, 2])
def test_words_of_quads_come_out_as_records_with_random_stalls(shape, seed):
    passes, expected = quad_writes(shape[0], random.Random(seed), 12)
    assert {about["quads"] for about, _ in passes} == {0, 1}
    Bench(shape, passes, seed).run(expected, stalls=random_stalls(seed, 0.6))


@pytest.mark.parametrize("shape", SHAPES)
def test_quads_that_nobody_takes_overflow_nothing(shape):
    passes, expected = quad_writes(shape[0], random.Random(5), 14)
    Bench(shape, passes).run(expected, late=200)


def test_the_latency_of_quads_is_exact():
    about = {"count": 4, "apart": 1, "pair": 0, "beyond": 0, "column": 0, "first": 1, "last": 1, "quads": 1}
    bench = Bench((2, 4, 1), [(about, [[1, 2], [3, 4], [5, 6], [7, 8]])])
    taken = bench.run([[1, 2], [3, 4], [5, 6], [7, 8]])
    assert [out - bench.sent[-1] for out in taken] == [Interleaver.latency + 1 + k for k in range(4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_with_the_fewest_credits_nothing_overflows_and_nothing_waits_forever(shape):
    # pairs of as many passes as there may be, one behind the other, which nobody takes for a while
    rows, _, pairs = shape
    coin, passes, expected = random.Random(3), [], []
    for _ in range(6):
        more, out = [], []
        while len(more) != 2 * pairs:
            more, out = writes(rows, coin, 1)
        passes, expected = passes + more, expected + out
    Bench(shape, passes).run(expected, late=200)


def one_pair(beyond):
    about = {"count": 2, "apart": 2, "pair": 1, "beyond": beyond, "first": 1, "last": 1}
    words = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    return [(about | {"column": column}, words[column]) for column in range(2)]


@pytest.mark.parametrize("beyond", [0, 1])
def test_latency_is_exact(beyond):
    bench = Bench((2, 4, 1), one_pair(beyond))
    expected = [[1, 5], [3, 7]] + ([] if beyond else [[2, 6], [4, 8]])
    taken = bench.run(expected)
    second = bench.sent[2:]
    assert [out - came for came, out in zip(second, taken, strict=False)] == [Interleaver.latency] * 2
    if not beyond:
        assert [out - second[-1] for out in taken[2:]] == [Interleaver.latency + 1, Interleaver.latency + 2]
    assert {later - earlier for earlier, later in zip(bench.sent[::2], bench.sent[1::2], strict=True)} == {
        Interleaver.interval
    }


def test_a_reset_empties_it():
    plain = {"i.payload.count": 1, "i.payload.first": 1, "i.payload.last": 1, "i.valid": 1}
    waiting = deque([5, 9])

    def one():
        value = waiting.popleft()
        return [plain, {"i.valid": 0}, {}, {"enable": 1, "word": [value]}, {"enable": 0}, {}]

    steps = [*one(), *one(), {"o.ready": 1}, *[{}] * 8]
    dut = Interleaver(1, 4, most_words=2, most_apart=2, depth=8)
    seen = trace(dut, steps, ("o.valid", "o.payload"), resets={5})
    assert [now.o_payload for now in seen if now.o_valid] == [9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows must be a positive integer, not 0"),
        ({"most_apart": 1.5}, "most_apart must be a positive integer, not 1.5"),
        ({"depth": 24}, "depth must be a power of two, not 24"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(change, message):
    options = {"rows": 4, "bits": 8, "most_words": 4, "most_apart": 8, "depth": 16} | change
    with pytest.raises(ValueError, match=f"^{message}$"):
        Interleaver(options.pop("rows"), options.pop("bits"), **options)
