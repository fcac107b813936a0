"""licgate: learned image compression, from a trained model to placed-and-routed gateware.

>>> codec = licgate.load_model()           # or load_model("a name under models/"), or a path
>>> data = codec.encode(image)             # uint8 of shape (H, W, 3) to the bytes of a .lic file
>>> image = codec.decode(data)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from licgate.codec import Codec, load_model

__all__ = ["Codec", "__version__", "load_model"]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    # what the codec needs is loaded when it is asked for, so that the command line starts at once
    if name in ("Codec", "load_model"):
        from licgate import codec

        return getattr(codec, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
