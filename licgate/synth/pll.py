"""Parameters of the ECP5's PLL."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from amaranth.hdl import Instance, Signal

from licgate.errors import ConfigError

__all__ = ["Ecp5Pll", "ecp5_pll", "usb_pll"]

# MHz; Lattice FPGA-DS-02012 (ECP5 family data sheet), sysCLOCK PLL timing.
INPUT_RANGE = (8.0, 400.0)
OUTPUT_RANGE = (3.125, 400.0)
VCO_RANGE = (400.0, 800.0)
PHASE_DETECTOR_RANGE = (3.125, 400.0)
MAX_DIVIDER = 128
# Farther off than this, the frequency is not the one that was asked for.
TOLERANCE = 0.01
# MHz, of the lines' bits four times and once; a device of full speed has to be within 0.25 % (USB 2.0, 7.1.11).
USB_CLOCKS, USB_TOLERANCE = (48.0, 12.0), 0.0025


@dataclass(frozen=True)
class Ecp5Pll:
    """Dividers of an EHXPLLL with CLKOP as output and feedback.

    ``f_out = f_in / input_divider * feedback_divider``; the VCO runs at ``f_out * output_divider``. All in MHz. CLKOS
    and CLKOS2 are the VCO divided by ``further``, where there are any; edges of the slower are edges of the faster.
    """

    f_in: float
    input_divider: int
    feedback_divider: int
    output_divider: int
    further: tuple[int, ...] = ()

    @property
    def f_out(self) -> float:
        """Output frequency in MHz."""
        return self.f_in * self.feedback_divider / self.input_divider

    @property
    def vco(self) -> float:
        """VCO frequency in MHz."""
        return self.f_out * self.output_divider

    @property
    def outputs(self) -> tuple[float, ...]:
        """Frequencies of CLKOS and CLKOS2 in MHz."""
        return tuple(self.vco / divider for divider in self.further)

    def instance(
        self, *, clock_in: Signal, clock_out: Signal, locked: Signal, further: tuple[Signal, ...] = ()
    ) -> Instance:
        """The EHXPLLL. Its output phase is half an output period, as Lattice's own tool sets it; the others follow."""
        others = {}
        for name, divider, clock in zip(("CLKOS", "CLKOS2"), self.further, further, strict=False):
            others |= {
                f"a_FREQUENCY_PIN_{name}": f"{self.vco / divider:g}",
                f"p_{name}_ENABLE": "ENABLED",
                f"p_{name}_DIV": divider,
                f"p_{name}_CPHASE": self.output_divider // 2,
                f"p_{name}_FPHASE": 0,
                f"o_{name}": clock,
            }
        return Instance(
            "EHXPLLL",
            **others,
            a_FREQUENCY_PIN_CLKI=f"{self.f_in:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.f_out:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.output_divider,
            p_CLKOP_CPHASE=self.output_divider // 2,
            p_CLKOP_FPHASE=0,
            p_CLKI_DIV=self.input_divider,
            p_CLKFB_DIV=self.feedback_divider,
            p_FEEDBK_PATH="CLKOP",
            i_RST=0,
            i_STDBY=0,
            i_CLKI=clock_in,
            i_CLKFB=clock_out,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=clock_out,
            o_LOCK=locked,
        )


def ecp5_pll(f_in: float, f_out: float) -> Ecp5Pll:
    """Dividers that come nearest to `f_out` (MHz); among equals the VCO nearest to the middle of its range.

    Raises
    ------
    ConfigError
        A frequency is out of range, or nothing within 1 % of `f_out` can be made.
    """
    for name, value, (low, high) in (("input", f_in, INPUT_RANGE), ("output", f_out, OUTPUT_RANGE)):
        if not low <= value <= high:
            raise ConfigError(f"PLL {name} of {value:g} MHz is outside {low:g} to {high:g} MHz")
    middle = sum(VCO_RANGE) / 2
    best = None
    for input_divider in range(1, MAX_DIVIDER + 1):
        if not PHASE_DETECTOR_RANGE[0] <= f_in / input_divider <= PHASE_DETECTOR_RANGE[1]:
            continue
        feedback_divider = min(max(round(f_out * input_divider / f_in), 1), MAX_DIVIDER)
        actual = f_in * feedback_divider / input_divider
        for output_divider in range(1, MAX_DIVIDER + 1):
            if not VCO_RANGE[0] <= actual * output_divider <= VCO_RANGE[1]:
                continue
            rank = (round(abs(actual - f_out), 9), abs(actual * output_divider - middle), input_divider)
            if best is None or rank < best[0]:
                best = rank, Ecp5Pll(f_in, input_divider, feedback_divider, output_divider)
    if best is None or best[0][0] > TOLERANCE * f_out:
        nearest = f"; the nearest is {best[1].f_out:.6g} MHz" if best else ""
        raise ConfigError(f"PLL cannot make {f_out:g} MHz from {f_in:g} MHz{nearest}")
    return best[1]


def usb_pll(f_in: float) -> Ecp5Pll:
    """Dividers for CLKOS of 48 MHz and CLKOS2 of 12 MHz, from a clock of `f_in` MHz; CLKOP is but the feedback.

    Of what is exact, or else nearest, that with the least division of the input, whose jitter is least.

    Raises
    ------
    ConfigError
        The input is out of range, or nothing within 0.25 % can be made.
    """
    if not _within(f_in, INPUT_RANGE):
        low, high = INPUT_RANGE
        raise ConfigError(f"PLL input of {f_in:g} MHz is outside {low:g} to {high:g} MHz")
    io, usb = USB_CLOCKS
    best = None
    inputs = [n for n in range(1, MAX_DIVIDER + 1) if _within(f_in / n, PHASE_DETECTOR_RANGE)]
    dividers = [n for n in range(1, MAX_DIVIDER + 1) if _within(io * n, VCO_RANGE)]
    for input_divider, divider, output_divider in product(inputs, dividers, range(1, MAX_DIVIDER + 1)):
        compared, vco = f_in / input_divider, io * divider
        further = (divider, round(divider * io / usb))
        pll = Ecp5Pll(f_in, input_divider, round(vco / output_divider / compared), output_divider, further)
        if not (1 <= pll.feedback_divider <= MAX_DIVIDER and further[1] <= MAX_DIVIDER):
            continue
        if not (_within(pll.f_out, OUTPUT_RANGE) and _within(pll.vco, VCO_RANGE)):
            continue
        rank = (round(abs(pll.outputs[0] - io), 9), input_divider, abs(vco - sum(VCO_RANGE) / 2), abs(pll.f_out - io))
        if best is None or rank < best[0]:
            best = rank, pll
    if best is None or best[0][0] > USB_TOLERANCE * io:
        nearest = f"; the nearest is {best[1].outputs[0]:.6g} MHz" if best else ""
        raise ConfigError(f"PLL cannot make the 48 MHz of USB from {f_in:g} MHz{nearest}")
    return best[1]


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
