"""The records of passes of quads: where each of them goes, cycle by cycle."""

import pytest

from licgate.gateware.streamed.quadrecords import QuadRecords
from licgate.program.streamed import compile_streamed
from licgate.target.streamed import StreamedConfig
from tests.gateware.waves import trace
from tests.manifest.kit import four_transforms

FIELDS = ("address", "count", "stage", "first", "last", "quads", "column", "beyond")


@pytest.fixture(scope="module", params=[(4, 3), (3, 2)])
def program(request):
    rows, cols = request.param
    config = StreamedConfig(rows=rows, cols=cols, arithmetic="fip-f4")
    return compile_streamed(list(four_transforms().transforms.values()), config, weights=False)


def passes(program):
    """A pass of every stage, inside the image and with what lies beyond it; and the records of each."""
    for number, stage in enumerate(program.stages):
        record = program.record_beats(stage.last_op.channels_out, stage.last_op.layer.output.bits)
        for beyond in range(1 + stage.upsampling):
            about = {"address": 100 + number, "stage": number, "first": 1, "last": 1, "beyond": beyond}
            if stage.gdn is not None:
                about |= {"count": 2, "quads": 0, "column": beyond, "last": 0}
                yield about, [] if beyond else [about["address"]]
                continue
            order = (0, 1, 2, 3) if not stage.upsampling else (0, 2) if beyond else (0, 4, 2, 6)
            yield about | {"count": 8, "quads": 1, "column": 0}, [about["address"] + k * record for k in order]


def given(about):
    return {"i.valid": 1} | {f"i.payload.{name}": about[name] for name in FIELDS}


def test_records_come_one_a_cycle_in_their_order(program):
    made = list(passes(program))
    assert {len(records) for _, records in made} == {0, 1, 2, 4}
    steps, expected = [], []
    for about, records in made:
        steps += [given(about), *[{"i.valid": 0}] * (QuadRecords.interval - 1)]
        expected += [(about, address) for address in records] + [None] * (QuadRecords.interval - len(records))
    watched = ("o.valid", "i.ready", *(f"o.payload.{name}" for name in ("address", "count", "stage", "first", "last")))
    seen = trace(QuadRecords(program), [*steps, {}], watched)
    assert all(now.i_ready for now in seen)
    for now, one in zip(seen[QuadRecords.latency :], expected, strict=True):
        assert now.o_valid == (one is not None)
        if one is not None:
            about, address = one
            got = (now.o_payload_address, now.o_payload_count, now.o_payload_stage)
            assert got == (address, 2, about["stage"])
            assert (now.o_payload_first, now.o_payload_last) == (about["first"], about["last"])


def test_a_reset_forgets_the_records_that_are_left(program):
    about = next(about for about, records in passes(program) if len(records) == 4)
    steps = [given(about), {"i.valid": 0}, *[{}] * 6]
    seen = trace(QuadRecords(program), steps, ("o.valid",), resets={2})
    assert sum(now.o_valid for now in seen) < 4
    assert not seen[-1].o_valid
