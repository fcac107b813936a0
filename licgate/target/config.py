"""Parameters of an accelerator that are not facts of the model."""

from dataclasses import dataclass

from licgate.errors import ConfigError
from licgate.manifest.patches import margins
from licgate.manifest.transform import Transform
from licgate.target.arithmetic import ARITHMETICS

__all__ = ["LANE_MULTIPLIERS", "AcceleratorConfig", "check_range"]

LANE_MULTIPLIERS = ("dsp", "mixed", "fabric")


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """Shape of an accelerator.

    Parameters
    ----------
    rows : int
        Array rows: neighbouring pixels of one image row that are computed side by side, 1 to 64.
    cols : int
        Array columns: output channels computed side by side, 1 to 64.
    lanes : int or None
        Post-processing lanes, 1 to ``rows``; None takes the fewest that never hold the array up.
    max_width : int
        Widest patch, in pixels, that the line buffers hold, 1 to 16384.
    line_slack, input_slack : int
        Rows that a line buffer holds beyond the kernel's, between layers and at the input. With slack the next rows are
        made while the last ones are read.
    map_slack : int
        The same at the input of the transforms that take feature maps, whose rows the host sends.
    output_words : int or None
        Depth of the latent FIFO in words of ``rows`` latents, at least those of a pass: ``cols``, with packing
        ``2 * cols``, with ``fip-f4`` ``4 * cols``. None makes it 32, or ``cols`` if that is more, with packing
        ``4 * cols``, with ``fip-f4`` ``8 * cols``.
    lane_multipliers : {"dsp", "mixed", "fabric"}
        What the multipliers of the lanes are made of: DSP blocks like those of the array, logic for the smallest of
        them (in GDN's table), or logic, which leaves all blocks to the array. Neither cycles nor results depend on it.
    packing : bool
        Give every multiplier two products where a layer's widths allow it; see :mod:`licgate.program.packing`.
    arithmetic : {"direct", "fip", "fip-f4"}
        How the array sums: a product for each multiply-accumulate, half as many by the fast inner product, or a third
        as many by that at points; see :mod:`licgate.target.arithmetic`. Results do not depend on it. Only the direct
        one packs.
    packed_bits : int
        Widest operand of the device's multipliers, signed: 18 on ECP5, 27 on UltraScale+. Only packing asks for it.

    Raises
    ------
    ConfigError
        A parameter is not an integer in its range, or not one of its names.
    """

    rows: int = 8
    cols: int = 12
    lanes: int | None = None
    max_width: int = 768
    line_slack: int = 0
    input_slack: int = 3
    map_slack: int = 1
    output_words: int | None = None
    lane_multipliers: str = "dsp"
    packing: bool = False
    packed_bits: int = 18
    arithmetic: str = "direct"

    def __post_init__(self) -> None:
        if not isinstance(self.packing, bool):
            raise ConfigError(f"packing is {self.packing!r}: give True or False")
        if self.arithmetic not in ARITHMETICS:
            raise ConfigError(f"arithmetic is {self.arithmetic!r}: choose {', '.join(ARITHMETICS)}")
        if self.packing and self.arithmetic != "direct":
            raise ConfigError(f"packing needs arithmetic direct, not {self.arithmetic}: leave one of them out")
        channels = self.cols << self.packing if isinstance(self.cols, int) else 1
        channels *= ARITHMETICS[self.arithmetic].outputs
        if self.output_words is None and isinstance(self.cols, int):
            # with packing, and where passes make quads, there is room for a pass at work and for the one behind it
            several = self.packing or ARITHMETICS[self.arithmetic].points
            object.__setattr__(self, "output_words", max(32, channels << several))
        for name, low, high in (
            ("rows", 1, 64),
            ("cols", 1, 64),
            ("max_width", 1, 16384),
            ("line_slack", 0, 16),
            ("input_slack", 0, 64),
            ("map_slack", 0, 64),
            ("output_words", channels, 4096),
            ("packed_bits", 2, 27),
        ):
            check_range(name, getattr(self, name), low, high)
        if self.lanes is not None:
            check_range("lanes", self.lanes, 1, self.rows)
        if self.lane_multipliers not in LANE_MULTIPLIERS:
            raise ConfigError(f"lane_multipliers is {self.lane_multipliers!r}: choose {', '.join(LANE_MULTIPLIERS)}")

    @property
    def multipliers(self) -> int:
        """Multipliers in the array."""
        return self.rows * self.cols

    @property
    def group_columns(self) -> int:
        """Neighbouring columns that are computed side by side, and whose values of a channel come together."""
        return self.rows * ARITHMETICS[self.arithmetic].outputs

    def patch_size(
        self, transform: Transform, width: int, height: int, patch: int | None = None, *, independent: bool = False
    ) -> tuple[int, int]:
        """Width and height of the patches for an image.

        Without ``patch``, the widest strips of full height that the line buffers hold; so an image no wider than they
        are is one patch.

        Raises
        ------
        ConfigError
            The line buffers hold no strip, or independent patches have no size.
        """
        stride = max(1, int(transform.stride))  # what upsamples takes every size
        if patch is not None:
            return patch, patch
        full_height = -(-height // stride) * stride
        if width <= self.max_width:
            return -(-width // stride) * stride, full_height
        if independent:
            raise ConfigError(
                f"the image is {width} pixels wide, the line buffers {self.max_width}: give independent patches a size"
            )
        margin = sum(margins(transform))
        kept = self.max_width // stride - margin
        if kept < 1:
            least = (margin + 1) * stride
            raise ConfigError(f"max_width {self.max_width} leaves no pixel beside the margin: give {least} or more")
        return kept * stride, full_height


def check_range(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is not an integer from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} is {value!r}: give an integer from {low} to {high}")
