"""Golden vectors: what they hold, and pictures that are refused."""

import numpy as np
import pytest

from licgate.errors import ConfigError
from licgate.perf import predict
from licgate.program.order import from_stream
from licgate.reference import run_transform
from licgate.sim.chain import transform_input
from licgate.target.config import AcceleratorConfig
from licgate.verilog.delivery import Delivery
from licgate.verilog.vectors import made_picture
from tests.sim.kit import tiny_codec
from tests.verilog.kit import CHIP, PICTURE, delivery


def test_results_are_those_of_the_reference():
    made = delivery("encoder")
    vectors, at = made.vectors(PICTURE), 0
    bits, golden = vectors.words["golden.hex"]
    golden = np.array(golden)
    assert bits == 18
    for name, (width, height), _ in vectors.runs:
        x = transform_input(made.manifest, name, PICTURE)
        assert x.shape[1:] == (height, width)
        y = run_transform(made.manifest.transforms[name], x)
        part = golden[at : at + y.size]
        values = (part & 0xFFFF).astype(np.uint16).view(np.int16)
        assert np.array_equal(from_stream(values, y.shape, 0, made.config.group_columns), y)
        assert (part >> 17).tolist() == [1] + [0] * (y.size - 1)
        assert (part >> 16 & 1).tolist() == [0] * (y.size - 1) + [1]
        at += y.size
    assert at == len(golden) == vectors.defines["OUTPUTS"]


def test_cycles_are_those_of_the_model():
    made = delivery("encoder")
    rows = predict(made.manifest, made.config, 24, 16, transforms=made.transforms).transforms
    assert [cycles for _, _, cycles in made.vectors(PICTURE).runs] == [row["cycles"] for row in rows]
    assert made.costs(24, 16) == made.vectors(PICTURE).runs
    streamed = delivery("memory-decoder")
    assert [run[:2] for run in streamed.costs(24, 16)] == [run[:2] for run in streamed.vectors(PICTURE).runs]


def test_files_are_numbers_of_their_width():
    files = delivery("plain").vectors(PICTURE).files()
    assert set(files) == {"program.hex", "input.hex", "golden.hex", "patches.hex", "job.vh"}
    assert {len(line) for line in files["input.hex"].split()} == {6}
    assert "`define LICGATE_PLAIN\n" in files["job.vh"]


def test_a_picture_wider_than_the_lines_is_refused():
    with pytest.raises(
        ConfigError, match=r"gives g_a 40 positions side by side, the line buffers hold 32: give a narr"
    ):
        delivery("plain").vectors(made_picture(40, 16))


def test_a_drawn_picture_has_every_shade():
    picture = made_picture(64, 48)
    assert picture.shape == (48, 64, 3)
    assert len(np.unique(picture)) > 200
    assert np.array_equal(picture, made_picture(64, 48))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "sdram"}, "--memory sdram has pins and a start-up of its board: take --memory chip or axi"),
        ({"memory": "axi", "plain": True}, "--bus stream goes with --memory chip"),
        (
            {"cells": "ecp5", "config": AcceleratorConfig(packing=True, packed_bits=27)},
            "--cells ecp5 has multipliers of 18 bits: give --packing 18, not 27",
        ),
    ],
)
def test_what_there_is_no_module_for_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Delivery(**{"manifest": tiny_codec(), "config": CHIP} | options)
