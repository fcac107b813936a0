"""Streams of the range coder: what goes in, what must come out, and how a test drives them."""

from licgate.target.rangecoder import RangeEncoder
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_get, stream_put_all


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
