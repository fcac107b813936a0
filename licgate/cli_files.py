"""Files of the verbs ``encode`` and ``decode``: what is read, where it goes, and one line for each."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

from licgate.codec import read_header
from licgate.codec.container import HEADER_BYTES
from licgate.errors import ERROR, ConfigError, LicgateError, StreamError
from licgate.files import check_writable, write_whole

__all__ = ["LARGEST", "STANDARD", "complain", "each", "pairs", "read_coded", "sizes", "write_out"]

STANDARD = "-"
"""Standard input or output."""

LARGEST = 1 << 30
"""Bytes of standard input that are read: more than any coded image has."""


def pairs(files: list[str], output: str, suffix: str, *, suffixes: Collection[str]) -> list[tuple[Path, Path]]:
    """Return each input with its output, after checking that none is in the way of another.

    Parameters
    ----------
    files : list of str
        A folder stands for the files in it whose names end in one of `suffixes`, ``-`` for standard input.
    output : str
        A file for one input, a folder for more; ``-`` for standard output.
    suffix : str
        Of the files in a folder.
    suffixes : collection of str

    Raises
    ------
    ConfigError
        In one line.
    """
    try:
        return _paired(_searched(files, suffixes), output, suffix, many=any(Path(name).is_dir() for name in files))
    except OSError as error:  # such as names that are too long
        raise ConfigError(f"-o {output}: {error.strerror or error}") from None


def _searched(files: list[str], suffixes: Collection[str]) -> list[Path]:
    found: list[Path] = []
    for name in files:
        path = Path(name)
        if not path.is_dir():
            found.append(path)
            continue
        try:
            there = sorted(entry for entry in path.iterdir() if not entry.is_dir())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
        fitting = [entry for entry in there if entry.suffix.lower() in suffixes]
        if not fitting:
            raise ConfigError(f"{path}: no file in this folder ends in {', '.join(sorted(suffixes))}")
        left = len(there) - len(fitting)
        if left:
            print(f"licgate: note: {path}: {left} other file{'s' * (left > 1)} in it left out", file=sys.stderr)
        found += fitting
    return found


def _paired(sources: list[Path], output: str, suffix: str, *, many: bool) -> list[tuple[Path, Path]]:
    out = Path(output)
    if output == STANDARD:
        if len(sources) > 1:
            raise ConfigError(f"-o -: standard output takes one file, not {len(sources)}")
        return [(sources[0], out)]
    if len(sources) == 1 and not many and not out.is_dir() and not output.endswith(os.sep):
        found = [(sources[0], out)]
        if not out.parent.is_dir():
            raise ConfigError(f"-o {out}: there is no folder {out.parent}")
    else:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"-o {out}: cannot be a folder: {error.strerror or error}") from None
        named = [(source, "stdin" if str(source) == STANDARD else source.stem) for source in sources]
        found = [(source, out / f"{name}{suffix}") for source, name in named]
    taken: dict[Path, Path] = {}
    # not Path.resolve: some versions of Python raise at links that go in circles
    inputs = {os.path.realpath(source) for source in sources}
    for source, target in found:
        if target in taken:
            raise ConfigError(f"{taken[target]} and {source} would both be written to {target}; rename one")
        if os.path.realpath(target) in inputs:
            raise ConfigError(f"-o {target}: would replace what is read; name another file")
        taken[target] = source
    for folder in {target.parent for _, target in found}:
        # known before the first image is coded; write_whole finds what this cannot
        if not os.access(folder, os.W_OK):
            raise ConfigError(f"-o {output}: {folder} cannot be written")
    return found


def each(work_list: list[tuple[Path, Path]], work: Callable[[Path, Path], dict], report: str | None) -> int:
    """Work on every file, a line each; one that fails does not stop the others.

    Returns
    -------
    int
        0, or the exit code of an error where one could not be worked on.
    """
    if report and report != STANDARD:
        check_writable(Path(report))
    elif report and any(str(target) == STANDARD for _, target in work_list):
        raise ConfigError("--json - and -o - would both be standard output; name a file for one")
    busy = report == STANDARD or any(str(target) == STANDARD for _, target in work_list)
    entries, failed = [], 0
    for number, (source, target) in enumerate(work_list, 1):
        started = time.perf_counter()
        entry = {"source": str(source), "target": str(target)}
        entries.append(entry)
        try:
            entry.update(work(source, target))
        except (LicgateError, MemoryError) as error:
            failed += 1
            if isinstance(error, MemoryError):
                error = StreamError("not enough memory; smaller images, or those encoded with --patch, need less")
            entry["error"] = str(error)
            complain(source, error)
            continue
        entry["seconds"]["total"] = time.perf_counter() - started
        mark = f"{number}/{len(work_list)} " if len(work_list) > 1 else ""
        quality = f", {entry['psnr']:.2f} dB" if entry.get("psnr") is not None else ""
        print(
            f"{mark}{source} -> {target}: {entry['width']} x {entry['height']}, {entry['bytes']} bytes, "
            f"{entry['bpp']:.4f} bpp{quality}, {entry['seconds']['total']:.2f} s",
            file=sys.stderr if busy else sys.stdout,
            flush=True,
        )
    if report:
        text = json.dumps(entries, indent=2) + "\n"
        print(text, end="") if report == STANDARD else write_whole(Path(report), text)
    return LicgateError.exit_code if failed else 0


def complain(source: Path | str, error: Exception) -> None:
    """Print the line of an error, with the file that it is about."""
    # errors of images name their file already
    text, name = " ".join(str(error).split()), " ".join(str(source).split())
    name = "standard input" if name == STANDARD else name
    print(f"{ERROR}{text if text.startswith(name) else f'{name}: {text}'}", file=sys.stderr)


def read_coded(path: Path) -> bytes:
    """Read a coded image, or what stands at its beginning where it is none.

    Raises
    ------
    StreamError
        If it cannot be read, or is none.
    """
    if str(path) == STANDARD:
        data = sys.stdin.buffer.read(LARGEST)
        read_header(data[:HEADER_BYTES])
        return data
    try:
        # a pipe or a device would wait or never end
        if not path.is_file():
            raise StreamError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
        with path.open("rb") as file:
            # what is no file of ours need not be read whole, whatever its size
            head = file.read(HEADER_BYTES)
            read_header(head)
            return head + file.read()
    except (OSError, ValueError) as error:
        raise StreamError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def write_out(target: Path, data: bytes) -> None:
    """Write bytes to a file, whole or not at all, or to standard output."""
    if str(target) == STANDARD:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_whole(target, data)


def sizes(width: int, height: int, size: int) -> dict:
    """Return the size of an image and of its file, and their ratio, for a report."""
    return {"width": width, "height": height, "bytes": size, "bpp": 8 * size / (width * height)}
