"""Golden files: streams, the models that made them, and the hashes of their pixels, stored once and for all.

    python -m tests.codec.golden_files

adds what `WANTED` names and ``golden/`` does not hold; with ``--check`` it decodes and makes again all that is there,
and needs nothing but what the codec needs. What is there is never written again: a file of version 1 decodes to the
same pixels for ever, so a test that fails here tells of a broken decoder, not of an old file.

The pictures are made of integers alone, since random numbers and sines may change with a library.
"""

import ctypes
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from licgate.codec import Codec
from licgate.manifest import find_model, save_manifest, sealed
from licgate.manifest.architectures import ARCHITECTURES
from licgate.manifest.store import load_manifest
from licgate.manifest.synthetic import synthetic_manifest
from tests.codec.kit import FRACTION, M, model

FOLDER = Path(__file__).parent / "golden"
INDEX = FOLDER / "index.json"

SHIPPED = "hyperprior-n36m96-l0067-a10w8"

# model, then (width, height, seed, patch) of each file
WANTED = {name: [(100, 70, 1, None), (130, 65, 2, 64), (1, 1, 3, None)] for name in sorted(ARCHITECTURES)}
WANTED[SHIPPED] = [(150, 100, 4, None), (70, 130, 5, 64)]

GDN = {
    "bmshj2018-hyperprior": "none",
    "mbt2018-mean": "abs",
    "he2021-checkerboard": "square_root",
    "mbt2018": "abs_root",
}


def pattern(height, width, seed):
    """Return gradients, discs and grain, uint8 of shape (height, width, 3), the same on every machine."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([3 * x + y, 2 * y - x + 90, 255 - 2 * x], axis=2) % 511
    image = np.minimum(image, 510 - image)
    state = 12345 + seed
    for _ in range(9):
        state = (state * 1103515245 + 12345) % (1 << 31)
        row, column, radius = (state >> 8) % height, (state >> 16) % width, 4 + state % 23
        image[(y - row) ** 2 + (x - column) ** 2 < radius**2] = [state >> 5 & 255, state >> 13 & 255, state >> 21 & 255]
    grain = ((x * 7919 + y * 104729 + seed * 31) * 2654435761 % (1 << 32)) >> 28
    return np.clip(image + grain[:, :, None] - 8, 0, 255).astype(np.uint8)


def fingerprint(pixels):
    """Return the hex SHA-256 of the shape and the bytes of an image."""
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()


def entries():
    """Return the index: a dict for each file."""
    return json.loads(INDEX.read_text()) if INDEX.exists() else []


def golden_model(name):
    """Return a model that is stored beside the files, or one that ships."""
    return load_manifest(FOLDER / name) if (FOLDER / name).is_dir() else find_model(name)


def made(name):
    """Return a tiny model; three with GDN in g_a, one of them with thresholds."""
    manifest = model(name, reach=5, z_reach=3)
    if GDN[name] == "none":
        return manifest
    g_a = synthetic_manifest(
        channels=(3, 4, 4, 4, M),
        activation_bits=[8, 8, 8, 9],
        gdn=GDN[name],
        gdn_bits=12,
        latent_fraction_bits=FRACTION,
    ).g_a
    gaussian = manifest.entropy["gaussian"]
    if name == "mbt2018-mean":
        gaussian = replace(gaussian, thresholds=np.arange(-40, 23))
    return sealed(
        replace(
            manifest, transforms={**manifest.transforms, "g_a": g_a}, entropy={**manifest.entropy, "gaussian": gaussian}
        )
    )


def add():
    """Write what is missing, and return the names of it."""
    index, added = entries(), []
    known = {entry["file"] for entry in index}
    for name, files in WANTED.items():
        if name != SHIPPED and not (FOLDER / name).is_dir():
            save_manifest(made(name), FOLDER / name)
        codec = Codec(golden_model(name))
        for width, height, seed, patch in files:
            file = f"{name}-{width}x{height}{f'-patch{patch}' if patch else ''}.lic"
            if file in known:
                continue
            data = codec.encode(pattern(height, width, seed), patch=patch)
            (FOLDER / file).write_bytes(data)
            index.append(
                {
                    "file": file,
                    "model": name,
                    "width": width,
                    "height": height,
                    "seed": seed,
                    "patch": patch,
                    "pixels": fingerprint(codec.decode(data)),
                }
            )
            added.append(file)
    INDEX.write_text(json.dumps(index, indent=1) + "\n")
    return added


def differing(threads=1):
    """Return the names of files whose pixels or bytes are others here than when they were made."""
    codecs, found = {}, []
    for entry in entries():
        codec = codecs.setdefault(entry["model"], Codec(golden_model(entry["model"]), threads=threads))
        data = (FOLDER / entry["file"]).read_bytes()
        image = pattern(entry["height"], entry["width"], entry["seed"])
        if fingerprint(codec.decode(data)) != entry["pixels"] or codec.encode(image, patch=entry["patch"]) != data:
            found.append(entry["file"])
    return found


def core_name():
    """Return which kernels numpy's OpenBLAS runs, or None where that cannot be asked."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
        ask = next(
            f
            for f in (
                getattr(library, f"{prefix}openblas_get_corename{suffix}", None)
                for prefix in ("scipy_", "")
                for suffix in ("64_", "")
            )
            if f
        )
    except (AttributeError, OSError, StopIteration):
        return None
    ask.restype = ctypes.c_char_p
    return ask().decode()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        wrong = [name for threads in (1, 2) for name in differing(threads)]
        print(
            json.dumps(
                {
                    "python": sys.version.split()[0],
                    "numpy": np.__version__,
                    "core": core_name(),
                    "files": len(entries()),
                    "differing": wrong,
                }
            )
        )
        sys.exit(1 if wrong else 0)
    sys.stdout.writelines(f"added {name}\n" for name in add())
