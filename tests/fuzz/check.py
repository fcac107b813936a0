"""One design on both sides: every value against the integer reference, every cycle against the cycle model."""

from licgate.perf.core import CoreModel
from licgate.perf.predict import GAP
from licgate.program.strips import strips
from licgate.sim.simulate import compare
from licgate.sim.streamedaxi import AxiGateware
from licgate.sim.streamedsdram import SdramGateware
from licgate.sim.transforms import Gateware

__all__ = ["differences"]


def differences(design, engine="cxxrtl"):
    """Simulate a design on each of its inputs; return what is not as it should be, a line each.

    Parameters
    ----------
    design : Design
    engine : str
        Amaranth's is for designs on the chip; others run on CXXRTL then.

    Raises
    ------
    LicgateError
        The design cannot be made: too large for its memories, or the array does not run it.
    """
    arguments = design.manifest, design.config, (design.transform,)
    compiled = "cxxrtl" if engine == "amaranth" else engine
    if design.memory == "chip":
        gateware = Gateware(*arguments, engine, faults=design.options["faults"])
    elif design.memory == "sdram":
        gateware = SdramGateware(*arguments, engine=compiled, **design.options)
    else:
        gateware = AxiGateware(*arguments, design.options["timing"], engine=compiled)
    return [f"{x.shape}: {line}" for x in design.inputs for line in _run(design, gateware, x)]


def _run(design, gateware, x):
    result, _ = compare(gateware, design.transform, x)
    found = [] if result["bit_exact"] else [f"{result['mismatches']} of {result['values']} values differ"]
    if design.options.get("faults") is not None:
        return found
    if design.memory == "chip":
        predicted, counted = [_resident(gateware.program, design.transform, x)], [result["cycles"]]
    else:
        predicted, counted = result["cycles_predicted"], result["cycles_of_cores"]
    if predicted != counted:
        found.append(f"{counted} cycles, {predicted} predicted")
    return found


def _resident(program, transform, x):
    """Cycles of a run on the chip, strip by strip where the map is wider than the line buffers."""
    chain, (_, height, width) = program.chain_of(transform), x.shape
    if chain.pixels:
        return CoreModel(program, chain, width, height, start=0, kept=None).done + GAP
    cut = strips(chain.transform, width, chain.max_width)
    return sum(CoreModel(program, chain, strip.width, height, start=0, kept=None).done + GAP for strip in cut)
