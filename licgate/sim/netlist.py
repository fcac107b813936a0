"""Netlists of ECP5's cells for CXXRTL, as Yosys writes them for nextpnr or as nextpnr writes them back."""

from licgate.errors import SimulationError
from licgate.sim.chance import INIT, RANDOM, START

__all__ = ["SOURCES", "first_values", "keep_constants", "simulated"]

#: Models of the cells, below ``sim``.
SOURCES = ("flipflop.v", "logic.v", "lutram.v", "dp16kd.v", "mult18x18d.v")

#: Cells with a model, and parameters that have one value there, or one of these; others are free.
_MODELLED = {
    "LUT4": {},
    "PFUMX": {},
    "L6MUX21": {},
    "CCU2C": {"INJECT1_0": {"YES", "NO"}, "INJECT1_1": {"YES", "NO"}},
    "TRELLIS_FF": {"SRMODE": {"LSR_OVER_CE", "ASYNC"}, "REGSET": {"SET", "RESET"}, "LSRMODE": {"LSR", "PRLD"}},
    "TRELLIS_DPR16X4": {"WCKMUX": {"WCK", "INV"}},
    "TRELLIS_COMB": {"MODE": {"LOGIC", "CCU2", "DPRAM", "RAMW_BLOCK"}, "WCKMUX": {"WCK", "INV"}},
    "TRELLIS_RAMW": {},
    "DCCA": {},
    "DP16KD": {
        "WRITEMODE_A": {"NORMAL", "WRITETHROUGH", "READBEFOREWRITE"},
        "WRITEMODE_B": {"NORMAL", "WRITETHROUGH", "READBEFOREWRITE"},
        "REGMODE_A": {"NOREG", "OUTREG"},
        "REGMODE_B": {"NOREG", "OUTREG"},
        "CSDECODE_A": {"0b000"},
        "CSDECODE_B": {"0b000"},
    },
    "MULT18X18D": {"RESETMODE": {"SYNC", "ASYNC"}, "MULT_BYPASS": {"DISABLED"}},
}
#: What a pin of a routed cell reads that nothing is connected to: the fabric pulls it up, but for these.
_PULLED_UP = {"TRELLIS_COMB", "DP16KD"}
_CONTENTS = "INITVAL"
_COPY = "_copy_"


def first_values(module):
    """Tell for each flip-flop and block RAM of a netlist from Yosys whether what it shows at the start has a meaning.

    Parameters
    ----------
    module : dict
        Of a design that was `Marked`.

    Returns
    -------
    dict of str to str
        ``INIT`` or ``RANDOM`` for each cell: ``RANDOM`` where all registers that it has become are such. A copy of a
        flip-flop is as its original.
    """
    marks = {}
    for net in module["netnames"].values():
        mark = net["attributes"].get(START)
        if mark is not None:
            for bit in net["bits"]:
                marks.setdefault(bit, set()).add(mark)
    found = {}
    for name, cell in module["cells"].items():
        if cell["type"] == "TRELLIS_FF":
            seen = marks.get(cell["connections"]["Q"][0], set())
            if not seen and _COPY in name:
                found[name] = found.get(name.rpartition(_COPY)[0], INIT)
            else:
                found[name] = RANDOM if seen == {RANDOM} else INIT
        elif cell["type"] == "DP16KD":
            outputs = (bits for port, bits in cell["connections"].items() if port.startswith("DO"))
            # what no register has moved into shows nothing that was ever given a value
            found[name] = INIT if any(INIT in marks.get(bit, ()) for bits in outputs for bit in bits) else RANDOM
    return found


def keep_constants(routed, netlist, top="top"):
    """Give the outputs of a routed netlist that are constants their values: nextpnr drops what drives them.

    Parameters
    ----------
    routed : dict
        As nextpnr has written it; it is changed.
    netlist : dict
        What nextpnr was given.

    Raises
    ------
    SimulationError
        An output that is no constant has no driver.
    """
    module, given = routed["modules"][top], netlist["modules"][top]["ports"]
    driven = {
        bit
        for cell in module["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    driven |= {bit for port in module["ports"].values() if port["direction"] == "input" for bit in port["bits"]}
    for name, port in module["ports"].items():
        for k, bit in enumerate(port["bits"]):
            if bit in driven:
                continue
            port["bits"][k] = given[name]["bits"][k]
            if port["bits"][k] not in ("0", "1"):
                raise SimulationError(f"nothing drives bit {k} of output {name} in the routed netlist")


def simulated(netlist, starts, top="top"):
    """Make of a netlist one that the models take.

    Parameters
    ----------
    netlist : dict
        As JSON, of Yosys or nextpnr.
    starts : dict of str to str
        See `first_values`, by the cells' names.

    Returns
    -------
    dict
        Its ``top`` alone: without names and attributes, pins without a net at what they read, and with the models' own
        parameters ``START`` and ``SEED``.

    Raises
    ------
    SimulationError
        A cell, or a mode of one, has no model.
    """
    module, cells = netlist["modules"][top], {}
    for number, (name, cell) in enumerate(module["cells"].items()):
        kind = cell["type"]
        _check(name, cell)
        if cell["parameters"].get("MODE") == "RAMW_BLOCK":
            continue
        parameters = {key: value for key, value in cell["parameters"].items() if not key.endswith("MUX")}
        parameters |= _muxes(cell)
        connections = _connections(cell)
        if kind == "DP16KD":
            parameters = {k: v for k, v in parameters.items() if not (k.startswith(_CONTENTS) and _empty(v))}
            parameters["SEED"] = f"{(2 * number + 1) * 0x9E3779B97F4A7C15 % (1 << 64):064b}"
            parameters["START_OUTPUT"] = starts.get(name, INIT)
        elif kind == "TRELLIS_COMB" and ("FXA" in connections or "FXB" in connections):
            # nextpnr knows from the cell's place which of the two multiplexers it has, and does not say
            parameters["IS_Z1"] = "1"
        parameters["START"] = _start(name, kind, parameters, connections, starts)
        if kind in ("LUT4", "PFUMX", "L6MUX21", "CCU2C", "DCCA", "TRELLIS_RAMW"):
            del parameters["START"]
        # public names: CXXRTL shows no others
        cells[f"cell_{number}"] = {
            **cell,
            "hide_name": 0,
            "attributes": {},
            "parameters": parameters,
            "connections": connections,
        }
    made = {"attributes": {"top": 1}, "ports": module["ports"], "cells": cells, "netnames": {}}
    return {"creator": netlist.get("creator", ""), "modules": {top: made}}


def _check(name, cell):
    kind = cell["type"]
    if kind not in _MODELLED:
        raise SimulationError(f"cell {name} is a {kind}, of which there is no model to simulate: use --engine cxxrtl")
    for key, modes in _MODELLED[kind].items():
        mode = cell["parameters"].get(key)
        if mode is not None and mode.rstrip() not in modes:
            raise SimulationError(
                f"cell {name}, a {kind}, has {key} {mode}, of which there is no model to simulate: use --engine cxxrtl"
            )


def _muxes(cell):
    """Parameters that choose what a pin reads, but for those that `_connections` settles."""
    return {
        key: value
        for key, value in cell["parameters"].items()
        if key.endswith("MUX") and cell["type"] in ("TRELLIS_FF", "TRELLIS_DPR16X4", "TRELLIS_COMB")
    } | {key: value for key, value in cell["parameters"].items() if key in ("CLKAMUX", "CLKBMUX")}


def _connections(cell):
    """Pins with their nets; those of a routed cell that have none at what they read."""
    kind, connections = cell["type"], {}
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == "output":
            if bits:
                connections[port] = bits
            continue
        if not bits and port in ("FXA", "FXB", "F1"):
            continue
        mux = cell["parameters"].get(f"{port}MUX", port).strip()
        bits = bits or ["1" if kind in _PULLED_UP else "0"]
        if kind in ("DP16KD", "MULT18X18D") and not port.startswith("CLK"):
            if mux == "INV":
                bits = [_inverted(cell, port, bits[0])]
            elif mux in ("0", "1"):
                bits = [mux]
        connections[port] = bits
    return connections


def _inverted(cell, port, bit):
    if bit not in ("0", "1"):
        raise SimulationError(
            f"a {cell['type']} inverts its {port}, of which there is no model to simulate: use --engine cxxrtl"
        )
    return "1" if bit == "0" else "0"


def _empty(bits):
    return not set(bits) - {"0", "x"}


def _start(name, kind, parameters, connections, starts):
    """First value of a flip-flop, or first contents of a memory: these have no meaning where they are written later."""
    if kind == "TRELLIS_FF":
        return starts.get(name, INIT)
    if kind == "MULT18X18D":
        return RANDOM
    if kind == "DP16KD":
        contents = any(key.startswith(_CONTENTS) for key in parameters)
        return INIT if contents or not any(_writes(side, connections) for side in "AB") else RANDOM
    if kind == "TRELLIS_DPR16X4" or parameters.get("MODE") == "DPRAM":
        return RANDOM if _empty(parameters.get(_CONTENTS, "0")) else INIT
    return INIT


def _writes(side, connections):
    pins = (connections.get(f"{pin}{side}", ["0"])[0] for pin in ("CE", "WE"))
    return all(pin not in ("0", "x") for pin in pins)
