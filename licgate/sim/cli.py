"""The verb ``licgate simulate``."""

import json
import os
import sys
import time
from pathlib import Path

from licgate.errors import ConfigError
from licgate.files import write_whole
from licgate.gateware.streamed.options import add_memory_arguments, axi_timing, memory_config
from licgate.images import demo_image, load_image
from licgate.manifest import find_model
from licgate.manifest.transform import TRANSFORM_NAMES
from licgate.sim.chain import simulate_codec, transform_input
from licgate.sim.engine import engine_names
from licgate.sim.simulate import simulate
from licgate.target.config import AcceleratorConfig

__all__ = ["add_simulate_arguments", "run_simulate"]


def add_simulate_arguments(parser):
    """Add the options of ``licgate simulate``."""
    default = AcceleratorConfig()
    parser.add_argument("--model", metavar="MODEL", help="name under models/ or path; the default if left out")
    parser.add_argument(
        "--transform",
        choices=(*TRANSFORM_NAMES, "all"),
        default="g_a",
        help="what to run, on what it reads when the picture is coded; all: one after the other (default: %(default)s)",
    )
    parser.add_argument("--image", metavar="FILE", help="picture; a demonstration photograph if left out")
    parser.add_argument("--crop", metavar="WxH", help="use only the middle of the picture")
    parser.add_argument("--engine", choices=engine_names(), default="cxxrtl", help="simulator (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=default.rows, help="array rows (default: %(default)s)")
    parser.add_argument("--cols", type=int, default=default.cols, help="array columns (default: %(default)s)")
    parser.add_argument("--lanes", type=int, help="post-processing lanes (default: the fewest that suffice)")
    parser.add_argument(
        "--max-width", type=int, default=default.max_width, help="pixels the line buffers hold (default: %(default)s)"
    )
    parser.add_argument(
        "--packing",
        type=int,
        choices=(18, 27),
        metavar="BITS",
        help="two products a multiplier where a layer's widths allow it, for multipliers of BITS bits: 18 (ECP5) or 27 "
        "(UltraScale+)",
    )
    parser.add_argument(
        "--patch", type=int, help="side of square patches in pixels (default: strips as wide as the line buffers)"
    )
    parser.add_argument("--independent", action="store_true", help="patches are images of their own, without a halo")
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
    add_memory_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON")


def run_simulate(args):
    """Body of ``licgate simulate``: 0 when every value is equal, 1 when not."""
    packing = {"packing": True, "packed_bits": args.packing} if args.packing else {}
    config = AcceleratorConfig(rows=args.rows, cols=args.cols, lanes=args.lanes, max_width=args.max_width, **packing)
    manifest = find_model(args.model)
    if args.json:
        _check_writable(Path(args.json))
    if args.image is None:
        pixels, notices = demo_image(), []
    else:
        pixels, notices = load_image(args.image)
    for notice in notices:
        print(f"licgate: note: {notice}", file=sys.stderr)
    if args.crop:
        pixels = _crop(pixels, args.crop)
    started = time.monotonic()
    if args.memory != "chip":
        return _run_external(manifest, pixels, args, started, packing)
    result = _simulate(manifest, config, pixels, args)
    if args.json:
        write_whole(Path(args.json), json.dumps(result, indent=2) + "\n")
    print("\n".join(_report(result, args)) + f" ({args.engine}, {time.monotonic() - started:.0f} s)")
    return 0 if result["bit_exact"] else 1


def _run_external(manifest, pixels, args, started, packing):
    """A transform with external memory."""
    if args.transform == "all" or args.patch is not None or args.independent or args.overlap:
        raise ConfigError(
            f"--memory {args.memory} goes with one --transform, without --patch, --independent and --overlap"
        )
    if args.engine != "cxxrtl":
        raise ConfigError(f"--memory {args.memory} goes with the engine cxxrtl, not {args.engine}")
    config, x = memory_config(args, **packing), transform_input(manifest, args.transform, pixels)
    options = {"transform": args.transform, "progress": Progress(sys.stderr, "cycles")}
    if args.memory == "axi":
        from licgate.sim.axi import simulate_axi

        if args.cores != 1 or args.faults is not None:
            raise ConfigError("--memory axi goes with one of --cores, which have nothing in common, and no --faults")
        result = simulate_axi(manifest, config, x, axi_timing(args), **options)
    else:
        from licgate.sim.external import simulate_external

        result = simulate_external(manifest, config, x, cores=args.cores, faults=args.faults, **options)
    if args.json:
        write_whole(Path(args.json), json.dumps(result, indent=2) + "\n")
    exact = result["cycles_of_cores"] == result["cycles_predicted"]
    told = "as predicted" if exact else f"predicted: {result['cycles_predicted']}"
    if args.faults is not None:
        told = f"memory late at random, seed {args.faults}; without: {max(result['cycles_predicted'])}"
    print(_values_line(result, args.transform))
    print(
        f"{result['cycles']} cycles ({told}), "
        f"{result['macs']} multiply-accumulates on {result['multipliers']} multipliers of {result['cores']} "
        f"core{'s' * (result['cores'] > 1)}: utilization {100 * result['utilization']:.1f} %, recompute factor "
        f"{result['recompute_factor']:.3f}"
    )
    print(f"{_memory_line(result)} ({args.engine}, {time.monotonic() - started:.0f} s)")
    return 0 if result["bit_exact"] and (exact or args.faults is not None) else 1


def _memory_line(result):
    moved, cycles = sum(sum(of_core.values()) for of_core in result["bytes"]), result["cycles"]
    if result["memory"] == "axi":
        axi = result["axi"]
        return (
            f"AXI4: {moved} bytes, {100 * axi['read_beats'] / cycles:.1f} % of the cycles a beat read and "
            f"{100 * axi['write_beats'] / cycles:.1f} % one written, {axi['reads'] + axi['writes']} bursts"
        )
    return (
        f"SDRAM: {moved} bytes, {100 * moved / 2 / cycles:.1f} % of the cycles a beat, "
        f"{result['chip']['misses']} rows changed, {result['chip']['refreshes']} refreshes"
    )


def _simulate(manifest, config, pixels, args):
    if args.transform != "g_a" and (args.patch is not None or args.independent or args.overlap):
        raise ConfigError("--patch, --independent and --overlap go with --transform g_a only")
    if args.transform == "all":
        shown = {}

        def progress(name, done, total):
            shown.setdefault(name, Progress(sys.stderr, f"values of {name}"))(done, total)

        return simulate_codec(manifest, config, pixels, engine=args.engine, faults=args.faults, progress=progress)
    return simulate(
        manifest,
        config,
        transform_input(manifest, args.transform, pixels),
        transform=args.transform,
        engine=args.engine,
        patch=args.patch,
        independent=args.independent,
        overlap=args.overlap,
        faults=args.faults,
        progress=Progress(sys.stderr, _values_of(args.transform)),
    )


def _values_of(name):
    return "latents" if name == "g_a" else f"values of {name}"


def _values_line(result, name):
    width, height = result["image"]
    place = "pixels" if name == "g_a" else "positions"
    return f"{width}x{height} {place}, {result['values']} {_values_of(name)}: {_verdict(result)}"


def _report(result, args):
    """Lines for a person."""
    work = (
        f"{result['cycles']} cycles, {result['macs']} multiply-accumulates on {result['multipliers']} multipliers: "
        f"utilization {100 * result['utilization']:.1f} %"
    )
    if args.transform != "all":
        lines = [_values_line(result, args.transform)]
        if result["faults"] is not None:
            counters = result["counters"]
            lines.append(
                f"host late at random (seed {result['faults']}): {counters['stall_input']} cycles waiting for what it "
                f"sends, {counters['stall_output']} for it to take"
            )
        return [*lines, f"{work}, recompute factor {result['recompute_factor']:.3f}"]
    lines = [f"{'transform':<12}{'input':>12}{'values':>12}{'cycles':>14}{'utilization':>13}  verdict"]
    for run in result["runs"]:
        size = "x".join(map(str, run["image"]))
        share = f"{100 * run['utilization']:.1f} %"
        lines.append(
            f"{run['transform']:<12}{size:>12}{run['values']:>12}{run['cycles']:>14}{share:>13}  {_verdict(run)}"
        )
    if result["host"]:
        lines.append(f"{' and '.join(result['host'])}: the host's, not simulated")
    width, height = result["image"]
    return [*lines, f"{width}x{height} pixels, {result['values']} values: {_verdict(result)}", work]


def _verdict(result):
    return "bit-exact" if result["bit_exact"] else f"{result['mismatches']} MISMATCHES"


class Progress:
    """A line of progress: overwritten on a terminal, now and then a line of its own elsewhere."""

    def __init__(self, stream, what="latents", every=20.0):
        self._stream, self._what, self._every = stream, what, every
        self._shown = time.monotonic()

    def __call__(self, done, total):
        text = f"simulated {done} of {total} {self._what} ({100 * done // max(1, total)} %)"
        if self._stream.isatty():
            print(f"\r{text}", end="\n" if done >= total else "", file=self._stream, flush=True)
        elif time.monotonic() - self._shown > self._every:
            self._shown = time.monotonic()
            print(text, file=self._stream, flush=True)


def _crop(pixels, text):
    try:
        width, height = (int(v) for v in text.lower().split("x"))
    except ValueError:
        raise ConfigError(f"--crop {text!r} is not of the form WxH, such as 64x48") from None
    if not (1 <= width <= pixels.shape[1] and 1 <= height <= pixels.shape[0]):
        raise ConfigError(f"--crop {text} does not fit into a picture of {pixels.shape[1]}x{pixels.shape[0]}")
    x, y = (pixels.shape[1] - width) // 2, (pixels.shape[0] - height) // 2
    return pixels[y : y + height, x : x + width]


def _check_writable(path):
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
        raise ConfigError(f"cannot write {path}: its folder is missing or read-only, or it is a folder")
