"""Shapes that the accelerator and its host link share."""

from amaranth.hdl import signed
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, Signature

from licgate.target.frames import Register

__all__ = ["ADDRESS_WIDTH", "Register", "csr_signature", "latent_layout", "window_layout"]

ADDRESS_WIDTH = 6

latent_layout = StructLayout({"value": signed(16), "last": 1})
window_layout = StructLayout({"x": 16, "y": 16, "width": 16, "height": 16})
csr_signature = Signature({"addr": Out(ADDRESS_WIDTH), "w_data": Out(32), "w_stb": Out(1), "r_data": In(32)})
