"""When a board sends data: full datagrams while they come, what is left once they end."""

import pytest

from licgate.gateware.ethernet.sending import SendControl
from licgate.target.datagrams import MAX_DATA
from tests.gateware.kit import run_simulation


@pytest.mark.parametrize(("linger", "space"), [(40, 1), (20, 7)])
def test_what_comes_steadily_fills_datagrams_and_what_ends_goes_after_a_while(linger, space):
    dut = SendControl(receive_depth=4096, send_depth=4096, linger=linger, retry=10**6)
    came, sent = 3 * MAX_DATA // 2, []

    async def source(ctx):
        ctx.set(dut.open, 1)
        waiting, cycle, last = 0, 0, 0
        while cycle < came * space + 3 * linger:
            if ctx.get(dut.start) and ctx.get(dut.send):
                sent.append((cycle, ctx.get(dut.length)))
                waiting -= ctx.get(dut.length)
            if cycle % space == 0 and cycle < came * space:
                waiting, last = waiting + 1, cycle
            ctx.set(dut.waiting, waiting)
            await ctx.tick()
            cycle += 1
        assert waiting == 0
        # once the last byte was told of, and in nearly no more than the time to settle
        assert last + linger < sent[-1][0] <= last + linger + 12

    run_simulation(dut, source)
    assert [length for _, length in sent] == [MAX_DATA, came - MAX_DATA]


@pytest.mark.parametrize("option", ["linger", "retry", "retries"])
def test_times_are_positive(option):
    options = {"linger": 1, "retry": 1, "retries": 1, option: 0}
    with pytest.raises(ValueError, match=f"{option} must be a positive integer, not 0"):
        SendControl(receive_depth=4096, send_depth=4096, **options)
