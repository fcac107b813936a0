"""A small design with an accelerator's members, for tests of everything around one."""

import dataclasses

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from licgate.gateware.engine.multiplier import Multiplier
from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.synth.fit import Fit


class StubAccelerator(Component):
    """Multiplies each pixel's channels by the register at address 4 and sums them."""

    def __init__(self, rows=1):
        self.rows = rows
        super().__init__(
            {
                "i": In(stream.Signature(24)),
                "o": Out(stream.Signature(latent_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
                "csr": In(csr_signature),
            }
        )

    def elaborate(self, platform):
        m = Module()
        weight, count = Signal(signed(8)), Signal(16)
        with m.If(self.csr.w_stb & (self.csr.addr == 4)):
            m.d.sync += weight.eq(self.csr.w_data)
        m.d.sync += self.csr.r_data.eq(count)
        total = Signal(signed(24))
        products = []
        for row in range(self.rows):
            m.submodules[f"pe_{row}"] = multiplier = Multiplier(9, 8)
            m.d.comb += [multiplier.a.eq(self.i.payload[8 * (row % 3) :][:8] + row), multiplier.b.eq(weight)]
            products.append(multiplier.p)
        m.d.sync += total.eq(sum(products))
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            self.o.payload.value.eq(total[:16]),
            self.o_patch.payload.x.eq(count),
            self.o_patch.valid.eq(count[0]),
        ]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), count.eq(count + self.i.valid)]
        return m


@dataclasses.dataclass
class StubConfig:
    rows: int = 1
    cols: int = 1
    lanes: int = 1
    max_width: int = 64
    lane_multipliers: str = "dsp"
    arithmetic: str = "direct"

    @property
    def multipliers(self):
        return self.rows * self.cols


@dataclasses.dataclass
class StubPrediction:
    cycles: int = 1000
    macs: int = 900
    utilization: float = 0.9
    recompute_factor: float = 1.25
    layers: tuple = ({"name": "g_a.0", "macs": 900, "cycles": 1000, "utilization": 0.9},)
    transforms: tuple = (
        {
            "name": "g_a",
            "runs": 1,
            "inputs": 768 * 512,
            "cycles": 1000,
            "macs": 900,
            "utilization": 0.9,
            "recompute_factor": 1.25,
        },
    )


def stub_fit(needed=20, available=208):
    """Memories of a design that is nothing like the stub."""
    by = {"weights": {"cells": needed - 2, "bits": 2048}, "host link": {"cells": 2, "bits": None}}
    return Fit("DP16KD", needed, available, by)
