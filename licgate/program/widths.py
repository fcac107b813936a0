"""How wide maps are that a program has to take."""

from collections.abc import Sequence

from licgate.errors import ConfigError
from licgate.manifest.model import Manifest
from licgate.program.strips import least_width

__all__ = ["input_widths"]


def input_widths(manifest: Manifest, names: Sequence[str], max_width: int) -> list[int]:
    """Widest input of each transform for images of ``max_width`` pixels, which the codec pads to whole hyper latents.

    Feature maps get what a strip of a wider one takes at least.

    Parameters
    ----------
    manifest : Manifest
    names : sequence of str
        Transforms.
    max_width : int

    Raises
    ------
    ConfigError
        The manifest does not have one of them.
    """
    missing = [name for name in names if name not in manifest.transforms]
    if missing or not names:
        there = ", ".join(manifest.transforms)
        raise ConfigError(f"model {manifest.name} has no {', '.join(missing) or 'transform to run'}; it has {there}")
    latent = int(manifest.g_a.stride)
    hyper = latent * int(manifest.h_a.stride) if manifest.h_a is not None else latent
    padded = -(-max_width // hyper) * hyper
    widths = {"g_a": max_width, "h_s": padded // hyper}
    # Lines that hold no strip with its margins would be of no use to wider images.
    least = {name: 1 if name == "g_a" else least_width(manifest.transforms[name]) for name in names}
    return [max(widths.get(name, padded // latent), least[name]) for name in names]
