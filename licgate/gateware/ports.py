"""Shapes that the accelerator and its host link share."""

from amaranth.hdl import signed
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, Signature

__all__ = ["ADDRESS_WIDTH", "Register", "csr_signature", "latent_layout", "window_layout"]

ADDRESS_WIDTH = 6

latent_layout = StructLayout({"value": signed(16), "last": 1})
window_layout = StructLayout({"x": 16, "y": 16, "width": 16, "height": 16})
csr_signature = Signature({"addr": Out(ADDRESS_WIDTH), "w_data": Out(32), "w_stb": Out(1), "r_data": In(32)})


class Register:
    """Addresses of the control and status registers, see docs/hostlink.md."""

    ID, MODEL, CONTROL, STATUS = range(4)
    WIDTH, HEIGHT, PATCH_WIDTH, PATCH_HEIGHT, MODE, OVERLAP = range(4, 10)
    SHAPE = 10
    TRANSFORM, TRANSFORMS = 11, 12
    CYCLES, BUSY, STALL_INPUT, STALL_MEMORY, STALL_OUTPUT = range(16, 21)
    WATCHDOG = 21
    STREAMS, LEVELS = 24, 28  # the first of four, and of two
