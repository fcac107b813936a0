"""The range decoder against the golden one: streams, cycles, damage, stalls, resets."""

import pytest
from amaranth.hdl import ResetInserter, Signal

from licgate.gateware.coder.decoder import RangeDecoder
from licgate.gateware.coder.search import EntrySearch
from licgate.perf.coder import decoder_cycles
from licgate.target.codertables import CoderTables, coder_tables
from tests.gateware.coder.kit import agree, decode, golden_answers, random_set, word_payloads, words
from tests.gateware.kit import monitor, run_simulation, stream_get_all, stream_put


def flat(lists):
    return [value for one in lists for value in one]


def coded(random, tables, asked):
    """Words of random entries of the tables asked for."""
    shares = []
    precision = tables.precision + tables.precision % 2
    for number in asked:
        cdf = [int(v) << precision - tables.precision for v in tables.cdf[number]]
        k = int(random.integers(len(cdf) - 1))
        shares.append((cdf[k], cdf[k + 1] - cdf[k]) if len(cdf) > 2 else (0, 0))
    return words(shares, precision)


def check(random, tables, cases, p):
    """Decode (words, questions) and compare with the golden decoder, and with the cycle model; how many were bad."""
    streams, asked = zip(*cases)
    found, _, watch_ask, watch_o = decode(RangeDecoder(coder_tables(tables)), streams, asked, p=p)
    for numbers, stream, answers in zip(asked, streams, found, strict=True):
        assert agree(answers, golden_answers(tables, stream, numbers)), (stream, numbers)
    if not p:
        questions, answered = decoder_cycles(tables, cases)
        assert watch_ask.transfer_cycles == flat(questions)
        assert watch_o.transfer_cycles == flat(answered)
    return sum(answers[-1][3] for answers in found)


@pytest.mark.parametrize(("precision", "p"), [(20, 0.0), (17, 0.4)])
def test_answers_and_cycles_are_those_of_the_golden_decoder(random, precision, p):
    tables = random_set(random, precision, 12)
    asked = [random.integers(0, 12, length).tolist() for length in (1, 2, 9)]
    assert check(random, tables, [(coded(random, tables, numbers), numbers) for numbers in asked], p) == 0


def damaged(random, tables, count):
    """Streams that are not those of an encoder, or not the whole of them; and some that are."""
    for _ in range(count):
        asked = random.integers(0, tables.count, int(random.integers(1, 4))).tolist()
        right = coded(random, tables, asked)
        for wrong in (right, right[:-1], [*right, 0], [*right, 3, 4, 5], [(1 << 32) - 1] * 2):
            yield wrong, asked
        if right:
            yield [*right[:-1], right[-1] ^ 1 << int(random.integers(32))], asked
        yield random.integers(0, 1 << 32, 3).tolist(), asked


def test_damage_is_told_where_the_software_tells_it(random):
    tables = random_set(random, 20, 6, entries=5, single=0.4)
    assert check(random, tables, list(damaged(random, tables, 2)), 0.0) >= 6


@pytest.mark.regress
@pytest.mark.slow
@pytest.mark.parametrize("precision", [16, 17, 20, 22, 24])
@pytest.mark.parametrize("p", [0.0, 0.5])
def test_more_damage(random, precision, p):
    for single in (0.0, 0.5):
        tables = random_set(random, precision, 9, entries=60, single=single)
        assert check(random, tables, list(damaged(random, tables, 12)), p)


def test_only_a_symbol_that_takes_bits_meets_a_point_that_cannot_be(random):
    tables = random_set(random, 20, 8, single=0.5)
    single = next(n for n, cdf in enumerate(tables.cdf) if len(cdf) == 2)
    other = next(n for n, cdf in enumerate(tables.cdf) if len(cdf) > 2)
    stream, asked = [(1 << 32) - 1] * 2, [single, single, other, single, other]
    answers = golden_answers(tables, stream, asked)
    assert [bad for *_, bad in answers] == [False, False, True, True, True]
    assert check(random, tables, [(stream, asked), (stream, [single]), ([], [single])], 0.0) == 2


def test_a_reset_in_mid_stream_begins_a_new_one(random):
    tables = random_set(random, 16, 4)
    dut, reset, found = RangeDecoder(coder_tables(tables)), Signal(), []
    asked = [1, 2, 3, 0]
    stream = coded(random, tables, asked)

    async def put(ctx, target, payloads):
        for payload in payloads:
            await stream_put(ctx, target, payload)

    async def source(ctx):
        await put(ctx, dut.i, word_payloads([7, 8, 9])[:2])
        await ctx.posedge(reset)
        await ctx.negedge(reset)
        await put(ctx, dut.i, word_payloads(stream))

    async def host(ctx):
        await put(ctx, dut.ask, [{"table": 2, "last": 0}])
        await ctx.tick().repeat(int(random.integers(30)))
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        await put(ctx, dut.ask, [{"table": t, "last": n == 3} for n, t in enumerate(asked)])

    async def sink(ctx):
        await ctx.posedge(reset)
        await ctx.negedge(reset)
        found.extend(await stream_get_all(ctx, dut.o, 4))

    watches = [monitor(one, reset=reset) for one in (dut.i, dut.ask, dut.o)]
    run_simulation(ResetInserter(reset)(dut), source, host, sink, monitors=watches, limit=3000)
    assert [(a.symbol, a.low, a.high, a.bad) for a in found] == golden_answers(tables, stream, asked)


def test_the_interval_is_that_of_the_largest_core(random):
    tables = coder_tables(random_set(random, 20, 3, entries=200))
    assert RangeDecoder(tables).interval == 22 + 2 * tables.halvings


def test_tables_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^a coder needs one set of tables or more$"):
        coder_tables()
    tables = CoderTables(16, (0,) * 70000, 16, 4, (0,), 9, 9, 4)
    with pytest.raises(ValueError, match=r"^tables of 16 bits take 70000 words of memory, more than 1 << 16$"):
        EntrySearch(tables)
