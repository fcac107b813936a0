"""The range coder in whole numbers against constriction, and against the reader that checks streams."""

import constriction
import numpy as np
import pytest

from licgate.codec.coder import SymbolReader, SymbolWriter
from licgate.errors import StreamError
from licgate.target.rangecoder import RangeDecoder, RangeEncoder
from tests.target.hostile import ending_in_zero, hostile, long_runs, random_shares


def model(left, share, precision):
    """Constriction's model of one share, and which of its entries that is."""
    scaled = [n << (24 - precision) for n in (left, share, (1 << precision) - left - share)]
    shares = [n for n in scaled if n]
    which = int(left > 0)
    weights = np.array(shares, dtype=np.float64) - 1
    return constriction.stream.model.Categorical(weights, perfect=False), which


def by_constriction(shares, precision):
    writer = SymbolWriter()
    for left, share in shares:
        if share:
            one, which = model(left, share, precision)
            writer.put(np.array([which], dtype=np.int32), one)
    return np.frombuffer(writer.data(), dtype="<u4").tolist()


def encoded(shares, precision):
    encoder = RangeEncoder(precision)
    for share in shares:
        encoder.put(*share)
    return encoder.finish()


def verdicts(words, shares, precision):
    """What the golden decoder and licgate's reader say of a stream: per symbol whether it fits, then of the whole."""
    decoder, own = RangeDecoder(words, precision), []
    reader, other = SymbolReader(np.array(words, dtype="<u4").tobytes()), []
    for left, share in shares:
        if not share:
            continue
        quantile = decoder.quantile()
        own.append(quantile is not None)
        one, _ = model(left, share, precision)
        try:
            found = int(reader.take(1, one)[0])
        except StreamError:
            return own, [*other, False]
        other.append(True)
        if quantile is None:
            break
        bounds = [0, left, left + share, 1 << precision]
        if left == 0:
            bounds = bounds[1:]
        assert bounds[found] <= quantile < bounds[found + 1]
        decoder.take(bounds[found], bounds[found + 1] - bounds[found])
    own.append(decoder.whole())
    try:
        reader.finish()
        other.append(True)
    except StreamError:
        other.append(False)
    return own, other


@pytest.mark.parametrize("precision", [16, 18, 20, 24])
def test_streams_are_those_of_constriction(random, precision):
    longest = 0
    for shares in hostile(random, precision):
        words = encoded(shares, precision)
        assert words == by_constriction(shares, precision)
        decoder = RangeDecoder(words, precision)
        for left, share in shares:
            if share:
                assert left <= decoder.quantile() < left + share
            decoder.take(left, share)
        assert decoder.whole()
        longest = max(longest, sum(word in (0, (1 << 32) - 1) for word in words))
    assert longest >= 20


@pytest.mark.parametrize("carry", [False, True])
def test_runs_are_as_long_as_their_tests_say(random, carry):
    encoder, longest = RangeEncoder(20), 0
    for share in long_runs(random, 20, 20, carry):
        encoder.put(*share)
        longest = max(longest, encoder.run)
    assert longest >= 18


def damaged(random, words):
    """Give streams that are not `words`."""
    yield [*words, 0]
    yield [*words, 1]
    yield words[:-1]
    yield words[:-2]
    yield []
    yield [(1 << 32) - 1] * len(words)
    yield random.integers(0, 1 << 32, len(words)).tolist()
    for _ in range(3):
        at, bit = int(random.integers(max(1, len(words) - 3), len(words) + 1)) - 1, int(random.integers(32))
        yield [word ^ (1 << bit if n == at else 0) for n, word in enumerate(words)]
    for at in (-1, -2):
        if len(words) >= -at:
            for step in (1, -1):
                yield [(w + step) % (1 << 32) if n == len(words) + at else w for n, w in enumerate(words)]


@pytest.mark.parametrize("precision", [16, 20])
def test_damage_is_told_as_the_reader_tells_it(random, precision):
    seen = {True: 0, False: 0}
    for shares in (*hostile(random, precision), *(random_shares(random, precision, n % 9 + 1) for n in range(8))):
        words = encoded(shares, precision)
        for wrong in damaged(random, words) if words else ([], [0], [1], [0, 0], [7, 7, 7]):
            own, other = verdicts(wrong, shares, precision)
            assert own == other
            seen[own[-1]] += 1
    assert seen[False] > 100
    assert seen[True]


@pytest.mark.parametrize("precision", [16, 18, 20, 24])
def test_a_stream_ends_in_a_zero_where_it_must(random, precision):
    ends = []
    for shares in ending_in_zero(random, precision, 20):
        words = encoded(shares, precision)
        ends.append(words[-1] == 0)
        assert words == by_constriction(shares, precision)
        for wrong in (words, words[:-1], [*words, 0]):
            own, other = verdicts(wrong, shares, precision)
            assert own == other
            assert own[-1] == (wrong == words)
    assert sum(ends) > 10


@pytest.mark.parametrize("precision", [15, 17, 26, 20.0, True])
def test_precisions_that_are_none(precision):
    with pytest.raises(ValueError, match=r"^precision must be an even number from 16 to 24, not "):
        RangeEncoder(precision)


@pytest.mark.parametrize("share", [(0, 1 << 16), (65535, 2), (-1, 3), (4, -1)])
def test_shares_that_are_none(share):
    with pytest.raises(ValueError, match=r"^share .* is no part of 1 << 16$"):
        RangeEncoder(16).put(*share)
