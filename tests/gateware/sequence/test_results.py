"""Results on their way: GDN waits for those that it reads, whatever else is under way."""

import random

import pytest

from licgate.gateware.sequence.results import ResultCredits
from licgate.program import IN_FLIGHT
from tests.gateware.waves import trace

WATCH = ("arrived", "none")


def test_the_first_pixel_of_four_must_be_written_and_then_one_more_a_pixel():
    idle = {"issued": 0, "to_gdn": 0, "written": 0}
    steps = [{"band_pixels": 4, "is_gdn": 0, "issued": 1}] * 4
    steps += [idle | {"to_gdn": 1}, idle | {"is_gdn": 1, "last_reader": 1}, idle, idle | {"written": 1}, idle, idle]
    # a pass of GDN is another one that is under way; its last tile lets the next pixel wait
    steps += [idle | {"issued": 1}, idle, idle | {"written": 1}, idle, idle]
    seen = trace(ResultCredits(range(8)), steps, WATCH)
    arrived = [record.arrived for record in seen]
    assert arrived[7:12] == [0, 0, 1, 1, 1]
    assert arrived[12:] == [0, 0, 1]
    assert not any(record.none for record in seen[1:])


@pytest.mark.parametrize("tiles", [1, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_pixel_is_read_before_it_is_written(tiles, seed):
    """Bands of any length; results come back at random, and as many wait as the queues hold."""
    coin, most = random.Random(seed), 40
    plan = []
    for _ in range(6):
        pixels = coin.randrange(1, most)
        plan += [(pixels, False, 0, pixel) for pixel in range(pixels)]
        plan += [(pixels, True, tile, pixel) for pixel in range(pixels) for tile in range(tiles)]
    state = {"next": 0, "wait": 0, "issued": 0, "written": 0, "read": 0}

    def drive(_cycle, records):
        if state["next"] == len(plan):
            return None
        pixels, gdn, tile, pixel = plan[state["next"]]
        step = {"band_pixels": pixels, "is_gdn": gdn, "last_reader": tile == tiles - 1, "issued": 0, "to_gdn": 0}
        step["written"] = state["written"] < state["issued"] and coin.random() < 0.3
        state["written"] += step["written"]
        state["wait"] -= 1
        room = state["issued"] - state["written"] < IN_FLIGHT
        if state["wait"] < 0 and room and records and records[-1].arrived and coin.random() < 0.7:
            if gdn:
                # of its band, the convolution's pass of this pixel
                position = state["next"] - (pixel * tiles + tile) - pixels + pixel
                assert state["written"] > position
                state["read"] += 1
            state["issued"] += 1
            state["next"] += 1
            step["issued"] = 1
            # of the sequencer's five cycles, three matter; GDN takes one more
            step["to_gdn"] = not gdn and pixel == pixels - 1
            state["wait"] = 4
        return step

    trace(ResultCredits(range(most)), drive, WATCH, cycles=20_000)
    assert state["next"] == len(plan)
    assert state["read"] > 0
