"""Seconds and memory of the codec, beside JPEG 2000 and the same network in torch: part of `make bench`."""

from __future__ import annotations

import argparse
import io
import json
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from licgate.codec import Codec
from licgate.codec.trace import Trace
from licgate.images import demo_image, load_image
from licgate.manifest import Manifest, find_model

if TYPE_CHECKING:
    from tests.bench.kit import Options

PHOTOGRAPH = (768, 512)
LARGE = (6000, 4000)


def picture(path: Path | None, size: tuple[int, int] | None) -> np.ndarray:
    """Return an image, uint8 of shape (H, W, 3), at `size` (width, height); the demo photograph without a path."""
    pixels = load_image(path)[0] if path else demo_image()
    if size and pixels.shape[1::-1] != size:
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return pixels


def seconds(work: Callable[[], object], repeat: int) -> float:
    """Return the median wall clock of `repeat` calls; one more goes before."""
    work()
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def stages(work: Callable[[Trace], object], repeat: int) -> dict:
    """Return the median seconds of the whole and of each stage."""
    traces: list[dict] = []

    def once() -> None:
        trace = Trace()
        work(trace)
        traces.append(trace.seconds)

    total = seconds(once, repeat)
    return {"total": total, **{name: statistics.median(t[name] for t in traces[1:]) for name in traces[0]}}


def measure_codec(manifest: Manifest, pixels: np.ndarray, threads: int, repeat: int) -> tuple[dict, bytes]:
    """Time the codec on one image."""
    codec = Codec(manifest, threads=threads)
    data = codec.encode(pixels)
    encode = stages(lambda trace: codec.encode(pixels, trace=trace), repeat)
    return {"encode": encode, "decode": stages(lambda trace: codec.decode(data, trace=trace), repeat)}, data


def measure_jpeg2000(pixels: np.ndarray, target: int, repeat: int) -> dict:
    """Time Pillow's OpenJPEG, lossy, at a size of `target` bytes."""
    image = Image.fromarray(pixels)

    def encode() -> bytes:
        out = io.BytesIO()
        image.save(out, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[pixels.nbytes / target])
        return out.getvalue()

    data = encode()
    return {
        "encode": seconds(encode, repeat),
        "bytes": len(data),
        "decode": seconds(lambda: Image.open(io.BytesIO(data), formats=["JPEG2000"]).load(), repeat),
    }


def measure_float(manifest: Manifest, pixels: np.ndarray, threads: int, repeat: int) -> dict | None:
    """Time the transforms of a float network of the same sizes in torch, without any entropy coder; None without torch.

    The weights are random, which costs as much as trained ones.
    """
    try:
        import torch

        from licgate.train.network.models import ModelConfig, build_model
    except ImportError:
        return None
    torch.set_num_threads(threads)
    config = ModelConfig(
        architecture=manifest.architecture, n=manifest.g_a.layers[0].out_channels, m=manifest.g_a.out_channels
    )
    model = build_model(config).eval().to(memory_format=torch.channels_last)
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    x = x.to(memory_format=torch.channels_last)
    with torch.no_grad():
        y = model.part("g_a")(x)
        z = model.part("h_a")(y.abs())

        def encode() -> None:
            latents = model.part("g_a")(x)
            model.part("h_s")(model.part("h_a")(latents.abs()).round())

        def decode() -> None:
            model.part("h_s")(z.round())
            model.part("g_s")(y.round())

        return {"encode": seconds(encode, repeat), "decode": seconds(decode, repeat)}


def peak_mib() -> float:
    """Return the most memory that this process ever had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # what getrusage says begins with the size of the process that started this one
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def run_once(args: argparse.Namespace) -> int:
    """Encode or decode in this process alone, and print what it took."""
    codec = Codec(find_model(args.model), threads=args.threads)
    width, height = args.size
    pixels = picture(args.image, args.size) if args.once == "encode" else None
    before, start = peak_mib(), time.perf_counter()
    if pixels is not None:
        args.file.write_bytes(codec.encode(pixels))
    elif codec.decode(args.file.read_bytes()).shape != (height, width, 3):
        raise SystemExit("the decoded image has another size")
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mib": peak_mib(), "before_mib": before}))
    return 0


def measure_memory(args: argparse.Namespace, size: tuple[int, int]) -> dict:
    """Run encoder and decoder in processes of their own."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for verb in ("encode", "decode"):
            command = [
                sys.executable,
                __file__,
                "--once",
                verb,
                "--size",
                f"{size[0]}x{size[1]}",
                "--file",
                str(Path(folder) / "image.lic"),
                "--threads",
                str(args.threads),
            ]
            command += ["--image", str(args.image)] if args.image else []
            command += ["--model", args.model] if args.model else []
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[verb] = json.loads(done.stdout)
    return found


def measure(args: argparse.Namespace) -> dict:
    """Measure everything and print it as it comes."""
    manifest = find_model(args.model)
    pixels = picture(args.image, args.size)
    height, width = pixels.shape[:2]
    print(f"{manifest.name}, {width} x {height}, median of {args.repeat}")
    found = {"model": manifest.name, "size": [width, height], "threads": {}}
    for threads in sorted({1, args.threads}):
        own, data = measure_codec(manifest, pixels, threads, args.repeat)
        own["float"] = measure_float(manifest, pixels, threads, args.repeat)
        found["threads"][str(threads)] = own
        for verb in ("encode", "decode"):
            print(
                f"{verb}, {threads} thread(s): {own[verb]['total']:.3f} s  ("
                + ", ".join(f"{name} {took:.3f}" for name, took in own[verb].items() if name != "total")
                + ")"
            )
    found["bytes"], found["bpp"] = len(data), 8 * len(data) / width / height
    found["jpeg2000"] = jpeg = measure_jpeg2000(pixels, len(data), args.repeat)
    print(f"{found['bytes']} bytes, {found['bpp']:.3f} bit a pixel; JPEG 2000: {jpeg['bytes']} bytes")
    found["ratios"] = ratios = {}
    for threads, own in found["threads"].items():
        for verb in ("encode", "decode"):
            total = own[verb]["total"]
            ratios[f"{verb}/jpeg2000, {threads} thread(s)"] = total / jpeg[verb]
            if own["float"]:
                ratios[f"{verb}/float, {threads} thread(s)"] = total / own["float"][verb]
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}")
    found["memory"] = {}
    for size in (args.size, *(() if args.small else (LARGE,))):
        found["memory"]["x".join(map(str, size))] = memory = measure_memory(args, size)
        for verb, one in memory.items():
            print(
                f"{verb} {size[0]} x {size[1]} alone: {one['seconds']:.2f} s, at most {one['peak_mib']:.0f} MiB "
                f"({one['before_mib']:.0f} MiB before it began)"
            )
    return found


def bench(options: Options) -> dict:
    """Run as one of the benches, on the demo photograph."""
    args = argparse.Namespace(
        image=None, size=PHOTOGRAPH, model=None, threads=2, small=options.quick, repeat=2 if options.quick else 5
    )
    found = measure(args)
    headline = {f"{verb}, 1 thread": f"{found['threads']['1'][verb]['total']:.3f} s" for verb in ("encode", "decode")}
    headline |= {name: round(ratio, 2) for name, ratio in found["ratios"].items()}
    configuration = {"image": "the demo photograph, resized", "repeat": args.repeat, "statistic": "median"}
    return {"headline": headline, "configuration": configuration, "seeds": [], "figures": found}


def main() -> int:
    """Run on the command line."""
    parser = argparse.ArgumentParser(prog="codec", description=__doc__)
    parser.add_argument("--image", type=Path, help="a picture instead of the demo photograph; it is resized")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=PHOTOGRAPH, metavar="WxH")
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=2, help="measured beside one thread (default: 2)")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--small", action="store_true", help=f"leave out the memory at {LARGE[0]} x {LARGE[1]}")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--once", choices=["encode", "decode"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        return run_once(args)
    found = measure(args)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
