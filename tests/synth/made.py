"""Results of the tools, made up, and the report of them."""

from licgate.manifest.synthetic import synthetic_manifest
from licgate.synth.components import count_components, instances_of
from licgate.synth.design import Design, Frame
from licgate.synth.flow import Routed
from licgate.synth.report import Built, make_report, timing_of
from licgate.target.board import find_board
from tests.synth.stub import StubConfig, StubPrediction, stub_fit

RTLIL = r"""
module \top.accelerator.core
  cell \top.accelerator.core.lane \lane_0
  cell \top.accelerator.core.lane \lane_1
  cell $add $3
end
module \top.accelerator.core.lane
end
module \top.accelerator
  cell \top.accelerator.core \core
end
module \top
  cell \top.accelerator \accelerator
  cell \top.link \link
end
module \top.link
  cell \EHXPLLL \pll
end
"""


CELLS = {
    "accelerator.core.lane_0.sum_LUT4_Z": "LUT4",
    "accelerator.core.lane_1.sum_LUT4_Z": "LUT4",
    "accelerator.core.lane_1.dsp": "MULT18X18D",
    "accelerator.core.lane.field_LUT4_Z": "LUT4",
    "accelerator.payload.x_TRELLIS_FF_Q": "TRELLIS_FF",
    "link.memory.0.0": "DP16KD",
    "link.count_CCU2C_S0": "CCU2C",
    "link.mux_PFUMX_Z": "PFUMX",
    "clock_LUT4_Z": "LUT4",
}


CELL_COUNTS = {"LUT4": 9, "LUT6": 3, "FDRE": 7, "DSP48E2": 3, "RAMB36E2": 2, "RAMB18E2": 1, "RAM32M": 1, "BUFG": 1}


def routed(seed, achieved, *, constraint=100.0, other=None):
    clocks = {"design_clock": {"achieved_mhz": achieved, "constraint_mhz": constraint}}
    if other is not None:
        clocks["usb"] = {"achieved_mhz": other, "constraint_mhz": 48.0}
    utilization = {
        "MULT18X18D": {"used": 3, "available": 156},
        "DP16KD": {"used": 0, "available": 208},
        "DTR": {"used": 0, "available": 1},
        "TRELLIS_COMB": {"used": 600, "available": 83640},
    }
    return Routed(seed, {"utilization": utilization}, clocks, "log", "config")


def report(
    board="ulx3s-85f",
    routes=(),
    manifest=None,
    prediction=None,
    mode="analysis",
    cells=CELL_COUNTS,
    cost=None,
    external=None,
    arithmetic="direct",
):
    board = find_board(board)
    clock = 100.0
    timing, best = timing_of(list(routes), clock)
    design = Design(
        board=board,
        manifest=manifest or synthetic_manifest(channels=(3, 5)),
        config=StubConfig(3, 1, arithmetic=arithmetic),
        clock_mhz=clock,
        mode=mode,
        fit=stub_fit(),
        external=external,
    )
    components = count_components(CELLS, instances_of(RTLIL))
    tools = {"yosys": {"version": "0.70", "kind": "native", "program": "bin/yosys"}}
    built = Built(tools, timing, best, cells, components, clock)
    return make_report(design, Frame((768, 512), prediction or StubPrediction(), cost), built)
