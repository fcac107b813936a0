"""A second decoder of ``.lic`` files, written from docs/container.md and docs/numerics.md.

It shares no code with `licgate.codec` or `licgate.reference.latents`; only the transforms are the reference's. Slow.
"""

import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from licgate.reference import run_transform

WRAP = (1 << 64) - 1


@dataclass
class Patch:
    """What one patch gave; `shares` are (left, width) of all that was decoded from ``z`` and from ``y``."""

    z: np.ndarray
    symbols: np.ndarray
    pixels: np.ndarray
    shares: tuple
    words: tuple


class RangeDecoder:
    def __init__(self, data):
        assert len(data) % 4 == 0
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.at, self.shares = 0, []
        self.lower, self.range = 0, WRAP
        self.point = self.word() << 32
        self.point |= self.word()

    def word(self):
        self.at += 1
        return self.words[self.at - 1] if self.at <= len(self.words) else 0

    def entry(self, cdf):
        """Return the entry of a table, numbers of 24 bits."""
        scale = self.range >> 24
        quantile = ((self.point - self.lower) & WRAP) // scale
        assert quantile < 1 << 24
        k = bisect_right(cdf, quantile) - 1
        left, width = cdf[k], cdf[k + 1] - cdf[k]
        self.shares.append((left, width))
        self.lower, self.range = (self.lower + scale * left) & WRAP, scale * width
        if self.range < 1 << 32:
            self.lower, self.range = (self.lower << 32) & WRAP, (self.range << 32) & WRAP
            self.point = ((self.point << 32) & WRAP) | self.word()
        return k


class Escapes:
    def __init__(self, data):
        self.bits, self.at = "".join(f"{byte:08b}" for byte in data), 0

    def read(self):
        zeros = 0
        while self.bits[self.at + zeros] == "0":
            zeros += 1
        start = self.at + zeros
        self.at = start + zeros + 1
        return int(self.bits[start : self.at], 2) - 1

    def rest(self):
        return self.bits[self.at :]


def read_group(decoder, escapes, tables, which):
    """Return the symbols of a group, whose tables are `which`, in the order of the page."""
    order = sorted(range(len(which)), key=lambda n: (which[n], n))
    cdfs = {t: [int(v) << (24 - tables.precision) for v in tables.cdf[t]] for t in set(which)}
    entries = [decoder.entry(cdfs[which[n]]) if len(cdfs[which[n]]) > 2 else 0 for n in order]
    symbols = [0] * len(which)
    for n, k in zip(order, entries):
        count, s = len(cdfs[which[n]]) - 1, k + int(tables.offset[which[n]])
        if k in (0, count - 1):
            e = escapes.read()
            if count == 1:
                s += e // 2 if e % 2 == 0 else -(e + 1) // 2
            else:
                s += e if k else -e
        symbols[n] = s
    return symbols


def sizes(layers, height, width):
    for layer in layers:
        if layer.kind == "conv2d":
            height, width = ((n + 2 * layer.padding - layer.kernel) // layer.stride + 1 for n in (height, width))
    return height, width


def groups(context, height, width):
    places = [(row, column) for row in range(height) for column in range(width)]
    if context == "raster":
        return [[place] for place in places]
    if context == "checkerboard":
        return [[place for place in places if sum(place) % 2 == odd] for odd in (0, 1)]
    return [places]


def decode_patch(manifest, sections, height, width):
    context = {"he2021-checkerboard": "checkerboard", "mbt2018": "raster"}.get(manifest.architecture)
    with_means = manifest.architecture != "bmshj2018-hyperprior"
    f, kind = manifest.latent_fraction_bits, manifest.g_a.output
    height_y, width_y = sizes(manifest.g_a.layers, -(-height // 64) * 64, -(-width // 64) * 64)
    height_z, width_z = sizes(manifest.h_a.layers, height_y, width_y)
    channels, channels_z = manifest.g_a.out_channels, manifest.h_a.out_channels
    coded_z, coded_y, escapes = RangeDecoder(sections[0]), RangeDecoder(sections[1]), Escapes(sections[2])
    which = [c for c in range(channels_z) for _ in range(height_z * width_z)]
    z = np.array(read_group(coded_z, escapes, manifest.entropy["factorized"], which))
    z = z.reshape(channels_z, height_z, width_z)
    features = run_transform(manifest.h_s, z)
    symbols, y_hat = (np.zeros((channels, height_y, width_y), dtype=np.int64) for _ in range(2))
    gaussian = manifest.entropy["gaussian"]
    for number, group in enumerate(groups(context, height_y, width_y)):
        if not group:
            continue
        rows, columns = map(list, zip(*group))
        q = features[:, rows, columns]
        if context:
            around = run_transform(manifest.context, y_hat)[:, rows, columns]
            if context == "checkerboard" and number == 0:
                around[:] = 0
            q = run_transform(manifest.parameters, np.concatenate([q, around])[:, None])[:, 0]
        if gaussian.thresholds is None:
            level = np.clip(q[:channels], 0, 63)
        else:
            level = sum((np.asarray(t) <= q[:channels]).astype(int) for t in gaussian.thresholds)
        found = np.array(read_group(coded_y, escapes, gaussian, level.ravel().tolist())).reshape(level.shape)
        symbols[:, rows, columns] = y_hat[:, rows, columns] = found
        if with_means:
            y_hat[:, rows, columns] = np.clip((found << f) + q[channels:], kind.min, kind.max)
    assert len(escapes.rest()) < 8
    assert "1" not in escapes.rest()
    pixels = run_transform(manifest.g_s, y_hat)[:, :height, :width].transpose(1, 2, 0)
    return Patch(z, symbols, pixels, (coded_z.shares, coded_y.shares), (coded_z.words, coded_y.words))


def decode(data, manifest, tables):
    """Return the image and its patches; `tables` is ``hashes.tables`` of the manifest's document."""
    magic, version, flags, mode, side, width, height = struct.unpack_from("<4sBBBBII", data)
    assert (magic, version, flags, mode) == (bytes([0x4C, 0x49, 0x43, 0x47]), 1, 0, int(side > 0))
    assert data[16:48].hex() == manifest.hash
    assert data[48:56].hex() == tables[:16]
    assert struct.unpack_from("<II", data, 56) == (zlib.crc32(data[64:]), zlib.crc32(data[:60]))
    image, patches, at = np.zeros((height, width, 3), dtype=np.uint8), [], 64
    side = 64 * side if mode else max(width, height)
    for top in range(0, height, side):
        for left in range(0, width, side):
            lengths = struct.unpack_from("<6I", data, at)
            at, sections = at + 24, []
            for length, crc in zip(lengths[::2], lengths[1::2]):
                sections.append(data[at : at + length])
                assert zlib.crc32(sections[-1]) == crc
                at += length
            place = image[top : top + side, left : left + side]
            patches.append(decode_patch(manifest, sections, *place.shape[:2]))
            place[:] = patches[-1].pixels
    assert at == len(data)
    return image, patches
