"""AMD ZCU102 (XCZU9EG): synthesis only, since there is no open place-and-route for UltraScale+."""

from licgate.target.board import Board


def make_platform():
    """Make what stands in for a platform where only synthesis exists."""
    from licgate.synth.platforms import UltraScalePlusPlatform

    return UltraScalePlusPlatform()


BOARD = Board(
    name="zcu102",
    title="AMD ZCU102",
    device="XCZU9EG-2FFVB1156E",
    family="xcup",
    make_platform=make_platform,
    frequency=200.0,
    rows=24,
    cols=12,
    max_width=1280,
    streamed=(32, 16),
    # S_AXI_HP0_FPD to S_AXI_HP3_FPD, AMD UG1085; DDR4 of 64 bits at 2133 MT/s, AMD UG1182.
    axi_ports=4,
    memory_bandwidth=2133e6 * 8,
    # AMD DS891, Zynq UltraScale+ MPSoC overview, ZU9EG.
    resources={"LUT": 274080, "FF": 548160, "DSP48E2": 2520, "RAMB36": 912},
    multiplier="DSP48E2",
    memory="RAMB36",
    notes=("synthesis only, clock assumed: nothing was placed or routed, and the host link is not part of the design",),
)
