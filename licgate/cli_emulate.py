"""The verb ``licgate emulate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from licgate.cli_build import add_link_arguments, add_shape_arguments, fitted_design, say
from licgate.errors import ConfigError

__all__ = ["add_emulate_arguments", "run_emulate"]


def add_emulate_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate emulate``."""
    add_shape_arguments(parser)
    add_link_arguments(parser)
    parser.add_argument(
        "--listen",
        metavar="tcp:HOST:PORT|pty|udp:HOST[:PORT]",
        help="where hosts find it; port 0 for any that is free (default: tcp:127.0.0.1:0, with --link udp "
        "udp:127.0.0.1:0)",
    )
    parser.add_argument(
        "--pins", action="store_true", help="bit by bit through the UART, at 4 cycles a bit, not byte by byte"
    )
    parser.add_argument("--out", type=Path, help="folder for device.json, which build writes beside the bitstream")


def run_emulate(args: argparse.Namespace) -> int:
    """Body of ``licgate emulate``: it serves until it is interrupted."""
    from licgate.backends import get_backend
    from licgate.sim.board import Emulation
    from licgate.sim.bridge import UdpBridge
    from licgate.sim.serve import make_listener, serve
    from licgate.synth.output import OutputFolder
    from licgate.target.board import find_board
    from licgate.target.build import DEVICE_FILE, remember

    board, backend = find_board(args.board), get_backend(args.memory)
    if args.memory == "axi" or not board.routed:
        raise ConfigError(
            f"board {board.name} with --memory {args.memory} has no host link to emulate: take a board with a "
            "bitstream (licgate boards), and --memory chip or sdram"
        )
    design = fitted_design(args, backend, board, must_fit=False)
    if design.link == "usb":
        raise ConfigError("--link usb is not emulated: leave it out for the same frames by TCP")
    backend.check_build(design, *args.size, synthesis_only=False)
    folder = OutputFolder(args.out) if args.out else None
    ethernet = design.ethernet
    listener = (
        UdpBridge(args.listen or "udp:127.0.0.1:0") if ethernet else make_listener(args.listen or "tcp:127.0.0.1:0")
    )
    say(f"{design.manifest.name} for {board.title}: {backend.told(design)}")
    say("compiling it, which takes a minute or more the first time")
    facts = design.facts
    try:
        with Emulation(backend.accelerator(design), facts, pins=args.pins, ethernet=ethernet).start() as emulated:
            if folder:
                folder.write(DEVICE_FILE, facts.text())
            remember(facts)
            listener.open()
            say(f"build {facts.name}, an emulated board at {listener.address} (Ctrl-C ends it)")
            if ethernet:
                listener.serve(emulated, ethernet, say)
            else:
                serve(emulated, listener, say)
    finally:
        listener.close()
    return 0
