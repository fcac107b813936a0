"""Damaged manifests: bytes of both files changed, or odd values in the document, with hashes that fit."""

import hashlib
import json
import tracemalloc

import numpy as np
import pytest

from licgate.codec import Codec
from licgate.errors import LicgateError
from licgate.manifest import load_manifest, save_manifest
from licgate.manifest.document import manifest_digest
from tests.codec.kit import model
from tests.marks import regress

ODD = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**70,
    -(2**70),
    1e308,
    0.5,
    "",
    "x" * 1000,
    "\0",
    [],
    [[]],
    {},
    {"a": 1},
    [0] * 5000,
]

PEAK = 96 << 20


def nodes(tree, path=()):
    """Give the path of every value in a document."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from nodes(value, (*path, key))


def put(tree, path, change):
    for key in path[:-1]:
        tree = tree[key]
    change(tree, path[-1])


def changed(random, doc):
    """Return a document with one to three odd values, or with parts missing, and the hash that fits."""
    doc = json.loads(json.dumps(doc))
    for _ in range(int(random.integers(1, 4))):
        places = list(nodes(doc))
        path = places[random.integers(len(places))]
        odd = ODD[random.integers(len(ODD))]
        kind = random.integers(4)
        if kind == 0:
            put(doc, path, lambda tree, key: tree.pop(key))
        elif kind == 1:
            put(doc, path, lambda tree, key: tree.__setitem__(key, nudged(tree[key], random)))
        else:
            put(doc, path, lambda tree, key, odd=odd: tree.__setitem__(key, odd))
    if isinstance(doc.get("hashes"), dict):
        doc["hashes"]["manifest"] = manifest_digest(doc)
    return json.dumps(doc).encode()


def nudged(value, random):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [value]
    return value + int(random.integers(-3, 4)) * int(random.choice([1, 1, 1000]))


def flipped(random, data):
    data = bytearray(data)
    for at in random.integers(0, len(data), int(random.integers(1, 6))):
        data[at] = int(random.integers(256))
    return bytes(data[: int(random.integers(len(data) + 1))] if random.random() < 0.3 else data)


def case(random, folder, text, weights):
    """Write one damaged model into a folder."""
    kind = random.integers(4)
    if kind == 0:
        text = flipped(random, text)
    elif kind == 1:
        weights = flipped(random, weights)
        if random.random() < 0.5:
            doc = json.loads(text)
            doc["hashes"]["weights"] = hashlib.sha256(weights).hexdigest()
            doc["hashes"]["manifest"] = manifest_digest(doc)
            text = json.dumps(doc).encode()
    else:
        text = changed(random, json.loads(text))
    (folder / "manifest.json").write_bytes(text)
    (folder / "weights.safetensors").write_bytes(weights)


@pytest.mark.parametrize("count", [120, regress(1000)])
def test_a_damaged_manifest_is_one_line(tmp_path, count):
    save_manifest(model(), tmp_path)
    text, weights = (tmp_path / "manifest.json").read_bytes(), (tmp_path / "weights.safetensors").read_bytes()
    lines, loaded = set(), 0
    tracemalloc.start(1)
    try:
        for seed in range(count):
            case(np.random.default_rng([count, seed]), tmp_path, text, weights)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                Codec(load_manifest(tmp_path))
                loaded += 1
            except LicgateError as error:
                line = str(error)
                assert "\n" not in line, seed
                assert len(line) < 600, seed
                lines.add(line[:40])
            assert tracemalloc.get_traced_memory()[1] - before < PEAK, seed
    finally:
        tracemalloc.stop()
    assert loaded < count / 4
    assert len(lines) > count / 10  # the damage reaches many checks
