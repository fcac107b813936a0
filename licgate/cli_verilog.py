"""The verb ``licgate verilog``."""

from __future__ import annotations

import argparse
from pathlib import Path

from licgate.backends import get_backend
from licgate.backends.options import (
    add_channels_argument,
    add_memory_arguments,
    add_mode_arguments,
    add_shape_arguments,
    axi_timing,
    size_of,
)
from licgate.errors import ConfigError
from licgate.manifest import find_model
from licgate.manifest.scaled import scaled_manifest
from licgate.verilog.delivery import CELLS, Delivery
from licgate.verilog.folder import check_folder, write_folder
from licgate.verilog.package import MARK, package
from licgate.verilog.vectors import made_picture

__all__ = ["add_verilog_arguments", "run_verilog"]


def add_verilog_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate verilog``."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder, which must not be there yet")
    parser.add_argument("--force", action="store_true", help="replace the accelerator that DIR holds")
    parser.add_argument("--model", help="name under models/, or a path (default: the default model)")
    add_channels_argument(parser, "of a made-up model: the layers of --model with N and M channels, not trained")
    add_mode_arguments(parser)
    parser.add_argument(
        "--bus",
        choices=("axi-stream", "stream"),
        default="axi-stream",
        help="streams and registers of AXI, or plain ones with valid and ready (default: %(default)s)",
    )
    parser.add_argument(
        "--cells",
        choices=tuple(CELLS),
        default="generic",
        help="what multipliers and adders are: plain Verilog, or cells of a family (default: %(default)s)",
    )
    add_shape_arguments(parser)
    parser.add_argument(
        "--vectors",
        type=size_of,
        default=(64, 64),
        metavar="WxH",
        help="picture of the golden vectors, which is drawn (default: 64x64)",
    )
    parser.add_argument("--clock", type=float, default=100.0, metavar="MHZ", help="clock assumed (default: 100)")
    add_memory_arguments(parser)


def run_verilog(args: argparse.Namespace) -> int:
    """Body of ``licgate verilog``."""
    if not 1 <= args.clock <= 1000:
        raise ConfigError(f"a clock of {args.clock:g} MHz makes no sense: give --clock from 1 to 1000")
    if args.cores != 1:
        raise ConfigError(f"a module has one core: leave out --cores {args.cores}, and instantiate it as often")
    manifest = find_model(args.model)
    if args.channels is not None:
        manifest = scaled_manifest(manifest, *args.channels)
    delivery = Delivery(
        manifest=manifest,
        config=get_backend(args.memory).config(args),
        mode=args.mode,
        memory=args.memory,
        plain=args.bus == "stream",
        cells=args.cells,
        timing=axi_timing(args),
    )
    check_folder(args.out, MARK, force=args.force)
    files = package(delivery, made_picture(*args.vectors), args.size, args.clock, lambda line: print(line, flush=True))
    write_folder(args.out, files)
    print(f"Verilog: {args.out / 'licgate.v'}, testbench: make -C {args.out} icarus")
    return 0
