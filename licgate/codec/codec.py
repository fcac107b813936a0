"""The codec: an image to bytes and back, all in integers, the same on every machine and every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from licgate.codec.coder import SymbolReader, SymbolWriter, TableCoder
from licgate.codec.container import (
    MAX_PATCH,
    SECTIONS,
    UNIT,
    Header,
    check_size,
    pack,
    read_header,
    unpack,
)
from licgate.codec.escapes import EXCESS_LIMIT, EscapeReader, write_escapes
from licgate.codec.trace import Trace
from licgate.errors import ConfigError, ImageError, ManifestError, StreamError
from licgate.images import Pixels
from licgate.manifest import Manifest, Transform, sealed
from licgate.manifest.checks import AnyIntegers, Integers
from licgate.manifest.document import tables_digest
from licgate.manifest.entropy import CdfTables
from licgate.manifest.geometry import layer_sizes
from licgate.manifest.types import IntType
from licgate.reference import code_latents, decode_latents, image_to_input, run_transform
from licgate.reference.latents import Run

__all__ = ["Codec", "pad_image"]

TABLE_DIGITS = 16


class Codec:
    """A model, ready to code images. It never changes, so that threads may share it.

    Parameters
    ----------
    manifest : Manifest
        With all transforms of its architecture and both kinds of entropy tables.
    run : callable, optional
        ``run(transform, x) -> ndarray``: the engine that runs the transforms, such as simulated gateware. The integer
        reference if left out. Every engine gives the same bytes and the same pixels.
    threads : int
        Of the reference.

    Raises
    ------
    ManifestError, ConfigError
        If the model lacks something that a codec needs, or its transforms do not fit together.

    Examples
    --------
    >>> codec = licgate.load_model()
    >>> data = codec.encode(image)     # uint8 of shape (H, W, 3) to bytes
    >>> image = codec.decode(data)
    """

    def __init__(self, manifest: Manifest, *, run: Run | None = None, threads: int = 1) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"threads {threads!r} is not a positive integer")
        tables = _check_model(manifest)
        self.manifest = manifest if manifest.hash else sealed(manifest)
        # in the smallest types, or a large photograph would take eight bytes for each of its samples
        self._engine, self._threads = run, threads
        self._run = run or partial(run_transform, threads=threads, dtype=None)
        self._tables = tables_digest(tables)[:TABLE_DIGITS]
        self._z_coder = TableCoder(tables["factorized"])
        self._y_coder = TableCoder(tables["gaussian"])

    def __repr__(self) -> str:
        return f"Codec({self.manifest.name!r}, {self.manifest.architecture}, hash {self.manifest.hash[:12]})"

    def __reduce__(self) -> tuple[Any, ...]:
        # the entropy coder's own tables cannot be pickled; they are made again
        return _made, (self.manifest, self._engine, self._threads)

    def encode(self, image: Pixels, *, patch: int | None = None, trace: Trace | None = None) -> bytes:
        """Code an image.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W, 3)
            RGB; sides of 1 to 65535 pixels.
        patch : int, optional
            Side in pixels, a multiple of 64, of square patches that are coded as images of their own. The whole image
            at once if left out.
        trace : Trace, optional
            Is told where time and bits went.

        Returns
        -------
        bytes
            A whole ``.lic`` file.

        Raises
        ------
        ImageError, ConfigError
            If the image or the patch cannot be used.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(
                f"image is {image.dtype} of shape {image.shape}, expected uint8 of shape (height, width, 3)"
            )
        height, width = image.shape[:2]
        check_size(width, height, ImageError)
        if patch is not None and (not isinstance(patch, int) or patch not in range(UNIT, MAX_PATCH + 1, UNIT)):
            raise ConfigError(f"patch {patch!r} is not a multiple of {UNIT} from {UNIT} to {MAX_PATCH}")
        header = Header(width=width, height=height, patch=patch or 0, manifest=self.manifest.hash, tables=self._tables)
        trace = trace or Trace()
        return pack(header, [self._encode_patch(image[y : y + h, x : x + w], trace) for x, y, w, h in header.patches()])

    def decode(self, data: bytes, *, trace: Trace | None = None) -> Pixels:
        """Decode a file.

        Parameters
        ----------
        data : bytes
            A whole ``.lic`` file.
        trace : Trace, optional
            Is told where time went.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)

        Raises
        ------
        StreamError
            One line for whatever is wrong: damaged, of another model, of a newer version. Time and memory are bounded
            by the size of the image, which is limited.
        """
        self._check_same(read_header(data))
        header, patches = unpack(data)
        trace = trace or Trace()
        if len(patches) == 1:
            # the whole image takes no memory before its symbols are known to be good
            return self._decode_patch(patches[0], header.height, header.width, trace)
        image = np.empty((header.height, header.width, 3), dtype=np.uint8)
        for (x, y, w, h), sections in zip(header.patches(), patches, strict=True):
            image[y : y + h, x : x + w] = self._decode_patch(sections, h, w, trace)
        return image

    def _check_same(self, header: Header) -> None:
        own, name = self.manifest.hash, self.manifest.name
        if header.manifest != own:
            raise StreamError(
                f"made by the model of hash {header.manifest[:16]}, but {name} has {own[:16]}; give the "
                "model that made it"
            )
        if header.tables != self._tables:
            raise StreamError(
                f"made with entropy tables of hash {header.tables}, but those of {name} have {self._tables}"
            )

    def _timed(self, trace: Trace) -> Run:
        def run(transform: Transform, x: AnyIntegers) -> AnyIntegers:
            with trace.stage(transform.name):
                return self._run(transform, x)

        return run

    def _encode_patch(self, image: Pixels, trace: Trace) -> tuple[bytes, bytes, bytes]:
        manifest, run = self.manifest, self._timed(trace)
        y = run(manifest.g_a, image_to_input(pad_image(image)))
        # a model whose h_a reaches beyond what h_s reads loses a little here, and stays decodable
        z = _saturated(run(manifest.transforms["h_a"], y), manifest.transforms["h_s"].input)
        with trace.stage("latents"):
            exact, levels, _, _ = code_latents(manifest, y, z, run=run)
            symbols = exact if manifest.kind.means else _saturated(exact, manifest.transforms["g_s"].input)
        with trace.stage("coder"):
            z_writer, y_writer = SymbolWriter(), SymbolWriter()
            excess = [self._z_coder.encode(z_writer, _channels(z.shape), z.ravel())]
            for indices, values in _groups(manifest.kind.context, levels, symbols):
                excess.append(self._y_coder.encode(y_writer, indices, values))
            data = z_writer.data(), y_writer.data(), write_escapes(np.concatenate(excess))
        trace.sections(dict(zip(SECTIONS, data, strict=True)))
        trace.ideal_bits += self._z_coder.ideal_bits(_channels(z.shape), z.ravel()) + self._y_coder.ideal_bits(
            levels.ravel(), symbols.ravel()
        )
        return data

    def _decode_patch(self, sections: Mapping[str, memoryview], height: int, width: int, trace: Trace) -> Pixels:
        manifest, run = self.manifest, self._timed(trace)
        height_64, width_64 = -(-height // UNIT) * UNIT, -(-width // UNIT) * UNIT
        sizes = layer_sizes(manifest.g_a.layers + manifest.transforms["h_a"].layers, height_64, width_64)
        shape = (manifest.transforms["h_a"].out_channels, *sizes[-1])
        rows, columns = sizes[len(manifest.g_a.layers)]
        symbols = shape[0] * shape[1] * shape[2] + manifest.g_a.out_channels * rows * columns
        if len(sections["escapes"]) > symbols * EXCESS_LIMIT.bit_length() // 4 + 1:
            raise StreamError(f"damaged: {len(sections['escapes'])} bytes of escape codes for {symbols} symbols")
        trace.sections(sections)
        with trace.stage("coder"):
            z_reader, y_reader = SymbolReader(sections["z"]), SymbolReader(sections["y"])
            escapes = EscapeReader(sections["escapes"])
            z = self._z_coder.decode(z_reader, _channels(shape), escapes).reshape(shape)
            z_reader.finish()
            _check_inside(z, manifest.transforms["h_s"].input, "z")

        def take(levels: Integers, means: Integers) -> Integers:
            with trace.stage("coder"):
                found = self._y_coder.decode(y_reader, levels.ravel(), escapes).reshape(levels.shape)
                if not manifest.kind.means:
                    _check_inside(found, manifest.transforms["g_s"].input, "y")
                return found

        with trace.stage("latents"):
            y_hat = decode_latents(manifest, z, take, run=run)[3]
        y_reader.finish()
        escapes.finish()
        pixels = run(manifest.transforms["g_s"], y_hat)[:, :height, :width].transpose(1, 2, 0)
        return np.ascontiguousarray(pixels, dtype=np.uint8)


def _made(manifest: Manifest, run: Run | None, threads: int) -> Codec:
    return Codec(manifest, run=run, threads=threads)


def pad_image(image: Pixels) -> Pixels:
    """Repeat the last row and column until both sides of (H, W, 3) are multiples of 64."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, -height % UNIT), (0, -width % UNIT), (0, 0)), mode="edge")


def _check_model(manifest: Manifest) -> Mapping[str, CdfTables]:
    """Return the entropy tables of a model that has all that a codec needs."""
    tables = manifest.entropy or {}
    for part in manifest.kind.parts:
        if part not in manifest.transforms:
            raise ManifestError(f"model {manifest.name} has no {part}: it cannot code images")
    for name in ("factorized", "gaussian"):
        if name not in tables:
            raise ManifestError(f"model {manifest.name} has no {name} entropy tables: it cannot code images")
    if tables["gaussian"].count != 64:
        raise ManifestError(f"model {manifest.name} has {tables['gaussian'].count} gaussian tables, not 64")
    pixel = IntType(8, signed=False)
    g_a, g_s = manifest.g_a, manifest.transforms["g_s"]
    if (g_a.input, g_a.in_channels, g_s.output, g_s.out_channels) != (pixel, 3, pixel, 3):
        raise ConfigError(
            f"model {manifest.name} goes from {g_a.in_channels} channels of {g_a.input} to "
            f"{g_s.out_channels} of {g_s.output}; a codec of images needs 3 of {pixel} on both ends"
        )
    for side in (UNIT, 2 * UNIT):
        latents = layer_sizes(g_a.layers, side, side)[-1]
        hyper = layer_sizes(manifest.transforms["h_a"].layers + manifest.transforms["h_s"].layers, *latents)[-1]
        if hyper != latents or layer_sizes(g_s.layers, *latents)[-1] != (side, side):
            raise ConfigError(
                f"model {manifest.name}: the transforms do not give an image of {side} x {side} pixels back at its size"
            )
    return tables


def _channels(shape: tuple[int, ...]) -> Integers:
    return np.repeat(np.arange(shape[0]), shape[1] * shape[2])


def _groups(context: str, levels: Integers, symbols: AnyIntegers) -> Iterator[tuple[Integers, AnyIntegers]]:
    """Give levels and symbols of what is coded together, as `decode_latents` asks for them."""
    channels, height, width = levels.shape
    if context == "":
        yield levels.ravel(), symbols.ravel()
        return
    levels, symbols = levels.reshape(channels, -1), symbols.reshape(channels, -1)
    places = np.arange(height * width)
    if context == "checkerboard":
        odd = (places // width + places % width) % 2 == 1
        passes = [group for group in (places[~odd], places[odd]) if len(group)]
    else:
        passes = list(places[:, None])
    for group in passes:
        yield levels[:, group].ravel(), symbols[:, group].ravel()


def _saturated(values: AnyIntegers, kind: IntType) -> AnyIntegers:
    return np.clip(values, kind.min, kind.max)


def _check_inside(values: AnyIntegers, kind: IntType, name: str) -> None:
    low, high = int(values.min()), int(values.max())
    if low < kind.min or high > kind.max:
        raise StreamError(f"damaged: {name} holds {low}..{high}, outside of {kind} ({kind.min}..{kind.max})")
