"""Pictures as bytes: made here, sound or with something wrong."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def smooth(height=48, width=64, seed=0):
    """Return colours that photographs have, uint8 of shape (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 9
    shade = np.stack([np.sin(x + y), np.cos(2 * x - y), np.sin(y * x / 4)], axis=2) * 90 + 128
    return np.clip(shade + random.normal(0, 9, shade.shape), 0, 255).astype(np.uint8)


def saved(picture, kind, **options):
    """Return a picture, an array or Pillow's, as a file of this kind."""
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, kind, **options)
    return file.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, colour_type, bits=8, *, extra=b"", rows=None):
    """Return a PNG of samples of shape (H, W, C), with chunks of its own before the rows."""
    height, width = samples.shape[:2]
    kind = ">u2" if bits == 16 else "u1"
    body = b"".join(b"\0" + row.astype(kind).tobytes() for row in samples[:rows])
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def tiff(samples, *, kind=1, bits=None, photometric=None, extra=(), orientation=1, end="<"):
    """Return a TIFF of one strip: samples of shape (H, W) or (H, W, C), as they lie in memory."""
    samples = samples.astype(samples.dtype.newbyteorder(end))
    height, width = samples.shape[:2]
    count = samples.shape[2] if samples.ndim == 3 else 1
    bits = bits or samples.dtype.itemsize * 8
    photometric = (2 if count >= 3 else 1) if photometric is None else photometric
    tags = [(256, "I", [width]), (257, "I", [height]), (258, "H", [bits] * count), (259, "H", [1])]
    tags += [(262, "H", [photometric]), (273, "I", [8]), (274, "H", [orientation]), (277, "H", [count])]
    tags += [(278, "I", [height]), (279, "I", [samples.nbytes])]
    tags += [(338, "H", list(extra))] if extra else []
    tags += [(339, "H", [kind] * count)]
    body = samples.tobytes()
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    behind, entries = start + 2 + 12 * len(tags) + 4, b""
    more = b""
    for tag, code, values in tags:
        packed = struct.pack(f"{end}{len(values)}{code}", *values)
        if len(packed) > 4:
            place, more = struct.pack(f"{end}I", behind + len(more)), more + packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(f"{end}HHI", tag, {"H": 3, "I": 4}[code], len(values)) + place
    head = (b"II*\0" if end == "<" else b"MM\0*") + struct.pack(f"{end}I", start)
    return head + body + struct.pack(f"{end}H", len(tags)) + entries + bytes(4) + more


def profile(gamma=2.2, *, swapped=False, grey=False):
    """Return an ICC profile (version 2) of sRGB's primaries, or with red and green swapped, or of grey."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)

    def xyz(*values):
        return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    text = b"a test"
    name = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 78)
    tags = [(b"desc", name + bytes(-len(name) % 4)), (b"wtpt", xyz(0.9642, 1, 0.8249))]
    if grey:
        tags.append((b"kTRC", curve))
    else:
        places = [(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]
        if swapped:
            places[:2] = places[1::-1]
        tags += [(b"%cXYZ" % letter, xyz(*place)) for letter, place in zip(b"rgb", places)]
        tags += [(b"%cTRC" % letter, curve) for letter in b"rgb"]
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags:
        table += tag + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s", at + len(body), bytes(4), 0x02100000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
