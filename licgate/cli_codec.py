"""The verbs ``licgate encode``, ``licgate decode`` and ``licgate info``."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from licgate.backends.options import MEMORIES, add_memory_argument
from licgate.codec import Codec, Header, Trace, model_of, read_header
from licgate.codec.container import HEADER_BYTES, unpack
from licgate.errors import ERROR, ConfigError, LicgateError, StreamError
from licgate.files import write_whole
from licgate.images import check_image_name, load_image, save_image
from licgate.manifest import Manifest, find_model
from licgate.manifest.architectures import MODES

__all__ = ["add_decode_arguments", "add_encode_arguments", "add_info_arguments", "run_decode", "run_encode", "run_info"]

ENGINES = ("reference", "cxxrtl", "amaranth")

SUFFIX = ".lic"


def add_encode_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate encode``."""
    parser.add_argument("files", metavar="IMAGE", nargs="+", help="PNG, JPEG, WebP, PPM, ... of any size")
    parser.add_argument(
        "-o", "--output", metavar="FILE.lic|FOLDER", required=True, help="where to; a folder for several images"
    )
    parser.add_argument("--model", metavar="MODEL", help="name under models/ or path; the default if left out")
    parser.add_argument(
        "--patch", type=int, metavar="P", help="code squares of P x P pixels, a multiple of 64, as images of their own"
    )
    parser.add_argument("--verify", action="store_true", help="decode again, and give the PSNR")
    _add_common(parser)


def add_decode_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate decode``."""
    parser.add_argument("files", metavar="FILE.lic", nargs="+", help="coded images")
    parser.add_argument(
        "-o",
        "--output",
        metavar="IMAGE|FOLDER",
        required=True,
        help="where to, the suffix gives the format; PNG in a folder, for several files",
    )
    parser.add_argument("--model", metavar="MODEL", help="name or path; the one under models/ that fits if left out")
    _add_common(parser)


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate info``."""
    parser.add_argument("files", metavar="FILE.lic", nargs="+", help="coded images")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="reference",
        help="what runs the transforms: numpy, or simulated gateware (default: %(default)s)",
    )
    add_memory_argument(parser)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        default=cores,
        help="threads of the reference (default: the cores there are)",
    )
    parser.add_argument("--json", metavar="FILE", help="write sizes, rates and seconds as JSON; - for standard output")


def run_encode(args: argparse.Namespace) -> int:
    """Body of ``licgate encode``: 0, or 2 when an image could not be coded."""
    pairs = _pairs(args.files, args.output, SUFFIX)
    for _, target in pairs:
        if target.suffix.lower() != SUFFIX:
            raise ConfigError(f"-o {target}: coded images are called {SUFFIX}")
    codec = _codec(find_model(args.model), args, "both" if args.verify else "encoder")

    def work(source: Path, target: Path) -> dict:
        image, notices = load_image(source)
        for notice in notices:
            print(f"licgate: note: {notice}", file=sys.stderr)
        trace = Trace()
        data = codec.encode(image, patch=args.patch, trace=trace)
        write_whole(target, data)
        height, width = image.shape[:2]
        entry = {
            **_sizes(width, height, len(data)),
            "bpp-estimate": trace.ideal_bits / (width * height),
            "sections": trace.section_bytes,
            "model": codec.manifest.name,
            "engine": args.engine,
            "seconds": _seconds(trace),
        }
        if args.verify:
            entry.update(_distortion(image, codec.decode(data)))
        return entry

    return _each(pairs, work, args.json)


def run_decode(args: argparse.Namespace) -> int:
    """Body of ``licgate decode``: 0, or 2 when a file could not be decoded."""
    pairs = _pairs(args.files, args.output, ".png")
    for _, target in pairs:
        check_image_name(target)
    named = _codec(find_model(args.model), args, "decoder") if args.model else None
    codecs: dict[str, Codec] = {}

    def work(source: Path, target: Path) -> dict:
        data = _read(source)
        header = read_header(data)
        codec = named or codecs.get(header.manifest)
        if codec is None:
            codec = codecs[header.manifest] = _codec(model_of(header), args, "decoder")
        trace = Trace()
        save_image(codec.decode(data, trace=trace), target)
        return {
            **_sizes(header.width, header.height, len(data)),
            "sections": trace.section_bytes,
            "model": codec.manifest.name,
            "engine": args.engine,
            "seconds": _seconds(trace),
        }

    return _each(pairs, work, args.json)


def run_info(args: argparse.Namespace) -> int:
    """Body of ``licgate info``: 0, or 2 when a file is damaged."""
    entries, failed = [], False
    for name in args.files:
        entry = {"file": str(name)}
        entries.append(entry)
        try:
            data = _read(Path(name))
            header, patches = unpack(data)
        except LicgateError as error:
            failed = True
            _complain(name, error)
            entry["error"] = str(error)
            continue
        sections = {key: sum(len(patch[key]) for patch in patches) for key in patches[0]}
        entry.update(
            **_sizes(header.width, header.height, len(data)),
            patch=header.patch,
            patches=len(patches),
            sections=sections,
            model=_model_name(header),
            manifest=header.manifest,
            tables=header.tables,
        )
        if not args.json:
            print(_info_text(entry))
    if args.json:
        print(json.dumps(entries, indent=2))
    return LicgateError.exit_code if failed else 0


def _info_text(entry: dict) -> str:
    coded = f"in {entry['patches']} patches of {entry['patch']} pixels" if entry["patch"] else "as a whole"
    sections = ", ".join(f"{name} {size}" for name, size in entry["sections"].items())
    return (
        f"{entry['file']}: {entry['width']} x {entry['height']} pixels, {entry['bytes']} bytes, "
        f"{entry['bpp']:.4f} bpp, coded {coded}\n"
        f"  model     {entry['model'] or 'not in models/'} ({entry['manifest'][:16]}, tables {entry['tables']})\n"
        f"  sections  {sections} bytes"
    )


def _codec(manifest: Manifest, args: argparse.Namespace, mode: str) -> Codec:
    """The codec on the engine asked for; simulated gateware holds the transforms of a board's build in that mode."""
    if args.engine == "reference":
        if args.memory != MEMORIES[0]:
            raise ConfigError(f"--memory {args.memory} goes with simulated gateware: give --engine cxxrtl as well")
        return Codec(manifest, threads=args.threads)
    from licgate.backends import get_backend
    from licgate.sim.chain import engine_run
    from licgate.sim.progress import Bars

    backend = get_backend(args.memory)
    make = partial(backend.simulate, args, manifest)
    run = engine_run(manifest, make, MODES[mode], Bars(sys.stderr, backend.counts))
    left = f"; {' and '.join(run.host)}: the reference's" if run.host else ""
    print(
        f"licgate: note: {manifest.name} on simulated gateware, which takes minutes to make the first time{left}",
        file=sys.stderr,
        flush=True,
    )
    return Codec(manifest, run=run)


def _pairs(files: list[str], output: str, suffix: str) -> list[tuple[Path, Path]]:
    """Return each input with its output, after checking that none is in the way of another."""
    try:
        return _paired(files, output, suffix)
    except OSError as error:  # such as names that are too long
        raise ConfigError(f"-o {output}: {error.strerror or error}") from None


def _paired(files: list[str], output: str, suffix: str) -> list[tuple[Path, Path]]:
    sources, out = [Path(name) for name in files], Path(output)
    if len(sources) == 1 and not out.is_dir() and not output.endswith(os.sep):
        pairs = [(sources[0], out)]
        if not out.parent.is_dir():
            raise ConfigError(f"-o {out}: there is no folder {out.parent}")
    else:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"-o {out}: cannot be a folder: {error.strerror or error}") from None
        pairs = [(source, out / f"{source.stem}{suffix}") for source in sources]
    taken: dict[Path, Path] = {}
    # not Path.resolve: some versions of Python raise at links that go in circles
    inputs = {os.path.realpath(source) for source in sources}
    for source, target in pairs:
        if target in taken:
            raise ConfigError(f"{taken[target]} and {source} would both be written to {target}; rename one")
        if os.path.realpath(target) in inputs:
            raise ConfigError(f"-o {target}: would replace what is read; name another file")
        taken[target] = source
    return pairs


def _each(pairs: list[tuple[Path, Path]], work: Callable[[Path, Path], dict], report: str | None) -> int:
    """Work on every file, a line each; one that fails does not stop the others."""
    if report and report != "-":
        _check_writable(Path(report))
    entries, failed = [], 0
    for number, (source, target) in enumerate(pairs, 1):
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
            _complain(source, error)
            continue
        entry["seconds"]["total"] = time.perf_counter() - started
        mark = f"{number}/{len(pairs)} " if len(pairs) > 1 else ""
        quality = f", {entry['psnr']:.2f} dB" if entry.get("psnr") is not None else ""
        print(
            f"{mark}{source} -> {target}: {entry['width']} x {entry['height']}, {entry['bytes']} bytes, "
            f"{entry['bpp']:.4f} bpp{quality}, {entry['seconds']['total']:.2f} s",
            file=sys.stderr if report == "-" else sys.stdout,
            flush=True,
        )
    if report:
        text = json.dumps(entries, indent=2) + "\n"
        print(text, end="") if report == "-" else write_whole(Path(report), text)
    return LicgateError.exit_code if failed else 0


def _complain(source: Path | str, error: Exception) -> None:
    # errors of images name their file already
    text, name = " ".join(str(error).split()), " ".join(str(source).split())
    print(f"{ERROR}{text if text.startswith(name) else f'{name}: {text}'}", file=sys.stderr)


def _sizes(width: int, height: int, size: int) -> dict:
    return {"width": width, "height": height, "bytes": size, "bpp": 8 * size / (width * height)}


def _seconds(trace: Trace) -> dict:
    return {key: round(value, 6) for key, value in trace.seconds.items()}


def _distortion(image, decoded) -> dict:
    """Return MSE and PSNR in dB, which is None where nothing is lost."""
    error = image.astype("int32") - decoded
    mse = float((error * error).mean())
    return {"mse": mse, "psnr": 10 * math.log10(255**2 / mse) if mse else None}


def _model_name(header: Header) -> str | None:
    try:
        return model_of(header).name
    except LicgateError:
        return None


def _read(path: Path) -> bytes:
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


def _check_writable(path: Path) -> None:
    try:
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
            raise ConfigError(f"cannot write {path}: its folder is missing or read-only, or it is a folder")
        # replacing a device by a file would harm the system
        if path.exists() and not path.is_file():
            raise ConfigError(f"cannot write {path}: not a regular file")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from None
