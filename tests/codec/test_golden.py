"""Stored files decode to the pixels that they decoded to when they were made, and are made again bit by bit.

A failure means that the decoder or the encoder has changed: put that right, do not make the files anew. The one
exception: when the shipped model of `golden_files.SHIPPED` leaves ``models/``, its files leave ``golden/`` and the
index, `SHIPPED` takes the name of another model, and ``python -m tests.codec.golden_files`` adds files of that one.
"""

import hashlib

import numpy as np
import pytest

from licgate.codec import Codec, read_header
from licgate.codec.container import unpack
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.document import tables_digest
from tests.codec import golden_files, second
from tests.codec.golden_files import FOLDER, entries, fingerprint, golden_model, pattern

ENTRIES = entries()

PATTERN = "d07de3c154ffbcb5"

codecs = {}


def codec_of(entry):
    if entry["model"] not in codecs:
        codecs[entry["model"]] = Codec(golden_model(entry["model"]))
    return codecs[entry["model"]]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_a_stored_file_decodes_as_ever(entry):
    data, codec = (FOLDER / entry["file"]).read_bytes(), codec_of(entry)
    assert read_header(data).manifest == codec.manifest.hash, (
        f"{entry['file']} was made by another {entry['model']}; when a shipped model goes, see the top of this file"
    )
    pixels = codec.decode(data)
    assert pixels.shape == (entry["height"], entry["width"], 3)
    assert fingerprint(pixels) == entry["pixels"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_the_same_picture_makes_the_same_file(entry):
    image = pattern(entry["height"], entry["width"], entry["seed"])
    assert codec_of(entry).encode(image, patch=entry["patch"]) == (FOLDER / entry["file"]).read_bytes()


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_the_second_decoder_reads_them_too(name):
    for entry in (entry for entry in ENTRIES if entry["model"] == name):
        data, codec = (FOLDER / entry["file"]).read_bytes(), codec_of(entry)
        pixels, _ = second.decode(data, codec.manifest, tables_digest(codec.manifest.entropy)[:16])
        assert fingerprint(pixels) == entry["pixels"]


def test_the_set_is_whole_and_small():
    assert {entry["model"] for entry in ENTRIES} == {*ARCHITECTURES, golden_files.SHIPPED}
    assert {path.name for path in FOLDER.glob("*.lic")} == {entry["file"] for entry in ENTRIES}
    assert {entry["file"] for entry in ENTRIES if entry["patch"]}
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 300_000
    escapes = [
        sum(len(patch["escapes"]) for patch in unpack((FOLDER / entry["file"]).read_bytes())[1]) for entry in ENTRIES
    ]
    assert sum(size > 0 for size in escapes) >= 5


def test_pictures_are_those_of_the_day():
    assert hashlib.sha256(pattern(70, 100, 1).tobytes()).hexdigest().startswith(PATTERN)
    assert len(np.unique(pattern(70, 100, 1))) > 200
