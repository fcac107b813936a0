"""Shares to code: random ones, extreme ones, and those that keep a carry waiting for as long as one wants."""

import numpy as np

from licgate.target.rangecoder import RangeDecoder, RangeEncoder

ONES = (1 << 32) - 1


def random_table(random, precision, entries=12):
    """Return a cumulative table, whole numbers from 0 to 1 << precision: uneven, even, or of least shares but one."""
    total, n = 1 << precision, int(random.integers(2, entries + 1))
    kind = random.integers(3)
    if kind == 0:
        inner = random.choice(total - 1, n - 1, replace=False) + 1
    elif kind == 1:
        inner = np.arange(1, n) * (total // n)
    else:
        large = int(random.integers(n))
        inner = np.concatenate([np.arange(1, large + 1), total - np.arange(n - 1 - large, 0, -1)])
    return [0, *sorted(inner.tolist()), total]


def random_shares(random, precision, count):
    """Return `count` pairs (left, share), each entry of a table as likely as the others, and single ones between."""
    shares = []
    for _ in range(count):
        table = random_table(random, precision)
        k = int(random.integers(len(table) - 1))
        shares.append((0, 0) if random.random() < 0.05 else (table[k], table[k + 1] - table[k]))
    return shares


def followed(random, precision, words, count):
    """Return the shares, narrow ones, that a decoder of any `words` reads: they put lower where one wants it."""
    decoder, shares = RangeDecoder(words, precision), []
    while len(shares) < count and (quantile := decoder.quantile()) is not None:
        share = 1 << int(random.integers(precision // 2))
        left = min(max(0, quantile - int(random.integers(share))), (1 << precision) - share)
        shares.append((left, share))
        decoder.take(left, share)
    return shares


def long_runs(random, precision, run, carry):
    """Return shares that hold about `run` words back, which then go out with or without a carry."""
    point = [int(random.integers(1, ONES)), *[0 if carry else ONES] * run, *random.integers(0, 1 << 32, 3).tolist()]
    return followed(random, precision, point, 3 * (run + 4))


def ending_in_zero(random, precision, count):
    """Give lists of shares that end with a range of hardly more than one word, so that most streams end in a 0."""
    for _ in range(count):
        encoder, shares = RangeEncoder(precision), []
        for share in (257, 257, None):
            if share is None:
                unit = encoder.range >> 24 << (24 - precision)
                share = -(-(1 << 32) // unit)
            shares.append((int(random.integers((1 << precision) - share)), share))
            encoder.put(*shares[-1])
        yield shares


def few(random, precision):
    """Give some lists of shares of every sort, short enough to be simulated in all tests."""
    top = 1 << precision
    yield []
    yield [(0, 1)]
    yield [(0, 0), (top - 1, 1), (0, 0)]
    yield from ending_in_zero(random, precision, 2)
    yield long_runs(random, precision, 14, carry=True)
    yield long_runs(random, precision, 4, carry=False)
    yield random_shares(random, precision, 12)


def hostile(random, precision):
    """Give lists of shares, each for one stream."""
    top = 1 << precision
    yield from few(random, precision)
    for left, share in ((0, 1), (top - 1, 1), (0, top - 1), (1, top - 1), (top // 2, top // 2)):
        yield [(left, share)] * 40
    # a range just above a word's: what is left of the first of two symbols is all but the least
    for k in range(1, 8):
        yield [(k, 1), (top - k, k)] * 9
    yield from ending_in_zero(random, precision, 3)
    for length in (1, 2, 3, 7, 60):
        yield random_shares(random, precision, length)
    for run in (1, 2, 5, 20):
        for carry in (False, True):
            yield long_runs(random, precision, run, carry)
