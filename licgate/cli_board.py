"""The verbs ``licgate board`` and ``licgate load``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from licgate.cli_device import add_port_arguments, connect, found_ports
from licgate.errors import ConfigError, DeviceError, LicgateError
from licgate.files import check_writable, write_whole

__all__ = ["add_board_arguments", "add_load_arguments", "run_board", "run_load"]

ACTIONS = {
    "scan": "list the boards at USB ports, and what answers there",
    "info": "show what a device says of itself",
    "selftest": "test registers, values, counters and the line; exit code 1 if something is wrong",
    "benchmark": "measure how long transforms take, and how fast bytes come and go",
}

#: Exit code of a test that a device does not pass.
FAILED = 1


def add_board_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate board``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, told in ACTIONS.items():
        action = actions.add_parser(name, help=told, description=f"{told.capitalize()}.")
        add_port_arguments(action, engine=False)
        if name in ("selftest", "benchmark"):
            action.add_argument("--model", metavar="MODEL", help="that the device was built of (default: it is found)")
            action.add_argument("--report", type=Path, metavar="FILE", help="write the result as JSON, to send it in")
        else:
            action.add_argument("--json", action="store_true", help="as JSON")
        if name == "benchmark":
            action.add_argument("--image", metavar="FILE", help="picture for g_a; a demonstration one if left out")
            action.add_argument("--crop", metavar="WxH", help="use only the middle of the picture")
            action.add_argument("--runs", type=int, default=3, help="of each transform (default: %(default)s)")


def run_board(args: argparse.Namespace) -> int:
    """Body of ``licgate board``."""
    return {"scan": _scan, "info": _info, "selftest": _selftest, "benchmark": _benchmark}[args.action](args)


def _scan(args: argparse.Namespace) -> int:
    from licgate.runtime.connection import Connection
    from licgate.runtime.ports import BAUD

    if args.port:
        raise ConfigError("scan looks at every port: leave --port out, or ask licgate board info")
    rows = []
    for port in found_ports():
        row = {"port": port.address, "usb": "{:04x}:{:04x}".format(*port.usb), "title": port.title}
        try:
            with Connection(port.address, baud=args.baud or BAUD) as connection:
                row["device"] = _facts(connection)
        except LicgateError as error:
            row["error"] = str(error)
        rows.append(row)
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(f"{row['port']:24} {row['usb']}  {row['title']}")
        print(f"  {row['error'] if 'error' in row else _headline(row['device'])}")
    if not rows:
        print("no board is found at a USB port")
    return 0


def _info(args: argparse.Namespace) -> int:
    from licgate.sim.selftest import line_errors

    with connect(args) as connection:
        facts = _facts(connection) | {"line_errors": line_errors(connection)}
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(_headline(facts))
    known = facts["known"]
    shape = ", ".join(f"{name} {value}" for name, value in facts["shape"].items() if value)
    rows = {
        "port": facts["port"],
        "build": f"{facts['build']} ({_told(known)})",
        "transforms": ", ".join(facts["transforms"]),
        "shape": shape,
        "clock": f"{facts['clock_khz'] / 1e3:g} MHz",
        "link": f"version {facts['link']['version']}, {facts['link']['frames']} frames under way",
        "line": "{} bytes without a stop bit, {} not taken in time".format(*facts["line_errors"]),
    }
    for name, text in rows.items():
        print(f"  {name:11} {text}")
    return 0


def _selftest(args: argparse.Namespace) -> int:
    from licgate.sim.selftest import selftest

    if args.report:
        check_writable(args.report)
    with connect(args) as connection:
        print(_headline(_facts(connection)), flush=True)
        result = selftest(connection, _model(args, connection), _say_check)
    if args.report:
        write_whole(args.report, json.dumps(result, indent=2) + "\n")
    print(f"{'passed' if result['passed'] else 'FAILED'} ({result['seconds']:.1f} s)")
    return 0 if result["passed"] else FAILED


def _benchmark(args: argparse.Namespace) -> int:
    from licgate.sim.benchmark import benchmark

    if args.runs < 1:
        raise ConfigError(f"--runs {args.runs} makes no sense: give 1 or more")
    if args.report:
        check_writable(args.report)
    from licgate.cli_simulate import picture

    pixels = picture(args)
    with connect(args) as connection:
        print(_headline(_facts(connection)), flush=True)
        result = benchmark(connection, _model(args, connection), pixels, args.runs, _say_run)
    if args.report:
        write_whole(args.report, json.dumps(result, indent=2) + "\n")
    return 0


def _facts(connection) -> dict:
    from licgate.sim.selftest import identity_facts

    return identity_facts(connection)


def _headline(facts: dict) -> str:
    what = "emulated board" if facts["link"]["emulated"] else "board"
    known = facts["known"]
    of = f"{known['model']} for {known['board']}" if known else f"a model of hash {facts['model']}"
    shape = facts["shape"]
    return (
        f"{what}, {facts['kind']}: {', '.join(facts['transforms'])} of {of} on {shape['rows']} x {shape['cols']}, "
        f"{facts['clock_khz'] / 1e3:g} MHz"
    )


def _told(known: dict | None) -> str:
    return f"made here by licgate {known['licgate']}" if known else "not made on this machine"


def _model(args: argparse.Namespace, connection):
    """The manifest of a device: the one that is named, or the one whose hash it has."""
    from licgate.manifest import find_model, load_manifest
    from licgate.manifest.catalogue import model_folders

    if args.model is not None:
        return find_model(args.model)
    for folder in model_folders():
        try:
            manifest = load_manifest(folder)
        except LicgateError:
            continue
        if int(manifest.hash[:8], 16) == connection.identity.model:
            return manifest
    raise DeviceError(
        f"the device was built of a model of hash {connection.identity.model:08x}, which is none of those here: name "
        "its folder with --model"
    )


def _say_check(check) -> None:
    verdict = {True: "ok", False: "WRONG", None: "-"}[check.passed]
    print(f"  {check.name:14} {verdict:6} {check.told}", flush=True)


def _say_run(run: dict) -> None:
    width, height = run["size"]
    to, back = run["mb_per_s_to_device"], run["mb_per_s_from_device"]
    print(
        f"  {run['transform']:11} {width} x {height}: {run['seconds']:.3f} s, {to:.3f} MB/s to the device, {back:.3f} "
        f"MB/s from it; {run['cycles']} cycles, {run['seconds_of_cycles']:.4f} s at its clock, "
        f"{100 * run['waiting_for_host']:.0f} % of them waiting for the host",
        flush=True,
    )


def add_load_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``licgate load``."""
    parser.add_argument("board", metavar="BOARD", help="name (see: licgate boards) or path of a board file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the build (default: out/BOARD-MODEL)")


def run_load(args: argparse.Namespace) -> int:
    """Body of ``licgate load``."""
    from licgate.manifest.catalogue import default_model
    from licgate.synth.load import load
    from licgate.target.board import find_board

    board = find_board(args.board)
    folder = args.out or Path("out") / f"{board.name}-{default_model()}"
    load(board, folder)
    print(f"{folder / 'top.bit'} runs on {board.title}; ask it: licgate board info")
    return 0
