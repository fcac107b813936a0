"""What is placed computes what was described, in the same cycles, and what is broken shows."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from licgate.cli import main
from licgate.errors import SimulationError
from licgate.gateware.engine.memory import BankedMemory
from licgate.gateware.top.resident import Accelerator
from licgate.manifest import save_manifest
from licgate.manifest.synthetic import synthetic_manifest
from licgate.sim import form, transforms
from licgate.sim.chance import Marked
from licgate.sim.engine import get_engine
from licgate.sim.netlist import keep_constants
from licgate.sim.simulate import compare, simulate
from licgate.sim.streamedsdram import SdramGateware
from licgate.synth import fanout, outreg
from licgate.synth.buildplan import make_portable_plan
from licgate.synth.flow import Flow, find_tools
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.board import find_board
from licgate.target.config import AcceleratorConfig
from licgate.target.streamed import StreamedConfig
from tests.sim.kit import tiny_codec

pytestmark = pytest.mark.synth

CONFIG = AcceleratorConfig(rows=2, cols=2, max_width=16)
MANIFEST = synthetic_manifest(channels=(3, 2), gdn="none", seed=1)
IMAGE = np.random.default_rng(0).integers(0, 256, (3, 6, 8))


def run(engine, *, manifest=MANIFEST, config=CONFIG, x=IMAGE, **options):
    return simulate(manifest, config, x, engine=engine, **options)


def figures(result):
    """What is the same for all engines."""
    counters = {key: value for key, value in result["counters"].items() if key != "clashes"}
    return {k: v for k, v in result.items() if k not in ("engine", "random", "counters")} | {"counters": counters}


@pytest.fixture(scope="module")
def made():
    """Netlist of the small accelerator, its first values, and how many edits there were behind Yosys."""
    edits = []

    def noted(edit):
        def edited(path, **options):
            edits.append(edit(path, **options))
            return edits[-1]

        return edited

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outreg, "absorb_output_registers_of_file", noted(outreg.absorb_output_registers_of_file))
        patch.setattr(fanout, "copy_registers_of_file", noted(fanout.copy_registers_of_file))
        patch.setattr(form, "BuildCache", lambda folder: form_cache(None))
        accelerator = Accelerator(MANIFEST, CONFIG, transforms=("g_a",))
        netlist, starts = form.make_netlist(accelerator)
    return netlist, starts, edits


form_cache = form.BuildCache


@pytest.fixture
def placed(made, monkeypatch):
    """Makes a function of an edit of the netlist: it simulates what comes of it."""

    def changed(edit=None, **options):
        netlist, starts, _ = made
        if edit is not None:
            netlist = copy.deepcopy(netlist)
            edit(netlist["modules"]["top"]["cells"])
        monkeypatch.setattr(form, "make_netlist", lambda accelerator, routed=False: (netlist, starts))
        engine = get_engine("netlist")
        monkeypatch.setattr(transforms, "get_engine", lambda name: lambda *a: engine(*a, patience=2000))
        return run("netlist", **options)

    return changed


def found(placed, edit):
    """The edit is noticed: by a value, by a cycle, or since nothing moves."""
    try:
        result = placed(edit)
    except SimulationError:
        return True
    return not result["bit_exact"] or result["cycles"] != run("cxxrtl")["cycles"]


@pytest.mark.slow
def test_a_netlist_with_its_edits_is_what_was_described(made, placed):
    _, starts, (registers, copies) = made
    assert registers >= 4
    assert copies > 0
    kinds = {cell["type"] for cell in made[0]["modules"]["top"]["cells"].values()}
    assert {"DP16KD", "MULT18X18D", "TRELLIS_FF", "LUT4", "CCU2C", "TRELLIS_DPR16X4", "PFUMX"} <= kinds
    # many registers of the array start anywhere, those of the control do not
    assert 0.1 < sum(start == "RANDOM" for start in starts.values()) / len(starts) < 0.9
    described = run("cxxrtl")
    for seed in (1, 2, 3):
        result = placed(random=seed)
        assert result["bit_exact"]
        assert figures(result) == figures(described)
        assert (result["engine"], result["random"]) == ("netlist", seed)


def _registered(cells):
    """Blocks with output registers whose output is read."""
    return [
        cell
        for name, cell in sorted(cells.items())
        if cell["type"] == "DP16KD" and cell["parameters"]["REGMODE_B"] == "OUTREG"
    ]


def undo_output_register(cells):
    _registered(cells)[0]["parameters"] |= {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"}


def flip_table(cells):
    """Of what is behind the array: there every value passes."""
    cell = next(c for name, c in sorted(cells.items()) if c["type"] == "LUT4" and ".post.lane_0" in name)
    init = cell["parameters"]["INIT"]
    cell["parameters"]["INIT"] = "".join("10"[int(bit)] for bit in init)


def break_carry(cells):
    cell = next(c for name, c in sorted(cells.items()) if c["type"] == "CCU2C" and ".array" in name)
    cell["parameters"]["INJECT1_0"] = "YES"


def swap_copies(cells):
    """Copies of registers take their data from elsewhere, all of them: a single one may say nothing that matters."""
    copies = [name for name in cells if "_copy_" in name]
    assert copies
    for name in copies:
        cells[name]["connections"]["DI"] = ["1"]


@pytest.mark.regress
def test_an_output_register_that_is_undone_is_found(placed):
    assert found(placed, undo_output_register)


@pytest.mark.regress
@pytest.mark.parametrize("edit", [flip_table, break_carry, swap_copies])
def test_other_broken_netlists_are_found(placed, edit):
    assert found(placed, edit)


def test_what_says_where_registers_start_changes_no_cell(tmp_path):
    board = find_board("ulx3s-85f")
    cells = []
    for kept in (lambda component: component, Marked):
        component = kept(BankedMemory(3000, 11, registered=True))
        folder = tmp_path / str(len(cells))
        folder.mkdir()
        plan = make_portable_plan(component, board=board, clock_mhz=100.0)
        what = {"cache": form.BuildCache(None), "say": lambda line: None, "tools": find_tools(board, route=False)}
        Flow(plan=plan, board=board, folder=folder, **what).synthesize()
        top = json.loads((folder / "top.json").read_text())["modules"]["top"]
        cells.append({k: (c["type"], c["parameters"], c["connections"]) for k, c in top["cells"].items()})
    assert cells[0] == cells[1]
    assert len(cells[0]) > 50


def test_cells_and_modes_without_a_model_are_refused(made):
    netlist, starts, _ = made

    def refused(match, **changes):
        broken = copy.deepcopy(netlist)
        name, cell = next((n, c) for n, c in broken["modules"]["top"]["cells"].items() if c["type"] == "TRELLIS_FF")
        cell["parameters"] |= changes.pop("parameters", {})
        cell |= changes
        with pytest.raises(SimulationError, match=match) as error:
            form.netlist_model(broken, starts)
        assert f"cell {name}" in str(error.value)

    refused(r" is a EHXPLLL, of which there is no model to simulate: use --engine cxxrtl$", type="EHXPLLL")
    refused(r", a TRELLIS_FF, has SRMODE CE_OVER_LSR, of which there is no model", parameters={"SRMODE": "CE_OVER_LSR"})


def test_outputs_that_are_constants_keep_their_values():
    def netlist(one, two):
        ports = {
            "x": {"direction": "input", "bits": [2]},
            "y": {"direction": "output", "bits": [2, one, two]},
        }
        return {"modules": {"top": {"ports": ports, "cells": {}}}}

    routed = netlist(7, 8)
    keep_constants(routed, netlist("1", "0"))
    assert routed == netlist("1", "0")
    with pytest.raises(SimulationError, match=r"^nothing drives bit 2 of output y in the routed netlist$"):
        keep_constants(netlist(7, 8), netlist("1", 9))


def of_kind(kind):
    """Manifest, configuration, transform and input of one kind of resident core."""
    source = np.random.default_rng(3)
    if kind == "packed":
        manifest = synthetic_manifest(channels=(3, 4, 5), weight_bits=5, seed=2)
        return manifest, replace(CONFIG, packing=True, packed_bits=18), "g_a", source.integers(0, 256, (3, 9, 14))
    if kind == "fast":
        manifest = synthetic_manifest(channels=(3, 5, 4), seed=2)
        return manifest, replace(CONFIG, arithmetic="fip"), "g_a", source.integers(0, 256, (3, 7, 9))
    manifest, name = tiny_codec(), {"encoder": "h_a", "decoder": "g_s"}[kind]
    transform = manifest.transforms[name]
    shape = (transform.in_channels, 3, 4)
    return manifest, CONFIG, name, source.integers(transform.input.min, transform.input.max + 1, shape)


@pytest.mark.regress
@pytest.mark.parametrize("engine", ["netlist", "routed"])
@pytest.mark.parametrize("kind", ["encoder", "decoder", "packed", "fast"])
def test_resident_cores_of_every_kind(kind, engine):
    manifest, config, name, x = of_kind(kind)
    # the encoder's accelerator holds what a build of it would
    names = {"encoder": ("g_a", "h_a"), "decoder": ("h_s", "g_s"), "packed": ("g_a",), "fast": ("g_a",)}[kind]
    options = {"manifest": manifest, "config": config, "x": x, "transform": name, "transforms": names}
    described = run("cxxrtl", **options)
    for seed in (1, 2):
        result = run(engine, random=seed, **options)
        assert result["bit_exact"]
        assert figures(result) == figures(described)


@pytest.mark.regress
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("engine", ["netlist", "routed"])
def test_streamed_cores(engine, arithmetic):
    config = StreamedConfig(rows=2, cols=2, block_rows=2, arithmetic=arithmetic)
    manifest = synthetic_manifest(channels=(3, 4), seed=5)
    x = np.random.default_rng(1).integers(0, 256, (3, 5, 8))
    result, _ = compare(SdramGateware(manifest, config, ("g_a",), engine=engine), "g_a", x)
    assert result["bit_exact"]
    assert result["cycles_of_cores"] == result["cycles_predicted"]


@pytest.mark.regress
def test_on_the_command_line(tmp_path, capsys):
    save_manifest(MANIFEST, tmp_path / "model")
    words = ["simulate", "--model", str(tmp_path / "model"), "--crop", "8x6", "--rows", "2", "--cols", "2"]
    assert main([*words, "--max-width", "16", "--engine", "netlist", "--random", "7"]) == 0
    assert "bit-exact" in capsys.readouterr().out
