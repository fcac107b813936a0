"""Words of every fourth column, turned to words of neighbours."""

import numpy as np
import pytest

from licgate.gateware.resident.turner import QuadTurner
from tests.gateware.waves import trace


def schedule(rng, rows, width, channels, interval):
    """Inputs a cycle, and {cycle: word}."""
    drive, expected, dut = [], {}, QuadTurner(rows, width)
    for _ in range(channels):
        columns = rng.integers(-(1 << width - 1), 1 << width - 1, 4 * rows).tolist()
        for part in range(4):
            drive.append({"enable": 1, "word": columns[part::4]})
            drive += [{"enable": 0, "word": [0] * rows}] * (interval - 1 + int(rng.integers(2)))
        came = max(t for t, one in enumerate(drive) if one["enable"])
        for k in range(4):
            expected[came + dut.latency - 3 + k] = columns[k * rows : (k + 1) * rows]
    return drive + [{"enable": 0}] * dut.latency, expected


@pytest.mark.parametrize(("rows", "width", "interval"), [(1, 1, 2), (3, 5, 2), (12, 10, 3)])
def test_every_channel_comes_whole(rows, width, interval):
    dut = QuadTurner(rows, width)
    assert (dut.latency, dut.interval) == (5, 2)
    drive, expected = schedule(np.random.default_rng(rows), rows, width, 9, interval)
    seen = trace(dut, drive, ["o_enable", "o_word"])
    assert {t: s.o_word for t, s in enumerate(seen) if s.o_enable} == expected


@pytest.mark.parametrize("way", ["clear", "reset"])
def test_giving_up_in_the_middle_of_a_channel(way):
    rng = np.random.default_rng(1)
    before, _ = schedule(rng, 2, 4, 3, 2)
    after, expected = schedule(rng, 2, 4, 3, 2)
    cut, hold = 13, 3
    quiet = [{"enable": 0, "clear": int(way == "clear")}] * hold
    resets = range(cut, cut + hold) if way == "reset" else ()
    drive = before[:cut] + quiet + [{**after[0], "clear": 0}, *after[1:]]
    seen = trace(QuadTurner(2, 4), drive, ["o_enable", "o_word"], resets=resets)[cut + hold :]
    assert {t: s.o_word for t, s in enumerate(seen) if s.o_enable} == expected


@pytest.mark.parametrize(("rows", "width", "name"), [(0, 4, "rows"), (2, 0, "width"), (2, None, "width")])
def test_sizes_are_checked(rows, width, name):
    with pytest.raises(ValueError, match=f"^{name} must be an integer of at least 1, not "):
        QuadTurner(rows, width)
