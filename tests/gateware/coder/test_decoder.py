"""The range decoder against the golden one: streams, damage, stalls, cycles, resets."""

import pytest

from licgate.gateware.coder.decoder import RangeDecoder
from licgate.target.codertables import coder_tables
from tests.gateware.coder.kit import decode, golden_answers, random_set, words


def coded(random, tables, asked):
    """Words of random entries of the tables asked for."""
    shares = []
    precision = tables.precision + tables.precision % 2
    for number in asked:
        cdf = [int(v) << precision - tables.precision for v in tables.cdf[number]]
        k = int(random.integers(len(cdf) - 1))
        shares.append((cdf[k], cdf[k + 1] - cdf[k]) if len(cdf) > 2 else (0, 0))
    return words(shares, precision)


@pytest.mark.parametrize("precision", [16, 19, 24])
@pytest.mark.parametrize("p", [0.0, 0.5])
def test_answers_are_those_of_the_golden_decoder(random, precision, p):
    tables = random_set(random, precision, 12)
    asked = [random.integers(0, 12, length).tolist() for length in (1, 2, 3, 30)]
    streams = [coded(random, tables, numbers) for numbers in asked]
    found = decode(RangeDecoder(coder_tables(tables)), streams, asked, p=p)[0]
    for numbers, stream, answers in zip(asked, streams, found, strict=True):
        assert answers == golden_answers(tables, stream, numbers)
        assert not any(bad for *_, bad in answers)
