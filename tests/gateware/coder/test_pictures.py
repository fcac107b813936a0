"""Latents of a picture and a shipped model through the coder in gateware: the sections of its file, and back."""

import numpy as np
import pytest

from licgate.codec.codec import Codec
from licgate.codec.container import unpack
from licgate.gateware.coder.decoder import RangeDecoder
from licgate.gateware.coder.encoder import RangeEncoder
from licgate.images import demo_image
from licgate.manifest import find_model
from licgate.target.codertables import coder_tables
from tests.gateware.coder.kit import decode, encode


class Recorder:
    """Stands in for a table coder, and notes entries as they are coded."""

    def __init__(self, coder):
        self._coder, self.tables, self.numbers, self.entries = coder, coder.tables, [], []

    def encode(self, writer, index, symbols):
        order = np.argsort(index, kind="stable")
        for table, symbol in zip(index[order].tolist(), symbols[order].tolist(), strict=True):
            count = len(self.tables.cdf[table]) - 1
            self.numbers.append(table)
            self.entries.append(min(max(symbol - int(self.tables.offset[table]), 0), count - 1))
        return self._coder.encode(writer, index, symbols)

    def ideal_bits(self, index, symbols):
        return self._coder.ideal_bits(index, symbols)


@pytest.fixture(scope="module")
def coded():
    """Of each section: tables, number of the first of them, what was coded, and the words."""
    codec = Codec(find_model())
    image = demo_image()[64:128, 96:160]
    codec._z_coder, codec._y_coder = Recorder(codec._z_coder), Recorder(codec._y_coder)
    sections = unpack(codec.encode(image))[1][0]
    entropy = codec.manifest.entropy
    both = coder_tables(entropy["factorized"], entropy["gaussian"])
    words = {name: np.frombuffer(sections[name], dtype="<u4").tolist() for name in ("z", "y")}
    return {
        # a memory of a few words is simulated much faster
        "z": (coder_tables(entropy["factorized"]), 0, codec._z_coder, words["z"]),
        "y": (both, both.starts[1], codec._y_coder, words["y"]),
    }


def shares_of(recorder):
    cdfs = [cdf.tolist() for cdf in recorder.tables.cdf]
    pairs = zip(recorder.numbers, recorder.entries, strict=True)
    return [(cdfs[t][k], cdfs[t][k + 1] - cdfs[t][k]) if len(cdfs[t]) > 2 else (0, 0) for t, k in pairs]


SECTIONS = ["z", pytest.param("y", marks=[pytest.mark.regress, pytest.mark.slow])]


@pytest.mark.parametrize("name", SECTIONS)
def test_words_are_those_of_the_file(coded, name):
    tables, _, recorder, words = coded[name]
    assert encode(RangeEncoder(tables.precision), [shares_of(recorder)])[0] == [words]


@pytest.mark.parametrize("name", SECTIONS)
def test_symbols_are_those_of_the_file(coded, name):
    tables, first, recorder, words = coded[name]
    found = decode(RangeDecoder(tables), [words], [[first + number for number in recorder.numbers]])[0][0]
    offsets = recorder.tables.offset.tolist()
    expected = [offsets[t] + k for t, k in zip(recorder.numbers, recorder.entries, strict=True)]
    assert [symbol for symbol, *_ in found] == expected
    assert not any(bad for *_, bad in found)
