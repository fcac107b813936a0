"""Facts of devices that several boards carry: members of a `Board`, for its file to take."""

from __future__ import annotations

from typing import Any

__all__ = ["ECP5_25F", "ECP5_45F", "ECP5_85F"]


def _ecp5(cells: int, multipliers: int, block_rams: int) -> dict[str, Any]:
    """One of the ECP5: LFE5U, LFE5UM or LFE5UM5G."""
    return {
        "family": "ecp5",
        # Lattice FPGA-DS-02012, and what nextpnr counts as available.
        "resources": {
            "TRELLIS_COMB": cells,
            "TRELLIS_FF": cells,
            "MULT18X18D": multipliers,
            "DP16KD": block_rams,
        },
        "multiplier": "MULT18X18D",
        "memory": "DP16KD",
    }


ECP5_25F = _ecp5(24288, 28, 56)
ECP5_45F = _ecp5(43848, 72, 108)
ECP5_85F = _ecp5(83640, 156, 208)
