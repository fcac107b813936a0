"""Symbols to shares and excesses, against the software's entropy coder."""

import numpy as np
import pytest

from licgate.codec.coder import TableCoder
from licgate.gateware.coder.lookup import ShareLookup
from licgate.target.codertables import coder_tables
from tests.gateware.coder.kit import random_set
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get, stream_put


def expected(tables, number, symbol):
    """Share and excess of a symbol, by the software."""
    coder, taken = TableCoder(tables), []

    class Writer:
        def put(self, indices, model):
            taken.append(int(indices[0]))

    excess = coder.encode(Writer(), np.array([number]), np.array([symbol]))
    precision = tables.precision + tables.precision % 2
    cdf = [int(v) << precision - tables.precision for v in tables.cdf[number]]
    share = (cdf[taken[0]], cdf[taken[0] + 1] - cdf[taken[0]]) if taken else (0, 0)
    return share, [int(e) for e in excess]


def looked_up(dut, payloads, *, p=0.0):
    shares, excess, watches = [], [], [monitor(dut.i), monitor(dut.o), monitor(dut.excess)]

    async def source(ctx):
        stalls = random_stalls(1, p)
        for payload in payloads:
            await stream_put(ctx, dut.i, payload, stalls=stalls)

    async def sink(ctx):
        stalls = random_stalls(2, p)
        for _ in payloads:
            shares.append(await stream_get(ctx, dut.o, stalls=stalls))

    async def beyond(ctx):
        stalls = random_stalls(3, p)
        while not excess or not excess[-1].close:
            excess.append(await stream_get(ctx, dut.excess, stalls=stalls))

    run_simulation(dut, source, sink, beyond, monitors=watches, limit=20_000)
    return shares, excess, watches


@pytest.mark.parametrize(("precision", "p"), [(20, 0.0), (17, 0.5)])
def test_shares_and_excesses_are_those_of_the_software(random, precision, p):
    tables = random_set(random, precision, 5, entries=9, single=0.4)
    asked = []
    for number, cdf in enumerate(tables.cdf):
        low, high = int(tables.offset[number]), int(tables.offset[number]) + len(cdf) - 2
        near = [low - 1, low, low + 1, high - 1, high, high + 1, int(random.integers(low, high + 1))]
        asked += [(number, symbol) for symbol in (*near, low - 300, high + 300, -32768, 32767)]
    random.shuffle(asked)
    payloads = [{"table": t, "symbol": s, "last": k % 7 == 0, "close": 0} for k, (t, s) in enumerate(asked)]
    payloads[-1]["close"] = 1
    dut = ShareLookup(coder_tables(tables))
    shares, excess, (watch, watch_o, _) = looked_up(dut, payloads, p=p)
    if not p:
        gaps = {b - a for a, b in zip(watch.transfer_cycles, watch.transfer_cycles[1:])}
        waits = {b - a for a, b in zip(watch.transfer_cycles, watch_o.transfer_cycles)}
        assert (gaps, waits) == ({dut.interval}, {dut.latency})
    values = []
    for k, ((number, symbol), found) in enumerate(zip(asked, shares, strict=True)):
        share, own = expected(tables, number, symbol)
        assert (found.left, found.share) == share, (number, symbol)
        assert found.last == (k % 7 == 0)
        values += own
    assert [one.value for one in excess if not one.none] == values


@pytest.mark.parametrize("bits", [1, 19, True, "9"])
def test_symbols_that_are_none(random, bits):
    with pytest.raises(ValueError, match=r"^symbol_bits must be 2 to 18, not "):
        ShareLookup(coder_tables(random_set(random, 16, 1)), bits)
