"""Damage to files: what a bad disk does, and what a forger does who computes every CRC again."""

import functools
import zlib
from dataclasses import replace

import numpy as np

from licgate.codec.coder import SymbolWriter, TableCoder
from licgate.codec.container import CRC, HEAD, MAX_SIDE, SECTION, SECTIONS, UNIT, Header, pack, read_header
from licgate.codec.escapes import EXCESS_LIMIT, write_escapes
from licgate.manifest.geometry import layer_sizes
from licgate.reference import decode_latents

HEADER = HEAD.size + CRC.size


def places(data):
    """Return (start of the lengths, [(start, end) of each section]) of every patch that a file seems to hold."""
    _, _, _, _, units, width, height, *_ = HEAD.unpack_from(data)
    side = units * UNIT or MAX_SIDE
    found, at = [], HEADER
    for _ in range(min(-(-width // side) * -(-height // side), 1000)):
        end, sections = at + len(SECTIONS) * SECTION.size, []
        if end > len(data):
            break
        for number in range(len(SECTIONS)):
            length = SECTION.unpack_from(data, at + number * SECTION.size)[0]
            sections.append((min(end, len(data)), min(end + length, len(data))))
            end += length
        found.append((at, sections))
        at = end
    return found


def repaired(data):
    """Return a file with the CRCs that fit what it holds now, as far as it can be read."""
    data = bytearray(data)
    if len(data) < HEADER:
        return bytes(data)
    for at, sections in places(data):
        for number, (start, end) in enumerate(sections):
            where = at + number * SECTION.size
            SECTION.pack_into(data, where, SECTION.unpack_from(data, where)[0], zlib.crc32(data[start:end]))
    CRC.pack_into(data, HEAD.size - CRC.size, zlib.crc32(data[HEADER:]))
    CRC.pack_into(data, HEAD.size, zlib.crc32(data[: HEAD.size]))
    return bytes(data)


def flip(random, data, _):
    data = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        data[random.integers(len(data))] ^= int(random.integers(1, 256))
    return bytes(data)


def cut(random, data, _):
    return data[: random.integers(len(data))]


def splice(random, data, other):
    """Return the beginning of one file and the end of another, or a piece of it in the middle."""
    start = int(random.integers(len(data)))
    piece = other[random.integers(len(other)) :]
    if random.random() < 0.5:
        piece = piece[: random.integers(len(piece)) + 1]
        return data[:start] + piece + data[start + int(random.integers(2)) * len(piece) :]
    return data[:start] + piece


def repeat(random, data, _):
    start, end = sorted(random.integers(0, len(data) + 1, 2))
    return data[:end] + data[start:end] * int(random.integers(1, 4)) + data[end:]


def erase(random, data, _):
    start, end = sorted(random.integers(0, len(data) + 1, 2))
    return data[:start] + (bytes(end - start) if random.random() < 0.5 else b"") + data[end:]


def payload(random, data, other):
    """Return a file with one section damaged, and its length to match."""
    found = places(data)
    at, sections = found[random.integers(len(found))]
    number = int(random.integers(len(sections)))
    start, end = sections[number]
    section = data[start:end] or b"\0\0\0\0"
    kind = random.integers(6)
    if kind == 0:
        section = section[: random.integers(len(section) + 1)]
    elif kind == 1:
        section += random.bytes(4 * int(random.integers(1, 40)))
    elif kind == 2:
        section = random.bytes(4 * int(random.integers(0, 200)))
    elif kind == 3:
        section = bytes([int(random.choice([0, 1, 127, 128, 255]))]) * 4 * int(random.integers(1, 800))
    else:
        section = flip(random, section, other)
    data = bytearray(data[:start] + section + data[end:])
    SECTION.pack_into(data, at + number * SECTION.size, len(section), 0)
    return bytes(data)


def lengths(random, data, _):
    """Return a file with a wrong length of a section, often such that the next one gains what it loses."""
    data, found = bytearray(data), places(data)
    at, _ = found[random.integers(len(found))]
    first = int(random.integers(len(SECTIONS)))
    moved = int(random.integers(-40, 41)) if random.random() < 0.8 else int(random.integers(1 << 32))
    for number, change in ((first, moved), ((first + 1) % len(SECTIONS), -moved)):
        length = SECTION.unpack_from(data, at + number * SECTION.size)[0]
        SECTION.pack_into(data, at + number * SECTION.size, (length + change) % (1 << 32), 0)
    return bytes(data)


def size(random, data, _):
    """Return a file whose header asks for an image of another size, or for other patches."""
    *head, crc = HEAD.unpack_from(data)
    near = random.random() < 0.5
    for field in (5, 6):
        head[field] = max(head[field] + int(random.integers(-70, 71)), 0) if near else int(random.integers(1 << 16))
    if random.random() < 0.5:
        head[4] = int(random.choice([0, 1, 2, 3, 255]))
        head[3] = int(head[4] > 0)
    return HEAD.pack(*head, crc) + data[HEAD.size :]


PLAIN = (flip, cut, splice, repeat, erase)
FORGED = (*PLAIN, payload, payload, payload, payload, lengths, lengths, size)


def noise(random, like):
    """Return a random file: nothing but noise, or noise behind a beginning that is right."""
    kind, body = random.integers(4), random.bytes(int(random.integers(0, 3000)))
    if kind == 0:
        return body
    if kind == 1:
        return like[:5] + body
    if kind == 2:
        return repaired(like[:HEADER] + body)
    *head, crc = HEAD.unpack_from(like)
    head[5], head[6] = (int(v) for v in random.integers(1, 200, 2))
    sections = [random.bytes(4 * int(random.integers(0, 200))) for _ in SECTIONS]
    return repaired(
        HEAD.pack(*head, crc)
        + like[HEAD.size : HEADER]
        + b"".join(SECTION.pack(len(section), 0) for section in sections)
        + b"".join(sections)
    )


@functools.cache
def coder(manifest, name):
    return TableCoder(manifest.entropy[name])


def wild(random, codec, data):
    """Return a file that a mad encoder wrote: coded without a fault, but symbols such as no picture has."""
    manifest, (width, height) = codec.manifest, (int(v) for v in random.integers(1, 129, 2))
    layers = manifest.g_a.layers + manifest.h_a.layers
    shape = (manifest.h_a.out_channels, *layer_sizes(layers, *(-(-n // UNIT) * UNIT for n in (height, width)))[-1])
    kind, reach = manifest.h_s.input, int(random.choice([1, 8, 40, 300, EXCESS_LIMIT // 2 - 40000]))
    z = random.integers(kind.min, kind.max + 1, shape)
    if random.random() < 0.2:
        z[tuple(random.integers(shape))] = int(random.choice([kind.min - 1, kind.max + 1, reach]))
    writers = SymbolWriter(), SymbolWriter()
    excess = [coder(codec.manifest, "factorized").encode(writers[0], np.arange(shape[0]).repeat(z[0].size), z.ravel())]

    def take(levels, _):
        symbols = random.integers(-reach, reach + 1, levels.shape)
        excess.append(coder(codec.manifest, "gaussian").encode(writers[1], levels.ravel(), symbols.ravel()))
        return symbols if manifest.kind.means else np.clip(symbols, manifest.g_s.input.min, manifest.g_s.input.max)

    decode_latents(manifest, np.clip(z, kind.min, kind.max), take)
    header = replace(read_header(data), width=width, height=height, patch=0)
    return pack(header, [(writers[0].data(), writers[1].data(), write_escapes(np.concatenate(excess)))])


def header_of(data):
    """Return the size that a header asks for, without any doubt."""
    fields = HEAD.unpack_from(data)
    return Header(width=fields[5], height=fields[6], patch=fields[4] * UNIT, manifest="", tables="")
