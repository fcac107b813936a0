"""Gateware: everything here describes hardware with Amaranth and knows nothing of torch.

What a design of one's own needs is here by name, and loaded when it is asked for:

>>> from licgate.gateware import Accelerator, AcceleratorConfig, Register
>>> accelerator = Accelerator(manifest, AcceleratorConfig(rows=8, cols=12))

``examples/embed_the_accelerator.py`` shows one. All else lies in the rooms below, and may change.
"""

from importlib import import_module

#: Name: the module that it lives in.
_HOMES = {
    "Accelerator": "licgate.gateware.top.resident",
    "AcceleratorConfig": "licgate.target.config",
    "Control": "licgate.target.registers",
    "Register": "licgate.target.registers",
    "Status": "licgate.target.registers",
    "StreamedConfig": "licgate.target.streamed",
    "StreamedAccelerator": "licgate.gateware.top.streamed",
    "ZynqAccelerator": "licgate.gateware.top.zynq",
    "compile_program": "licgate.program",
    "compile_streamed": "licgate.program.streamed",
    "connect": "licgate.gateware.stream",
    "csr_signature": "licgate.gateware.ports",
    "latent_layout": "licgate.gateware.ports",
    "patch_layout": "licgate.gateware.ports",
}

__all__ = [
    "Accelerator",
    "AcceleratorConfig",
    "Control",
    "Register",
    "Status",
    "StreamedAccelerator",
    "StreamedConfig",
    "ZynqAccelerator",
    "compile_program",
    "compile_streamed",
    "connect",
    "csr_signature",
    "latent_layout",
    "patch_layout",
]


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
