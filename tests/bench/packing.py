"""Two products a multiplier: what weights of 4 and 5 bits gain on an ECP5, of 8 bits on UltraScale+, and what it costs.

Synthetic models of the default model's channels, against their twin of 8-bit weights on the same array without packing.
"""

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Fragment, Value

from licgate.gateware.engine.array import SystolicArray
from licgate.manifest.synthetic import synthetic_manifest
from licgate.perf import predict
from licgate.sim.simulate import simulate
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from tests.bench.kit import Options, cells_of

CHANNELS, SIZE, SEED = (3, 36, 36, 36, 96), (768, 512), 0
ROWS, COLS = 16, 6
#: bits of weights and of the multiplier's wide operand
CASES = [(5, 18), (4, 18), (8, 27)]
#: what is simulated, to the bit: small, since all of it is
SIMULATED = {"channels": (3, 8, 8), "size": (16, 8), "rows": 2, "cols": 2}
ELEMENT = {"a_width": 9, "w_width": 8, "acc_width": 25}
PACKED = {"w_width": 18, "pack_shift": 13, "high_width": 22}
GOAL = 1.9


def bench(options: Options) -> dict:
    """Count cycles of layers and of whole transforms, simulate small ones, synthesise the array both ways."""
    figures = {"predicted": [], "simulated": [], "elements": {}}
    for gdn in ("abs", "none"):
        plain = predicted(gdn, 8, None)
        for weight_bits, packed_bits in CASES:
            figures["predicted"].append(compared(plain, predicted(gdn, weight_bits, packed_bits), gdn, weight_bits))
    plain = simulated(8, None)
    for weight_bits, packed_bits in CASES:
        row = simulated(weight_bits, packed_bits)
        figures["simulated"].append({"weight_bits": weight_bits, "speedup": plain["cycles"] / row["cycles"], **row})
        options.say(f"weights of {weight_bits} bits: simulated, {row['difference']} cycles from the model")
    if not options.quick:
        figures["elements"] = {name: elements(options, **more) for name, more in (("plain", {}), ("packed", PACKED))}
    layers = [row["slowest packed layer"] for row in figures["predicted"] if row["weight_bits"] < 8]
    headline = {
        "packed layer of 4 or 5 bits over 8 bits, speed at least": round(min(layers), 4),
        "goal": GOAL,
        "whole transform, simulated, at least": round(min(row["speedup"] for row in figures["simulated"]), 4),
        "largest difference to the model, cycles": max(row["difference"] for row in figures["simulated"]),
        "values that differ": sum(row["mismatches"] for row in figures["simulated"]),
    }
    if figures["elements"]:
        headline["LUT an element, plain and packed"] = [figures["elements"][k]["lut"] for k in ("plain", "packed")]
    return {
        "headline": headline,
        "configuration": {
            "channels": CHANNELS,
            "image": SIZE,
            "array": [ROWS, COLS],
            "simulated": SIMULATED,
            "elements": {"plain": ELEMENT, "packed": ELEMENT | PACKED},
        },
        "seeds": [SEED],
        "figures": figures,
    }


def predicted(gdn: str, weight_bits: int, packed_bits: int | None):
    """Prediction for the default model's channels."""
    manifest = synthetic_manifest(channels=CHANNELS, weight_bits=weight_bits, gdn=gdn, seed=SEED)
    return predict(manifest, config(ROWS, COLS, packed_bits, max_width=SIZE[0]), *SIZE)


def config(rows: int, cols: int, packed_bits: int | None, **more) -> AcceleratorConfig:
    """An array, packed where the bits of a multiplier are given."""
    return AcceleratorConfig(
        rows=rows, cols=cols, packing=packed_bits is not None, packed_bits=packed_bits or 18, **more
    )


def compared(plain, packed, gdn: str, weight_bits: int) -> dict:
    """Cycles of the layers and of the whole, side by side."""
    layers = [
        {
            "name": new["name"],
            "products": new["products"],
            "cycles": [old["cycles"], new["cycles"]],
            "speedup": old["cycles"] / new["cycles"],
        }
        for old, new in zip(plain.layers, packed.layers, strict=True)
    ]
    return {
        "gdn": gdn,
        "weight_bits": weight_bits,
        "cycles": [plain.cycles, packed.cycles],
        "speedup": plain.cycles / packed.cycles,
        "layers": layers,
        "slowest packed layer": min(layer["speedup"] for layer in layers if layer["products"] == 2),
    }


def simulated(weight_bits: int, packed_bits: int | None) -> dict:
    """Simulate a small model and hold it against reference and cycle model."""
    width, height = SIMULATED["size"]
    manifest = synthetic_manifest(channels=SIMULATED["channels"], weight_bits=weight_bits, gdn="none", seed=SEED)
    array = config(SIMULATED["rows"], SIMULATED["cols"], packed_bits, max_width=width)
    image = np.random.default_rng(SEED).integers(0, 256, (3, height, width))
    result = simulate(manifest, array, image, engine="amaranth")
    difference = abs(result["cycles"] - predict(manifest, array, width, height).cycles)
    return {"cycles": result["cycles"], "difference": difference, "mismatches": result["mismatches"]}


def elements(options: Options, **more) -> dict:
    """Cells of an element, of an array of 8 x 12 for the board."""
    platform = find_board(options.board).make_platform()
    array = SystolicArray(8, 12, **ELEMENT | more)
    ports = [Value.cast(member) for _, _, member in array.signature.flatten(array)]
    text = rtlil.convert(_OnPlatform(array, platform), ports=ports, name="top", emit_src=False)
    cells = cells_of("read_rtlil top.il", top="top", files={"top.il": text}, say=options.say)
    return {name: round(cells[name] / 96, 1) for name in ("lut", "LUT4", "CCU2C", "FF", "MULT18X18D")}


class _OnPlatform(Elaboratable):
    """A component elaborated for a platform, without what else that asks for."""

    def __init__(self, component, platform):
        self._component, self._platform = component, platform

    def elaborate(self, _platform):
        return Fragment.get(self._component, self._platform)
