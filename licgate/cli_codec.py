"""The verbs ``licgate encode`` and ``licgate decode``."""

from __future__ import annotations

import argparse
import math
import os
import sys
from functools import partial
from pathlib import Path

from licgate.backends.options import MEMORIES, add_memory_argument
from licgate.cli_device import ENGINE, add_port_arguments, check_port_arguments, connect, note, released
from licgate.cli_files import STANDARD, each, pairs, read_coded, sizes, write_out
from licgate.codec import Codec, Trace, model_of, read_header
from licgate.errors import ConfigError
from licgate.images import SUFFIXES, check_image_name, load_image, png_bytes, save_image
from licgate.manifest import Manifest, find_model
from licgate.manifest.architectures import MODES
from licgate.manifest.family import model_of_quality

__all__ = ["add_decode_arguments", "add_encode_arguments", "run_decode", "run_encode"]

ENGINES = ("reference", "cxxrtl", "amaranth", "verilator", ENGINE)

SUFFIX = ".lic"

IMAGES = "PNG, JPEG, WebP, TIFF, PPM, ... of any size; a folder: the pictures in it; - for standard input"


def add_encode_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate encode``."""
    parser.add_argument("files", metavar="IMAGE", nargs="+", help=IMAGES)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.lic|FOLDER",
        required=True,
        help="where to; a folder for several images, - for standard output",
    )
    parser.add_argument("--model", metavar="MODEL", help="name under models/ or path; the default if left out")
    parser.add_argument(
        "--patch", type=int, metavar="P", help="code squares of P x P pixels, a multiple of 64, as images of their own"
    )
    parser.add_argument(
        "--quality",
        type=int,
        metavar="N",
        help="the N-th of the models that differ from MODEL in their rate alone, 1 for the smallest files "
        "(licgate models lists them)",
    )
    parser.add_argument(
        "--accept-damaged", action="store_true", help="code pictures with missing data, too, as far as they can be read"
    )
    parser.add_argument("--verify", action="store_true", help="decode again, and give the PSNR")
    _add_common(parser)


def add_decode_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate decode``."""
    parser.add_argument(
        "files", metavar="FILE.lic", nargs="+", help="coded images, folders of them, - for standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="IMAGE|FOLDER",
        required=True,
        help="where to, the suffix gives the format; PNG in a folder, for several files; - for standard output",
    )
    parser.add_argument("--model", metavar="MODEL", help="name or path; the one under models/ that fits if left out")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="reference",
        help="what runs the transforms: numpy, simulated gateware, or a board (default: %(default)s)",
    )
    add_memory_argument(parser)
    add_port_arguments(parser)
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
    with released(args):
        return _encoded(args)


def run_decode(args: argparse.Namespace) -> int:
    """Body of ``licgate decode``: 0, or 2 when a file could not be decoded."""
    with released(args):
        return _decoded(args)


def _encoded(args: argparse.Namespace) -> int:
    work_list = pairs(args.files, args.output, SUFFIX, suffixes=SUFFIXES)
    for _, target in work_list:
        if target.suffix.lower() != SUFFIX and str(target) != STANDARD:
            raise ConfigError(f"-o {target}: coded images are called {SUFFIX}")
    manifest = find_model(args.model) if args.quality is None else model_of_quality(args.quality, args.model)
    codec = _codec(manifest, args, "both" if args.verify else "encoder")

    def work(source: Path, target: Path) -> dict:
        image, notices = load_image(source, accept_damaged=args.accept_damaged)
        for notice in notices:
            print(f"licgate: note: {notice}", file=sys.stderr)
        trace = Trace()
        data = codec.encode(image, patch=args.patch, trace=trace)
        write_out(target, data)
        height, width = image.shape[:2]
        entry = {
            **sizes(width, height, len(data)),
            "bpp-estimate": trace.ideal_bits / (width * height),
            "sections": trace.section_bytes,
            "model": codec.manifest.name,
            "engine": args.engine,
            "seconds": _seconds(trace),
        }
        if args.verify:
            entry.update(_distortion(image, codec.decode(data)))
        return entry

    return each(work_list, work, args.json)


def _decoded(args: argparse.Namespace) -> int:
    work_list = pairs(args.files, args.output, ".png", suffixes=(SUFFIX,))
    for _, target in work_list:
        if str(target) != STANDARD:
            check_image_name(target)
    named = _codec(find_model(args.model), args, "decoder") if args.model else None
    codecs: dict[str, Codec] = {}

    def work(source: Path, target: Path) -> dict:
        data = read_coded(source)
        header = read_header(data)
        codec = named or codecs.get(header.manifest)
        if codec is None:
            codec = codecs[header.manifest] = _codec(model_of(header), args, "decoder")
        trace = Trace()
        image = codec.decode(data, trace=trace)
        if str(target) == STANDARD:
            write_out(target, png_bytes(image))
        else:
            save_image(image, target)
        return {
            **sizes(header.width, header.height, len(data)),
            "sections": trace.section_bytes,
            "model": codec.manifest.name,
            "engine": args.engine,
            "seconds": _seconds(trace),
        }

    return each(work_list, work, args.json)


def _codec(manifest: Manifest, args: argparse.Namespace, mode: str) -> Codec:
    """The codec on the engine asked for; simulated gateware holds the transforms of a board's build in that mode."""
    check_port_arguments(args)
    if args.engine in ("reference", ENGINE):
        if args.memory != MEMORIES[0]:
            raise ConfigError(f"--memory {args.memory} goes with simulated gateware: give --engine cxxrtl as well")
        return Codec(manifest, threads=args.threads) if args.engine == "reference" else _on_board(manifest, args, mode)
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


def _on_board(manifest: Manifest, args: argparse.Namespace, mode: str) -> Codec:
    """The codec on a device."""
    from licgate.runtime.engines import DeviceRun
    from licgate.sim.progress import Bars

    parts = [name for name in manifest.transforms if name in MODES[mode] or name in ("context", "parameters")]
    run = DeviceRun(connect(args), manifest, parts, Bars(sys.stderr, "values", done="ran"))
    left = f"; {' and '.join(run.host)}: the reference's" if run.host else ""
    note(f"{', '.join(name for name in run.held if name in parts)} of {manifest.name} on the board{left}")
    return Codec(manifest, run=run)


def _seconds(trace: Trace) -> dict:
    return {key: round(value, 6) for key, value in trace.seconds.items()}


def _distortion(image, decoded) -> dict:
    """Return MSE and PSNR in dB, which is None where nothing is lost."""
    error = image.astype("int32") - decoded
    mse = float((error * error).mean())
    return {"mse": mse, "psnr": 10 * math.log10(255**2 / mse) if mse else None}
