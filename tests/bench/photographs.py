"""A model on a folder of photographs beside JPEG 2000 at equal bytes, and on plain colours; models' cards quote it.

    python -m tests.bench.photographs MODEL FOLDER

JPEG 2000 is Pillow's OpenJPEG, irreversible and with colour transform, its bytes within half a percent. Plain colours
are the corners of the cube with five others, and 60 at random (seed 0), 256 x 256 pixels each.
"""

import io
import itertools
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import licgate

PLAIN = [(128, 128, 128), (255, 128, 0), (0, 128, 255), (128, 0, 255), (64, 64, 64)]


def decibels(a, b):
    """PSNR of two pictures; 99 for equal ones."""
    error = np.mean((a.astype(float) - b) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def jpeg2000(image, size):
    """The picture by way of a JPEG 2000 file of ``size`` bytes."""
    ratio = image.size / size
    for _ in range(6):
        file = io.BytesIO()
        options = {"quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "mct": 1}
        Image.fromarray(image).save(file, "JPEG2000", **options)
        if abs(file.tell() - size) < 0.005 * size:
            break
        ratio *= file.tell() / size
    return np.asarray(Image.open(file).convert("RGB"))


def main(model, folder):
    """Print both tables."""
    codec, rows = licgate.load_model(model), []
    for path in sorted(Path(folder).iterdir()):
        image = np.asarray(Image.open(path).convert("RGB"))
        data = codec.encode(image)
        ours, theirs = codec.decode(data), jpeg2000(image, len(data))
        rows.append((24 * len(data) / image.size, decibels(image, ours), decibels(image, theirs)))
    bpp, ours, theirs = np.mean(rows, axis=0)
    print(f"{len(rows)} photographs: {bpp:.4f} bpp, {ours:.2f} dB, JPEG 2000 {theirs:.2f} dB: {ours - theirs:+.2f} dB")
    drawn = np.random.default_rng(0).integers(0, 256, (60, 3))
    for name, colours in (("chosen", [*itertools.product((0, 255), repeat=3), *PLAIN]), ("at random", drawn)):
        found = []
        for colour in colours:
            image = np.broadcast_to(np.array(colour, np.uint8), (256, 256, 3)).copy()
            found.append(decibels(image, codec.decode(codec.encode(image))))
        print(f"{len(found)} colours {name}: worst {min(found):.1f} dB, {sum(d < 40 for d in found)} below 40 dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
