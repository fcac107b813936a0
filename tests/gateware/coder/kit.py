"""Streams of the range coder: what goes in, what must come out, and how a test drives them."""

from bisect import bisect_right

import numpy as np

from licgate.manifest import CdfTables
from licgate.target.rangecoder import RangeDecoder, RangeEncoder
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get, stream_get_all, stream_put_all


def symbols(shares):
    """Payloads of one stream; where nothing is to be coded, one that says so."""
    shares = shares or [(0, 0)]
    return [{"left": left, "share": share, "last": n == len(shares) - 1} for n, (left, share) in enumerate(shares)]


def words(shares, precision):
    """What the golden encoder makes of shares."""
    encoder = RangeEncoder(precision)
    for share in shares:
        encoder.put(*share)
    return encoder.finish()


def word_payloads(stream):
    """Payloads of a coded stream."""
    if not stream:
        return [{"data": 0, "last": 1, "empty": 1}]
    return [{"data": word, "last": n == len(stream) - 1, "empty": 0} for n, word in enumerate(stream)]


async def take_stream(ctx, stream, *, stalls=None):
    """Take one coded stream, a list of words."""
    taken = []
    while True:
        payload = await stream_get(ctx, stream, stalls=stalls)
        if not payload.empty:
            taken.append(payload.data)
        assert payload.last or not payload.empty
        if payload.last:
            return taken


def encode(dut, streams, *, p=0.0, limit=200_000):
    """Run streams of shares through an encoder, one behind the other; the words of each, and the monitors."""
    found, watch_i, watch_o = [], monitor(dut.i), monitor(dut.o)

    async def source(ctx):
        for shares in streams:
            await stream_put_all(ctx, dut.i, symbols(shares), stalls=random_stalls(1, p))

    async def sink(ctx):
        for _ in streams:
            found.append(await take_stream(ctx, dut.o, stalls=random_stalls(2, p) if p else None))

    run_simulation(dut, source, sink, monitors=[watch_i, watch_o], limit=limit)
    return found, watch_i, watch_o


def random_set(random, precision, count, *, entries=40, single=0.1):
    """Return tables of all sorts: uneven, with tails of least shares, of one entry."""
    cdf = []
    for _ in range(count):
        n = int(random.integers(2, entries))
        if random.random() < single:
            cdf.append([0, 1 << precision])
            continue
        table = sorted((random.choice((1 << precision) - 2 * n, n, replace=False) + n).tolist())
        front, back = (int(k) for k in random.integers(0, n, 2))
        cdf.append([*range(front + 1), *table, *(((1 << precision) - back) + k for k in range(back + 1))])
    return CdfTables(precision=precision, offset=random.integers(-30, 9, count), cdf=[np.array(t) for t in cdf])


def golden_answers(tables, stream, asked):
    """What a decoder says of words, for the numbers of tables: tuples (symbol, low, high, bad)."""
    precision = tables.precision + tables.precision % 2
    decoder, answers, bad = RangeDecoder(stream, precision), [], False
    for n, number in enumerate(asked):
        cdf, entry = [int(v) << precision - tables.precision for v in tables.cdf[number]], 0
        if len(cdf) > 2:
            quantile = None if bad else decoder.quantile()
            bad = quantile is None
            if not bad:
                entry = bisect_right(cdf, quantile) - 1
                decoder.take(cdf[entry], cdf[entry + 1] - cdf[entry])
        bad = bad or (n == len(asked) - 1 and not decoder.whole())
        low, high = entry == 0, entry == len(cdf) - 2
        answers.append((int(tables.offset[number]) + entry, low, high, bad))
    return answers


def decode(dut, streams, asked, *, p=0.0, limit=200_000):
    """Run streams of words through a decoder; answers of each as `golden_answers` has them, and the monitors."""
    found, watches = [], [monitor(dut.i), monitor(dut.ask), monitor(dut.o)]

    async def source(ctx):
        for stream in streams:
            await stream_put_all(ctx, dut.i, word_payloads(stream), stalls=random_stalls(1, p))

    async def questions(ctx):
        for numbers in asked:
            payloads = [{"table": t, "last": n == len(numbers) - 1} for n, t in enumerate(numbers)]
            await stream_put_all(ctx, dut.ask, payloads, stalls=random_stalls(2, p))

    async def sink(ctx):
        for numbers in asked:
            answers = await stream_get_all(ctx, dut.o, len(numbers), stalls=random_stalls(3, p) if p else None)
            assert [a.last for a in answers] == [0] * (len(numbers) - 1) + [1]
            found.append([(a.symbol, a.low, a.high, a.bad) for a in answers])

    run_simulation(dut, source, questions, sink, monitors=watches, limit=limit)
    return found, *watches


def agree(found, expected):
    """Whether answers are those expected; a symbol that is bad, but for the last one, is none."""
    return len(found) == len(expected) and all(
        bool(one[3]) == other[3] and (other[3] or tuple(one) == other) for one, other in zip(found, expected)
    )
