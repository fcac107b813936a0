"""The roofline: what a number of multipliers, a clock and a memory can do at most for one frame.

These are equations 5 to 8 of Mazouz et al. ("kd-hybrid-fpga"), with the clock put back. Equation 7 there divides the
operations of a cycle by those of a frame, which is frames per *cycle*; taken for frames per second, and operations for
GFLOP, it stands for a clock of 1 GHz. What follows from it can exceed what the multipliers of the chip can do at the
clock they have; here it cannot.
"""

from dataclasses import dataclass

from licgate.errors import ConfigError

__all__ = ["Roofline", "layer_traffic"]


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Bounds on one frame.

    Parameters
    ----------
    macs : int
        Multiply-accumulates of a frame.
    multipliers : int
        Multiply-accumulates a cycle, at most.
    clock_mhz : float
    traffic : int
        Bytes that a frame moves to and from memory.
    bandwidth : float or None
        Bytes a second of that memory; None where nothing leaves the chip.

    Raises
    ------
    ConfigError
        A figure is not positive.
    """

    macs: int
    multipliers: int
    clock_mhz: float
    traffic: int = 0
    bandwidth: float | None = None

    def __post_init__(self):
        for name in ("macs", "multipliers", "clock_mhz"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} of a roofline is {getattr(self, name)}: it must be positive")
        if self.traffic < 0 or (self.bandwidth is not None and not self.bandwidth > 0):
            raise ConfigError(f"traffic {self.traffic} and bandwidth {self.bandwidth} of a roofline must be positive")

    @property
    def peak(self) -> float:
        """Multiply-accumulates a second of multipliers that are never idle."""
        return self.multipliers * self.clock_mhz * 1e6

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a byte; infinite without traffic."""
        return self.macs / self.traffic if self.traffic else float("inf")

    @property
    def attainable(self) -> float:
        """Multiply-accumulates a second: the peak, or what the memory feeds if that is less."""
        return self.peak if self.bandwidth is None else min(self.peak, self.intensity * self.bandwidth)

    @property
    def memory_bound(self) -> bool:
        """The memory holds the multipliers up."""
        return self.attainable < self.peak

    def seconds(self, efficiency: float = 1.0) -> float:
        """Time of a frame when the multipliers are busy for a share ``efficiency`` of it (equations 5 and 6).

        Raises
        ------
        ConfigError
            The efficiency is not above 0, or above 1.
        """
        if not 0 < efficiency <= 1:
            raise ConfigError(f"an efficiency of {efficiency:g} makes no sense: it lies above 0 and is 1 at most")
        return max(self.macs / (self.peak * efficiency), self.macs / self.attainable)

    def fps(self, efficiency: float = 1.0) -> float:
        """Frames a second (equation 7)."""
        return 1 / self.seconds(efficiency)

    def utilization(self, cycles: int) -> float:
        """Share of the peak that a frame of ``cycles`` cycles takes.

        Raises
        ------
        ConfigError
            It would be above 1: no machine of so many multipliers does the frame in so few cycles.
        """
        if self.macs > self.multipliers * cycles:
            raise ConfigError(
                f"{self.macs} multiply-accumulates in {cycles} cycles are more than {self.multipliers} multipliers do: "
                f"it takes {-(-self.macs // self.multipliers)} cycles at least"
            )
        return self.macs / (self.multipliers * cycles)


def layer_traffic(transform, height, width, *, fused=True):
    """Bytes of each layer where weights and feature maps lie in memory (equation 8, of this model's own widths).

    A layer reads its weights and its input once and writes its output once, each packed to its bits. Other than the
    equation, which gives the output the input's size, every map counts with its own.

    Parameters
    ----------
    transform : Transform
    height, width : int
        Of its input.
    fused : bool
        A GDN takes what the convolution makes before that is written.

    Returns
    -------
    list of (str, int)
        Layer and bytes.
    """
    found, sizes = [], transform.layer_sizes(height, width)
    layers = list(transform.layers)
    for index, layer in enumerate(layers):
        (h_in, w_in), (h_out, w_out) = sizes[index], sizes[index + 1]
        gdn = layer.kind == "gdn"
        pairs = layer.in_channels * layer.out_channels
        bits = pairs * layer.gamma_type.bits if gdn else pairs * layer.kernel**2 * layer.weight_type.bits
        following = layers[index + 1] if index + 1 < len(layers) else None
        if not (fused and gdn and index):
            bits += h_in * w_in * layer.in_channels * layer.input.bits
        if not (fused and following is not None and following.kind == "gdn"):
            bits += h_out * w_out * layer.out_channels * layer.output.bits
        found.append((layer.name, -(-bits // 8)))
    return found
