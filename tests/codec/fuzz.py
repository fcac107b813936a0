"""Thousands of damaged files, each of which must be refused in one line or give the right picture.

    python -m tests.codec.fuzz --cases 10000 --seed 1

Four kinds in turn: files damaged as they are; files whose CRCs a forger has made fit again, so that what lies behind
them is reached; files that are coded well, with symbols beyond reason; and random files. The second and the third may
give a wrong picture, of the size that their header asks for.
"""

import argparse
import json
import re
import signal
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from licgate.codec import Codec
from licgate.errors import StreamError
from licgate.images import MAX_PIXELS
from licgate.manifest import find_model
from licgate.manifest.architectures import ARCHITECTURES
from tests.codec import damage
from tests.codec.kit import model, picture

KINDS = ("plain", "forged", "wild", "random")

SECONDS = 20
"""No case may take longer."""


def allowed(data):
    """Return the most bytes that decoding may take: some a pixel that the header asks for, many a byte of the file."""
    pixels = 0
    if len(data) >= damage.HEADER:
        header = damage.header_of(data)
        pixels = header.width * header.height
    return (32 << 20) + 40 * len(data) + (4 * pixels if pixels <= MAX_PIXELS else 0)


@dataclass
class Base:
    """A file that is whole, and its picture."""

    codec: Codec
    data: bytes
    pixels: np.ndarray


@dataclass
class Tally:
    """How the cases went."""

    counts: Counter = field(default_factory=Counter)
    lines: Counter = field(default_factory=Counter)
    failures: list = field(default_factory=list)
    seconds: float = 0.0
    peak: int = 0

    def report(self):
        return {
            "cases": sum(self.counts.values()),
            **dict(sorted(self.counts.items())),
            "failures": self.failures,
            "longest-seconds": round(self.seconds, 3),
            "largest-peak-bytes": self.peak,
            "refusals": dict(self.lines.most_common()),
        }


def bases(*, default=True):
    """Return files of every architecture, with few and with many escapes, whole and in patches."""
    pairs = [
        (model(name, reach=reach, z_reach=z_reach), patch)
        for name in sorted(ARCHITECTURES)
        for reach, z_reach, patch in [(40, 31, None), (2, 0, 64), (0, 2, None)]
    ]
    if default:
        pairs += [(find_model(None), None), (find_model(None), 64)]
    found = []
    for seed, (manifest, patch) in enumerate(pairs):
        codec = Codec(manifest)
        data = codec.encode(picture(70 + seed, 40 + 5 * seed, seed=seed), patch=patch)
        found.append(Base(codec, data, codec.decode(data)))
    return found


def case(kind, seed, files):
    """Return (base, data) of one case; the same for the same seed, whatever was run before."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    base, other = (files[i] for i in random.integers(len(files), size=2))
    if kind == "random":
        return base, damage.noise(random, base.data)
    if kind == "wild":
        return base, damage.wild(random, base.codec, base.data)
    changes = damage.PLAIN if kind == "plain" else damage.FORGED
    data = changes[random.integers(len(changes))](random, base.data, other.data)
    return base, damage.repaired(data) if kind == "forged" else data


def try_case(kind, seed, files, tally):
    """Decode one case, and note what comes of it."""
    base, data = case(kind, seed, files)
    tracemalloc.reset_peak()
    before, started = tracemalloc.get_traced_memory()[0], time.perf_counter()
    outcome, fault = "refused", None
    try:
        pixels = base.codec.decode(data)
        if data == base.data:
            outcome = "unharmed"
            fault = None if np.array_equal(pixels, base.pixels) else "the picture is another"
        elif kind in ("forged", "wild"):
            header, outcome = damage.header_of(data), "decoded"
            if pixels.dtype != np.uint8 or pixels.shape != (header.height, header.width, 3):
                fault = f"a picture of shape {pixels.shape}"
        else:
            fault = "damaged, and not noticed"
    except StreamError as error:
        text = str(error)
        if "\n" in text or not text or len(text) > 250:
            fault = f"not one line: {text!r}"
        tally.lines[summary(text)] += 1
    except BaseException as error:  # a panic in the entropy coder is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        fault = f"{type(error).__name__}: {error}"
    seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1] - before
    if fault is None and tracemalloc.is_tracing() and peak > allowed(data):
        fault = f"took {peak} bytes, {allowed(data)} are allowed"
    tally.counts[f"{kind}-{outcome}"] += 1
    tally.seconds, tally.peak = max(tally.seconds, seconds), max(tally.peak, peak)
    if fault:
        tally.failures.append(f"{kind} {seed}: {fault}")


def summary(text):
    """Return a message without its numbers."""
    text = re.sub(r"(begins with).*", r"\1", text)
    return re.sub(r"\S*\d\S*", "#", re.sub(r" of patch \d+", "", text))[:60]


def run(kinds, files, *, seed=0, progress=None):
    """Run so many cases of each kind; `kinds` is a dict of kind to number."""
    tally, done = Tally(), 0
    for kind, count in kinds.items():
        for number in range(count):
            try_case(kind, seed * 1_000_000 + number, files, tally)
            done += 1
            if progress:
                progress(done, tally)
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10000, help="damaged files, and as many forged ones (%(default)s)")
    parser.add_argument("--random", type=int, default=1000, help="random files, and as many wild ones (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    def alarm(number, frame):
        raise TimeoutError(f"more than {SECONDS} seconds")

    def progress(done, tally):
        signal.alarm(SECONDS)
        if done % 500 == 0:
            print(f"{done} done, {len(tally.failures)} failures", file=sys.stderr, flush=True)

    files = bases()
    signal.signal(signal.SIGALRM, alarm)
    tracemalloc.start(1)
    started = time.perf_counter()
    kinds = dict.fromkeys(KINDS[:2], args.cases) | dict.fromkeys(KINDS[2:], args.random)
    tally = run(kinds, files, seed=args.seed, progress=progress)
    signal.alarm(0)
    report = {"seed": args.seed, "seconds": round(time.perf_counter() - started, 1), **tally.report()}
    print(json.dumps(report, indent=1))
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
