"""Beats to words and back, against the packing of licgate.program.records."""

import numpy as np
import pytest

from licgate.gateware.streamed.packer import Packer
from licgate.gateware.streamed.unpacker import Unpacker
from licgate.program.records import pack_bits, unpack_bits
from tests.gateware.kit import monitor, random_stalls, run_simulation, stream_put_all
from tests.gateware.waves import trace

# Bits of a beat, kinds of words as (values, bits of each), words of a part.
CASES = {
    "bytes": (8, [(2, 5), (3, 3)], None),
    "one kind": (16, [(4, 8)], 3),
    "odd": (16, [(3, 7), (4, 4), (5, 11)], 4),
    "wide": (64, [(9, 8), (8, 9), (13, 13)], None),
    "wide parts": (64, [(11, 9)], 1),
    "a beat a word": (16, [(2, 8), (5, 8)], 1),
}
MOST = 12


def bits_of(kinds):
    return [count * bits for count, bits in kinds]


def records(beat_bits, kinds, part, *, count=14, seed=1):
    """Records: kind, words as numbers, beats, and the beat that completes each word."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        kind, words = int(rng.integers(len(kinds))), int(rng.integers(1, MOST + 1))
        size, bits = kinds[kind]
        values = rng.integers(0, 1 << bits, (words, size))
        beats, ends = [], []
        for first in range(0, words, part or words):
            run = values[first : first + (part or words)]
            ends += [len(beats) - (-(n + 1) * size * bits // beat_bits) - 1 for n in range(len(run))]
            packed = pack_bits(run.reshape(1, -1), bits, beat_bits)
            assert np.array_equal(unpack_bits(packed, bits, beat_bits, run.size)[0], run.reshape(-1))
            beats += packed[0].tolist()
        numbers = [sum(int(v) << (bits * k) for k, v in enumerate(row)) for row in values]
        made.append({"kind": kind, "words": numbers, "beats": beats, "ends": ends})
    return made


def feed(made, gaps, seed):
    """Inputs of the unpacker in each cycle, and what it must say three cycles later."""
    coin = np.random.default_rng(seed)
    waiting, beats, expected = list(enumerate(made)), [], []

    def drive(_cycle, seen):
        if seen and seen[-1].i_ready and seen[-1].i_valid:
            number, record = waiting.pop(0)
            ends = dict(zip(record["ends"], enumerate(record["words"]), strict=True))
            for k, beat in enumerate(record["beats"]):
                beats.append((beat, (number, record, *ends[k]) if k in ends else None))
        if not waiting and not beats:
            expected.append(None)
            return None if len(expected) > 4 and expected[-4:] == [None] * 4 else {"valid": 0, "i.valid": 0}
        inputs = {"valid": 0, "i.valid": 0}
        offered = bool(seen) and seen[-1].i_valid and not seen[-1].i_ready
        if waiting and (offered or coin.random() >= gaps):
            number, record = waiting[0]
            item = {"kind": record["kind"], "words": len(record["words"]), "tag": number + 100}
            inputs |= {"i.valid": 1, "i.payload": item}
        expected.append(None)
        if beats and coin.random() >= gaps:
            beat, expected[-1] = beats.pop(0)
            inputs |= {"valid": 1, "beat": beat}
        return inputs

    return drive, expected


WATCH = ("i.valid", "i.ready", "valid", "o_valid", "word", "tag", "first", "last")


@pytest.mark.parametrize("gaps", [0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_words_come_three_cycles_behind_their_last_beat(name, gaps):
    beat_bits, kinds, part = CASES[name]
    widths = bits_of(kinds)
    made = records(beat_bits, kinds, part)
    drive, expected = feed(made, gaps, seed=2)
    seen = trace(Unpacker(beat_bits, widths, most_words=MOST, part=part, tag=8), drive, WATCH, cycles=4000)
    found = 0
    for want, got in zip(expected, seen[Unpacker.latency :], strict=False):
        assert got.o_valid == (want is not None)
        if want is not None:
            number, record, index, word = want
            assert got.word & ((1 << widths[record["kind"]]) - 1) == word
            assert (got.tag, got.first, got.last) == (number + 100, index == 0, index == len(record["words"]) - 1)
            found += 1
    assert found == sum(len(record["words"]) for record in made)
    if not gaps:
        total = sum(len(record["beats"]) for record in made)
        assert [now.valid for now in seen[1 : total + 1]] == [1] * total, "records follow each other without a gap"


def test_an_unpacker_begins_anew_after_a_reset():
    beat_bits, kinds, part = CASES["odd"]
    made = records(beat_bits, kinds, part)
    drive, _ = feed(made, 0, seed=2)
    dut = Unpacker(beat_bits, bits_of(kinds), most_words=MOST, part=part, tag=8)
    cut = 17  # in the middle of a record, and of a word
    fresh, expected = feed(made, 0.3, seed=3)

    def both(cycle, seen):
        if cycle < cut:
            return drive(cycle, seen)
        return {"valid": 0, "i.valid": 0} if cycle == cut else fresh(cycle, seen[cut + 1 :])

    seen = trace(dut, both, WATCH, cycles=4000, resets={cut})[cut + 1 :]
    assert not any(now.o_valid for now in seen[:2])
    words = [want[3] for want in expected if want]
    widths = [bits_of(kinds)[want[1]["kind"]] for want in expected if want]
    got = [now.word for now in seen if now.o_valid]
    assert [word & ((1 << bits) - 1) for word, bits in zip(got, widths, strict=True)] == words


def runs(made, widths):
    """What goes into a packer, with garbage beyond the bits of a kind, and the beats that come out."""
    put, want = [], []
    for record in made:
        garbage = (1 << max(widths)) - (1 << widths[record["kind"]])
        for index, word in enumerate(record["words"]):
            last = index == len(record["words"]) - 1
            put.append({"word": word | garbage, "kind": record["kind"], "last": last})
        want += [(beat, k == len(record["beats"]) - 1) for k, beat in enumerate(record["beats"])]
    return put, want


def pack(dut, put, count, *, stalls=None):
    """Beats, the cycles of words and of beats; at the end nothing is on its way."""
    words, got, given = monitor(dut.i, "i"), [], []

    async def source(ctx):
        await stream_put_all(ctx, dut.i, put, stalls=stalls)

    async def watch(ctx):
        cycle = 0
        while len(got) < count or ctx.get(dut.busy):
            *_, valid, beat, last, busy = await ctx.tick().sample(dut.o_valid, dut.beat, dut.last, dut.busy)
            if valid:
                assert busy
                got.append((beat, bool(last)))
                given.append(cycle)
            cycle += 1

    run_simulation(dut, source, watch, monitors=[words], limit=20_000)
    return got, words.transfer_cycles, given


@pytest.mark.parametrize("name", CASES)
def test_packed_words_are_beats_without_gaps(name):
    beat_bits, kinds, _ = CASES[name]
    widths = bits_of(kinds)
    put, want = runs(records(beat_bits, kinds, None), widths)
    got, taken, given = pack(Packer(beat_bits, widths), put, len(want))
    assert got == want
    # Exactly as long as it says: a slice a cycle, two more where the last slice of a run begins a beat of its own.
    assert given[0] == taken[0] + Packer.latency
    cycle, filled = taken[0], 0
    for word, now in zip(put, taken, strict=True):
        assert now == cycle
        bits = widths[word["kind"]]
        slices = -(-bits // beat_bits)
        tail = bits - (slices - 1) * beat_bits
        spills = word["last"] and filled + tail > beat_bits
        cycle += slices + 2 * spills
        filled = 0 if word["last"] else (filled + bits) % beat_bits


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_words_that_come_late_change_no_beat(name, seed):
    beat_bits, kinds, _ = CASES[name]
    widths = bits_of(kinds)
    put, want = runs(records(beat_bits, kinds, None, count=8, seed=seed), widths)
    assert pack(Packer(beat_bits, widths), put, len(want), stalls=random_stalls(seed, 0.4))[0] == want


def test_a_packer_begins_anew_after_a_reset():
    beat_bits, kinds, _ = CASES["odd"]
    dut = Packer(beat_bits, bits_of(kinds))
    half = {"word": (1 << 21) - 1, "kind": 0, "last": 0}
    whole = {"word": 0x12345, "kind": 0, "last": 1}
    steps = [{"i.valid": 1, "i.payload": half}, {}, {}, {"i.valid": 0}]
    steps += [{"i.valid": 1, "i.payload": whole}, {"i.valid": 0}, *[{}] * 7]
    seen = trace(dut, steps, ("o_valid", "beat", "last", "busy"), resets={3})[4:]
    assert [(now.beat, now.last) for now in seen if now.o_valid] == [(0x2345, 0), (0x1, 1)]
    assert not seen[-1].busy


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Unpacker(0, [8], most_words=1), "beat_bits must be a positive integer, not 0"),
        (lambda: Unpacker(16, [16, 15], most_words=1), "as many bits as a beat, 16, or more, not 15"),
        (lambda: Unpacker(16, [16], most_words=0), "most_words must be a positive integer, not 0"),
        (lambda: Unpacker(16, [16], most_words=1, part=0), "part must be a positive integer, not 0"),
        (lambda: Packer(16, [9]), "as many bits as a beat, 16, or more, not 9"),
        (lambda: Packer("16", [16]), "beat_bits must be a positive integer, not '16'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
