"""Designs drawn at random: a model with hostile numbers, an array, an input, and where its memory is."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from licgate.manifest import Manifest, sealed
from licgate.manifest.synthetic import synthetic_manifest
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.axi import AxiTiming
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from tests.manifest.kit import chain

__all__ = ["MEMORIES", "Design", "draw"]

MEMORIES = ("chip", "sdram", "axi")
_FORMS = ("abs", "square_root", "relu")
_SIDES = (1, 2, 3, 5, 8, 9, 13, 21)
# Widths of activations, and the least of weights: with external memory, a word is a beat at least.
_WIDTHS = {
    "chip": ((2, 3, 4, 5, 6, 8, 8, 9, 10, 12, 16), 2),
    "sdram": ((8, 8, 9, 10, 12, 16), 4),
    "axi": ((8, 8, 9, 10, 12, 16), 8),
}
# Cycles of an array that is always busy: what simulators do in seconds.
_MOST_CYCLES = 5000
# To compile a design takes longer than to run it.
_INPUTS = 4


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Attributes
    ----------
    seed : int
    memory : str
        One of `MEMORIES`.
    manifest : Manifest
    transform : str
    config : AcceleratorConfig
    inputs : tuple of ndarray of int, shape (C, H, W)
        Of several sizes; in some, every value is at an end of its range.
    options : dict
        ``faults``, ``cores``, or ``timing`` of the bus.
    """

    seed: int
    memory: str
    manifest: Manifest
    transform: str
    config: AcceleratorConfig
    inputs: tuple[np.ndarray, ...]
    options: dict[str, Any]

    def __str__(self):
        transform = self.manifest.transforms[self.transform]
        layers = ", ".join(f"{layer.kind} {_shape(layer)} {layer.output.bits}b" for layer in transform.layers)
        inputs = [x.shape for x in self.inputs]
        return f"seed {self.seed}: {self.transform} of {layers}; inputs {inputs}; {self.config}; {self.options}"


def _shape(layer):
    if layer.kind == "gdn":
        return str(layer.channels)
    sign = "-" if layer.transposed else ""
    return f"{layer.in_channels}>{layer.out_channels} {layer.kernel}/{sign}{layer.stride}"


def draw(seed: int, memory: str, arithmetic: str | None = None) -> Design:
    """Draw a design, small enough to be simulated in seconds; with ``arithmetic``, the same one with that."""
    coin = random.Random(f"{memory} {seed}")
    name = coin.choice(("g_a", "h_a", "h_s", "g_s"))
    manifest = _manifest(coin, name, *_WIDTHS[memory])
    transform = manifest.transforms[name]
    config = _config(coin, memory, arithmetic)
    values = np.random.default_rng(seed)
    most = _MOST_CYCLES * config.multipliers
    inputs = tuple(_input(coin, values, transform, most) for _ in range(_INPUTS))
    options = {"faults": coin.randrange(1 << 32) if memory != "axi" and coin.random() < 0.3 else None}
    if memory == "sdram":
        options["cores"] = coin.choice((1, 1, 2))
    if memory == "axi":
        latencies = {name: coin.randrange(1, 60) for name in ("read_latency", "write_latency")}
        timing = AxiTiming(data_bits=coin.choice((32, 64)), **latencies, beats=1, per=coin.choice((1, 2)))
        options = {"timing": timing}
        beats = {"beat_bits": timing.data_bits, "page_beats": timing.page_beats}
        config = replace(config, **beats, burst_beats=None, weight_burst=None)
    return Design(seed, memory, manifest, name, config, inputs, options)


def _input(coin, values, transform, most):
    """Draw an input that takes at most so many multiply-accumulates, if it has more than a pixel."""
    size = [coin.choice(_SIDES) for _ in range(2)]
    while transform.macs(*size) > most and max(size) > 1:
        size = [max(1, side // 2) for side in size]
    low, high = transform.input.min, transform.input.max
    x = values.integers(low, high + 1, (transform.in_channels, *size))
    return np.where(values.random(x.shape) < 0.5, low, high) if coin.random() < 0.25 else x


def _manifest(coin, name, widths_in_bits, least):
    def bits():
        return coin.choice(widths_in_bits)

    count, small = coin.randint(1, 3), (1, 2, 3, 4, 5, 7, 8, 13)
    widths = [coin.choice(small) for _ in range(count)]
    seed = coin.randrange(1 << 30)
    if name == "g_a":
        return synthetic_manifest(
            channels=(3, *widths),
            activation_bits=[bits() for _ in range(count)],
            weight_bits=[coin.randint(least, 9) for _ in range(count)],
            gdn_bits=[coin.choice((8, 10, 11, 12)) for _ in range(count - 1)],
            gdn=[coin.choice(("abs", "square_root", "none")) for _ in range(count - 1)],
            kernel=[coin.choice((1, 3, 5, 7, 9)) for _ in range(count)],
            stride=[coin.choice((1, 2)) for _ in range(count)],
            seed=seed,
        )
    strides = {"h_a": (1, 2), "h_s": (1, -2), "g_s": (-2, -2, 1)}[name]
    layers = []
    for index, width in enumerate(widths):
        stride = coin.choice(strides)
        kernel = coin.choice((3, 5, 7)) if stride < 0 else coin.choice((1, 3, 5, 7, 9))
        layers.append((kernel, stride, width, "" if index == count - 1 else coin.choice(_FORMS)))
    channels = 5 if name in ("h_a", "g_s") else coin.choice(small)
    unsigned = name == "h_a" and coin.random() < 0.5
    made = chain(
        name,
        channels,
        *layers,
        # what follows g_a has its latents' type
        bits=[8, *(bits() for _ in range(count))],
        weight_bits=[coin.randint(least, 9) for _ in range(count)],
        gdn_bits=coin.choice((8, 10, 12)),
        absolute=unsigned,
        seed=seed,
    )
    base = synthetic_manifest(channels=(3, 4, 5), seed=2)
    return sealed(replace(base, transforms={**base.transforms, name: made}, hash=""))


def _config(coin, memory, arithmetic):
    # a word of rows fills a beat of the memory
    least = {"chip": 1, "sdram": 2, "axi": 8}[memory]
    rows = coin.randint(least, 10)
    cols = coin.randint({"chip": 1, "sdram": 4, "axi": 8}[memory], 10)
    shape = {
        "rows": rows,
        "cols": cols,
        "lanes": coin.choice((None, None, 1, coin.randint(1, rows))),
        "max_width": max(_SIDES),
        "packing": coin.random() < 0.25,
        "lane_multipliers": coin.choice(("dsp", "mixed", "fabric")),
    }
    if not shape["packing"]:
        shape["arithmetic"] = coin.choice(tuple(ARITHMETICS))
    if arithmetic is not None:
        shape |= {"packing": False, "arithmetic": arithmetic}
    outputs = ARITHMETICS[shape.get("arithmetic", "direct")].outputs
    if outputs > 1:
        # a row that makes quads is as much to compile as several
        shape["rows"] = max(least, -(-rows // 2))
        shape["lanes"] = shape["lanes"] and min(shape["lanes"], shape["rows"])
    fewest = (cols << shape["packing"]) * outputs
    if memory == "chip":
        slack = {
            "line_slack": coin.choice((0, 0, 1, 3)),
            "input_slack": coin.choice((0, 3)),
            "map_slack": coin.randint(0, 2),
        }
        words = coin.choice((None, fewest, fewest + coin.randrange(40)))
        return AcceleratorConfig(**shape, **slack, output_words=words)
    return StreamedConfig(
        **shape,
        block_rows=coin.choice((1, 2, 3, 4, 8)),
        band_groups=coin.choice((1, 2, 3, 4)),
        prefetch_words=coin.choice((None, 1, 2, 5)),
        output_words=coin.choice((None, 2 * fewest, 3 * fewest + coin.randrange(30))),
    )
