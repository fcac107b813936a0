"""Escape codes against the software's, written and read."""

import numpy as np
import pytest

from licgate.codec.escapes import EXCESS_LIMIT, EscapeReader, write_escapes
from licgate.errors import StreamError
from licgate.gateware.coder import escapes
from licgate.target.codertables import EXCESS_BITS
from tests.gateware.coder.kit import take_stream, word_payloads
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get, stream_put


def test_an_excess_has_the_bits_that_the_container_gives_it():
    assert EXCESS_LIMIT == 1 << EXCESS_BITS


def sections(random):
    """Lists of excesses: none, small ones, ends of codes of all lengths, codes that end with a byte."""
    yield []
    yield [0]
    yield [0] * 8
    yield [0] * 9
    yield [EXCESS_LIMIT - 1, 0, EXCESS_LIMIT - 2]
    yield [(1 << k) - 1 + d for k in range(5) for d in (0, 1)]
    yield [*random.geometric(0.4, 20).tolist(), int(random.integers(EXCESS_LIMIT))]


@pytest.mark.parametrize("p", [0.5])
def test_bytes_are_those_of_the_software(random, p):
    dut, lists, found = escapes.EscapeWriter(), list(sections(random)), []

    async def source(ctx):
        stalls = random_stalls(1, p)
        for k, values in enumerate(lists):
            # what ends a section is said with the last excess, or behind it
            late = k % 2 or not values
            for n, value in enumerate(values):
                last = n == len(values) - 1 and not late
                await stream_put(ctx, dut.i, {"value": value, "none": 0, "close": last}, stalls=stalls)
            if late:
                await stream_put(ctx, dut.i, {"value": 77, "none": 1, "close": 1}, stalls=stalls)

    async def sink(ctx):
        for _ in lists:
            found.append(bytes(await take_stream(ctx, dut.o, stalls=random_stalls(2, p))))

    run_simulation(dut, source, sink, monitors=[monitor(dut.i), monitor(dut.o)], limit=5000)
    assert found == [write_escapes(np.array(values)) for values in lists]


def by_software(data, count):
    """What the software reads: values and whether each is bad."""
    reader, answers = EscapeReader(data), []
    for n in range(count):
        try:
            answers.append((int(reader.read(1)[0]), False))
        except StreamError:
            return answers + [(None, True)] * (count - n)
    try:
        reader.finish()
    except StreamError:
        answers = [*answers[:-1], (None, True)] if answers else [(None, True)]
    return answers


def damaged(random, most):
    """Sections, and how many codes are wanted of each."""
    for values in list(sections(random))[:most]:
        data = write_escapes(np.array(values))
        yield data, len(values)
        if values:
            yield data[:-1], len(values)
            yield data + b"\0", len(values)
            yield data + b"\1\2\3", len(values)
            yield data, len(values) + 1
            yield data, len(values) - 1
    yield b"\0" * 7, 3
    yield b"\0\0\x0f" + b"\xff" * 5, 2
    yield b"\0\0\x08\0\0\x40\0\0", 1
    yield b"\0\0\x08\0\0\0\0\0", 1


@pytest.mark.parametrize(
    ("p", "most"),
    [(0.3, 3), pytest.param(0.0, 9, marks=pytest.mark.regress), pytest.param(0.6, 9, marks=pytest.mark.regress)],
)
def test_what_is_read_is_what_the_software_reads(random, p, most):
    dut, cases, found = escapes.EscapeReader(), list(damaged(random, most)), []

    async def source(ctx):
        stalls = random_stalls(1, p)
        for data, _ in cases:
            for payload in word_payloads(list(data)):
                await stream_put(ctx, dut.i, payload, stalls=stalls)

    async def questions(ctx):
        stalls = random_stalls(2, p)
        for _, count in cases:
            for n in range(max(1, count)):
                await stream_put(ctx, dut.ask, {"none": count == 0, "close": n >= count - 1}, stalls=stalls)

    async def sink(ctx):
        stalls = random_stalls(3, p)
        for _, count in cases:
            found.append([await stream_get(ctx, dut.o, stalls=stalls) for _ in range(max(1, count))])

    watches = [monitor(dut.i), monitor(dut.ask), monitor(dut.o)]
    run_simulation(dut, source, questions, sink, monitors=watches, limit=20_000)
    for (data, count), answers in zip(cases, found, strict=True):
        expected = by_software(data, count) or [(None, False)]
        assert [bool(one.bad) for one in answers] == [bad for _, bad in expected], (data, count)
        for one, (value, bad) in zip(answers, expected, strict=True):
            assert bad or count == 0 or one.value == value
