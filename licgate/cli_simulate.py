"""The verb ``licgate simulate``."""

import json
import sys
import time
from argparse import ArgumentTypeError
from functools import partial
from pathlib import Path

from licgate.backends import get_backend
from licgate.backends.base import values_line, verdict
from licgate.backends.options import add_memory_arguments, add_shape_arguments
from licgate.cli_device import ENGINE, add_port_arguments, check_port_arguments, connect
from licgate.errors import ConfigError
from licgate.files import check_writable, write_whole
from licgate.images import demo_image, load_image
from licgate.manifest import find_model
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.sim.boards import board_gateware
from licgate.sim.chain import simulate_codec, summed, transform_input
from licgate.sim.engine import engine_names
from licgate.sim.progress import Bars
from licgate.sim.simulate import compare, described

__all__ = ["add_simulate_arguments", "picture", "run_simulate"]


def add_simulate_arguments(parser):
    """Add the options of ``licgate simulate``."""
    parser.add_argument("--model", metavar="MODEL", help="name under models/ or path; the default if left out")
    parser.add_argument(
        "--transform",
        metavar="NAME[,NAME]",
        default="g_a",
        type=_transforms,
        help=f"what to run, of {', '.join(TRANSFORM_NAMES)}, on what it reads when the picture is coded; several on "
        "one accelerator; all: one after the other, each on what those before it gave (default: g_a)",
    )
    parser.add_argument("--image", metavar="FILE", help="picture; a demonstration photograph if left out")
    parser.add_argument("--crop", metavar="WxH", help="use only the middle of the picture")
    parser.add_argument(
        "--engine",
        choices=(*engine_names(), ENGINE),
        default="cxxrtl",
        help="what is simulated, and how: the design as compiled C++, by CXXRTL or by Verilator, or in Amaranth's "
        "simulator, or its netlist for an ECP5 as it goes into nextpnr or comes back placed and routed; board: a "
        "device runs it instead (default: %(default)s)",
    )
    add_shape_arguments(parser)
    parser.add_argument(
        "--patch", type=int, help="side of square patches in pixels (default: strips as wide as the line buffers)"
    )
    parser.add_argument("--independent", action="store_true", help="patches are images of their own, without a margin")
    parser.add_argument(
        "--overlap", type=int, default=0, help="pixels that independent patches share (default: %(default)s)"
    )
    parser.add_argument(
        "--faults",
        type=int,
        metavar="SEED",
        help="a host, or with --memory sdram a memory, that gives and takes when it likes, at random: it costs cycles "
        "and must not change a value",
    )
    parser.add_argument(
        "--random",
        type=int,
        metavar="SEED",
        help="what hardware leaves open, at random: first values of registers without a reset and of memories without "
        "contents, and words that are read in the cycle of their write; it must not change a value, nor a cycle "
        "(netlist and routed: always, 1 if left out)",
    )
    add_memory_arguments(parser)
    add_port_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")


def _transforms(text):
    """Names with commas between them, for argparse."""
    names = tuple(text.split(","))
    for name in names:
        if name not in TRANSFORM_NAMES and text != "all":
            raise ArgumentTypeError(f"invalid choice: {name!r} (choose from {', '.join((*TRANSFORM_NAMES, 'all'))})")
    return names


def run_simulate(args):
    """Body of ``licgate simulate``: 0 when every value is equal (and every cycle as predicted), 1 when not."""
    check_port_arguments(args)
    backend, patched = get_backend(args.memory), args.patch is not None or args.independent or args.overlap
    if patched and not backend.patches:
        raise ConfigError(
            f"--memory {args.memory} goes without --patch, --independent and --overlap: it takes images of any size"
        )
    if patched and args.transform != ("g_a",):
        raise ConfigError("--patch, --independent and --overlap go with --transform g_a only")
    manifest = find_model(args.model)
    if args.json:
        check_writable(Path(args.json))
    pixels, started = picture(args), time.monotonic()
    result = _simulated(args, backend, manifest, pixels)
    if args.json:
        write_whole(Path(args.json), json.dumps(result, indent=2) + "\n")
    lines = _board_lines if args.engine == ENGINE else backend.lines
    lines = _table(result) if "runs" in result else lines(result)
    print("\n".join(lines) + f" ({args.engine}, {time.monotonic() - started:.0f} s)")
    return 0 if all(_as_expected(run) for run in result.get("runs", [result])) else 1


def _simulated(args, backend, manifest, pixels):
    if args.engine == ENGINE:
        for option in ("faults", "random"):
            if getattr(args, option) is not None:
                raise ConfigError(f"--{option} goes with simulated gateware, not with --engine {ENGINE}")
        with connect(args) as connection:
            make = partial(board_gateware, connection, manifest)
            return _carried_out(args, make, manifest, pixels, Bars(sys.stderr, "values", done="ran"))
    make, bars = partial(backend.simulate, args, manifest), Bars(sys.stderr, backend.counts)
    return _carried_out(args, make, manifest, pixels, bars)


def _carried_out(args, make, manifest, pixels, bars):
    """The result of what is asked for, on what ``make`` makes."""
    if args.transform == ("all",):
        return simulate_codec(manifest, make, pixels, progress=bars)
    inputs = [transform_input(manifest, name, pixels) for name in args.transform]
    gateware, runs = make(args.transform), []
    options = {"patch": args.patch, "independent": args.independent, "overlap": args.overlap}
    for name, x in zip(args.transform, inputs, strict=True):
        runs.append(compare(gateware, name, x, **options, progress=partial(bars, name))[0])
    if len(runs) == 1:
        return described(runs[0], gateware, manifest)
    return described(summed(runs, gateware, ",".join(args.transform), pixels), gateware, manifest)


def _as_expected(result):
    late = result.get("faults") is not None
    return result["bit_exact"] and (late or result.get("cycles_predicted") == result.get("cycles_of_cores"))


def _board_lines(result):
    """What a device gave, for a person."""
    work = (
        f"{result['cycles']} cycles, waiting for the host included, {result['macs']} multiply-accumulates on "
        f"{result['multipliers']} multipliers"
    )
    return [values_line(result), work]


def picture(args):
    """Pixels of the picture that is asked for."""
    pixels, notices = (demo_image(), []) if args.image is None else load_image(args.image)
    for notice in notices:
        print(f"licgate: note: {notice}", file=sys.stderr)
    return _crop(pixels, args.crop) if args.crop else pixels


def _table(result):
    """Several transforms, for a person."""
    lines = [f"{'transform':<12}{'input':>12}{'values':>12}{'cycles':>14}{'utilization':>13}  verdict"]
    for run in result["runs"]:
        size = "x".join(map(str, run["image"]))
        share = f"{100 * run['utilization']:.1f} %"
        lines.append(
            f"{run['transform']:<12}{size:>12}{run['values']:>12}{run['cycles']:>14}{share:>13}  {verdict(run)}"
        )
    if result["host"]:
        lines.append(f"{' and '.join(result['host'])}: the host's, not simulated")
    width, height = result["image"]
    lines.append(f"{width}x{height} pixels, {result['values']} values: {verdict(result)}")
    lines.append(
        f"{result['cycles']} cycles, {result['macs']} multiply-accumulates on {result['multipliers']} multipliers: "
        f"utilization {100 * result['utilization']:.1f} %"
    )
    return lines


def _crop(pixels, text):
    try:
        width, height = (int(v) for v in text.lower().split("x"))
    except ValueError:
        raise ConfigError(f"--crop {text!r} is not of the form WxH, such as 64x48") from None
    if not (1 <= width <= pixels.shape[1] and 1 <= height <= pixels.shape[0]):
        raise ConfigError(f"--crop {text} does not fit into a picture of {pixels.shape[1]}x{pixels.shape[0]}")
    x, y = (pixels.shape[1] - width) // 2, (pixels.shape[0] - height) // 2
    return pixels[y : y + height, x : x + width]
