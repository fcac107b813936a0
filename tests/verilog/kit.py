"""Small accelerators that are delivered, and the tools that run them."""

import functools
import subprocess

from licgate.manifest.synthetic import synthetic_manifest
from licgate.target.axi import AxiTiming
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from licgate.verilog.delivery import Delivery
from licgate.verilog.folder import write_folder
from licgate.verilog.package import package
from licgate.verilog.vectors import made_picture
from tests.sim.kit import tiny_codec

__all__ = ["PICTURE", "delivered", "delivery", "make"]

PICTURE = made_picture(24, 16)
CHIP = AcceleratorConfig(rows=2, cols=2, max_width=32)
BEATS = {"beat_bits": 32, "page_beats": 256, "burst_beats": 128, "weight_burst": 256, "address_bits": 29}
STREAMED = StreamedConfig(rows=6, cols=4, **BEATS)
TIMING = AxiTiming(data_bits=32, read_latency=20, write_latency=9)

#: Options of a Delivery, by a name.
_KINDS = {
    "encoder": {"config": CHIP, "mode": "encoder"},
    "decoder": {"config": AcceleratorConfig(rows=4, cols=3, max_width=32), "mode": "decoder"},
    "plain": {"config": CHIP, "plain": True},
    "fip": {"config": AcceleratorConfig(rows=2, cols=2, max_width=32, arithmetic="fip")},
    "ecp5": {"config": CHIP, "cells": "ecp5"},
    "ultrascale": {"config": CHIP, "cells": "ultrascale"},
    "memory-encoder": {"config": STREAMED, "mode": "encoder", "memory": "axi", "timing": TIMING},
    "memory-decoder": {"config": STREAMED, "mode": "decoder", "memory": "axi", "timing": TIMING},
}


def delivery(kind):
    """What is delivered under a name."""
    return Delivery(manifest=tiny_codec(), **_KINDS[kind])


def small_delivery(kind):
    """The same of one layer, for a simulator that takes long to compile."""
    manifest = synthetic_manifest(channels=(3, 4), kernel=3, gdn="none", seed=3)
    options = {"config": STREAMED, "memory": "axi", "timing": TIMING} if kind == "memory" else {"config": CHIP}
    return Delivery(manifest=manifest, **options)


@functools.cache
def _files(kind):
    made = small_delivery(kind) if kind in ("memory", "chip") else delivery(kind)
    return package(made, PICTURE, (24, 16), 100.0, lambda line: None)


def delivered(kind, folder):
    """A folder with what is delivered; Yosys runs once for each kind."""
    write_folder(folder, _files(kind))
    return folder


def make(folder, target, **variables):
    """Run a target of the folder's Makefile; exit status and what it said."""
    words = ["make", "-s", "-C", str(folder), target, *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
