"""Words that wait for the host: order and room; where each belongs, and what of it is kept."""

import random

import pytest
from amaranth.back import rtlil

from licgate.gateware.resident.latentqueue import LatentPlace, LatentQueue
from tests.gateware.resident.programs import build
from tests.gateware.waves import trace


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_words_come_out_in_order_and_room_is_told(depth):
    coin, sent, got = random.Random(depth), [], []
    counts = []  # words inside, at the beginning of every cycle

    def drive(cycle, records):
        enable = cycle % 2 == 0 and len(sent) - len(got) < depth and coin.random() < 0.6
        take = bool(records and not records[-1].take and records[-1].there and coin.random() < 0.5)
        take = take and len(sent) > len(got) and bool(counts) and counts[-1] > 0
        counts.append(len(sent) - len(got))
        step = {"enable": enable, "word": coin.randrange(256), "take": take}
        if enable:
            sent.append(step["word"])
        if take:
            got.append(cycle)
        return step

    seen = trace(LatentQueue(8, depth), drive, ("first", "there", "free", "take", "enable"), cycles=300)
    assert len(got) > 30
    assert [seen[cycle].first for cycle in got] == sent[: len(got)]
    # a word counts from the cycle after it came, and its room from the one after it went
    room = [depth - inside - record.enable for inside, record in zip(counts, seen, strict=True)]
    assert [s.free for s in seen[1:]] == room[:-1]


def test_a_single_word_lies_in_two():
    # To CXXRTL an address of no bits lies beyond its memory.
    assert "memory width 8 size 2" in rtlil.convert(LatentQueue(8, 1))


@pytest.mark.parametrize("image", [(0, 5, 3, (0, 0, 5, 3)), (0, 7, 4, (2, 1, 3, 2)), (0, 1, 1, (0, 0, 1, 1))])
def test_places_of_all_words_of_a_patch(image):
    program = build("GDN")
    chain, width, height, (skip_x, skip_y, keep_width, keep_height) = image
    channels, rows = program.stages[program.chains[chain].last].last_op.channels_out, program.rows
    sizes = {"width": width, "height": height, "skip_x": skip_x, "skip_y": skip_y}
    sizes |= {"keep_width": keep_width, "keep_height": keep_height, "chain": chain, "moves": 0, "start": 0}
    steps, expected = [{**sizes, "start": 1}, *[sizes] * 4], {}
    for y in range(height):
        for x in range(0, width, rows):
            for c in range(channels):
                expected[len(steps) - 1] = {
                    "x": x,
                    "begins_inside": skip_x <= x < skip_x + keep_width,
                    "begins_last": x == width - 1,
                    "begins_last_kept": x == skip_x + keep_width - 1,
                    "row_kept": skip_y <= y < skip_y + keep_height,
                    "final": y == skip_y + keep_height - 1 and c == channels - 1,
                    "ended": 0,
                }
                steps += [{**sizes, "moves": 1}, sizes, sizes]
    expected[len(steps) - 1] = {"ended": 1}
    names = next(iter(expected.values()))
    seen = trace(LatentPlace(program), steps, (*names, "end_x", "last_kept_x", "before_last_x"))
    for cycle, want in expected.items():
        assert {name: getattr(seen[cycle], name) for name in want} == want, cycle
    last = seen[-1]
    assert (last.end_x, last.last_kept_x) == (skip_x + keep_width, skip_x + keep_width - 1)
    assert last.before_last_x == (width - 2) % (1 << 16)
