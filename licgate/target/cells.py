"""Multipliers and block RAMs of the devices."""

__all__ = ["BLOCK_RAMS", "HOST_BLOCK_RAMS", "MULTIPLIERS"]

#: (depth, width) of one block RAM of a device: Lattice FPGA-DS-02012, AMD UG573.
BLOCK_RAMS: dict[str, tuple[tuple[int, int], ...]] = {
    "DP16KD": ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36)),
    "RAMB36": ((32768, 1), (16384, 2), (8192, 4), (4096, 9), (2048, 18), (1024, 36), (512, 72)),
}

#: Signed widths of the two operands of a multiplier cell, the wider one first: Lattice FPGA-TN-02205, AMD UG579.
MULTIPLIERS = {"MULT18X18D": (18, 18), "DSP48E2": (27, 18)}

#: Memory cells of the host link: those of its frames of pixels.
HOST_BLOCK_RAMS = 2
