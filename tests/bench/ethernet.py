"""What of a gigabit line the Ethernet link carries both ways at once, by its simulated GMII, and the cells it takes."""

import statistics

from amaranth.back import rtlil

from licgate.gateware.ethernet.link import EthernetLink
from licgate.target.ethernet import EthernetFacts
from tests.bench.kit import Options, cells_of
from tests.gateware.ethernet.linkkit import HOST, RETRY, Bench, Echo, compiled

BYTES, SEEDS, KEEP = 400_000, 5, 2
# odds of a frame, each way; a late one comes up to 40,000 cycles, 320 us, after its time
LINES = {
    "clean": {},
    "1 in 100 lost": {"loss": 0.01},
    "1 in 100 lost, 1 in 200 late": {"loss": 0.01, "late": 0.005},
    "1 in 20 lost": {"loss": 0.05},
}


def bench(options: Options) -> dict:
    """Send bytes to an accelerator that sends every second one back, over lines of several kinds."""
    size, seeds = (BYTES // 4, 1) if options.quick else (BYTES, SEEDS)
    rows, session = [], 0
    with compiled(Echo(EthernetFacts(), keep=KEEP, retry=RETRY)) as model:
        for name, odds in LINES.items():
            out = []
            for seed in range(seeds if odds else 1):
                session += 1
                out.append(_rate(model, Bench(model, seed=seed, **odds), session, size))
            median = statistics.median(out)
            rows.append({"line": name, "odds": odds, "in": KEEP * median, "out": median, "out_by_seed": out})
            options.say(f"{name}: {KEEP * median:.3f} of the line in, {median:.3f} out")
    cells = cells_of(
        "read_rtlil top.il",
        top="top",
        files={"top.il": rtlil.convert(EthernetLink(EthernetFacts()), name="top", emit_src=False)},
        options="-nodsp",
        say=options.say,
    )
    return {
        "headline": {row["line"]: f"{row['in']:.2f} of the line in, {row['out']:.2f} out" for row in rows}
        | {"cells": f"{cells['LUT4']} LUT4, {cells['FF']} FF, {cells['DP16KD']} DP16KD"},
        "configuration": {"bytes": size, "seeds": seeds, "keep": KEEP, "retry_cycles": RETRY},
        "lines": rows,
        "cells": cells,
    }


def _rate(model, line, session, size):
    """Bytes a cycle that come back."""
    host, expected = line.open(session), size // KEEP
    host.offer(bytes(size))
    begin, got = model.cycles, 0
    while got < expected:
        line.step((host, HOST))
        got += len(host.taken())
    rate = got / (model.cycles - begin)
    model.run(2 * RETRY)
    return rate
