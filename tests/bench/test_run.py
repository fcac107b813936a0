"""The runner of the benches: what it writes, and that one that fails costs the others nothing."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from licgate.errors import ToolError
from licgate.manifest.synthetic import synthetic_manifest
from licgate.target.config import AcceleratorConfig
from tests.bench import arithmetic, exact, layer, nngen, packing, run
from tests.bench.kit import Options


@pytest.fixture
def benches(monkeypatch):
    """Three benches: one of figures, one that meets an error, one that is broken."""

    def good(options):
        return {
            "headline": {"answer": 42},
            "figures": {"answer": 42},
            "configuration": {"q": options.quick},
            "seeds": [7],
        }

    def refused(options):
        raise ToolError("yosys is missing")

    def broken(options):
        raise KeyError("figure")

    table = {}
    for function in (refused, broken, good):
        module = ModuleType(f"bench_{function.__name__}")
        module.bench = function
        monkeypatch.setitem(sys.modules, module.__name__, module)
        table[function.__name__] = module.__name__
    monkeypatch.setattr(run, "BENCHES", table)


def test_one_file_a_bench_and_a_summary(benches, tmp_path, capsys):
    assert run.main(["--out", str(tmp_path / "out"), "--quick"]) == 1
    files = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")}
    assert set(files) == {"refused", "broken", "good", "summary"}
    assert files["good"]["figures"] == {"answer": 42}
    assert (files["good"]["seeds"], files["good"]["configuration"]) == ([7], {"q": True})
    assert files["good"]["versions"]["packages"]["numpy"] == np.__version__
    assert files["refused"]["error"] == "yosys is missing"
    assert files["broken"]["error"] == "KeyError: 'figure'"
    rows = files["summary"]["benches"]
    assert list(rows) == ["refused", "broken", "good"]
    assert rows["good"]["headline"] == {"answer": 42}
    assert "good: answer: 42" in capsys.readouterr().out


def test_only_those_asked_for(benches, tmp_path):
    assert run.main(["--out", str(tmp_path), "--only", "good"]) == 0
    assert {path.stem for path in tmp_path.glob("*.json")} == {"good", "summary"}
    with pytest.raises(SystemExit):
        run.main(["--out", str(tmp_path), "--only", "nothing"])


def test_every_bench_is_there():
    import importlib

    for module in run.BENCHES.values():
        assert callable(importlib.import_module(module).bench)


def test_a_model_cut_off_behind_each_stage_and_a_wrong_prediction_shows(monkeypatch):
    manifest, config = synthetic_manifest(channels=(3, 2, 3), seed=1), AcceleratorConfig(rows=2, cols=3, max_width=8)
    parts = exact.parts_of(manifest)
    assert [[one.name for one in part.g_a.layers] for part in parts] == [
        ["g_a.0", "g_a.1"],
        ["g_a.0", "g_a.1", "g_a.2"],
    ]
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 6))
    stage = exact.compared(parts[0], config, image)
    assert (stage["difference"], stage["mismatches"]) == (0, 0)
    assert sum(stage["predicted_steps"]) == stage["simulated_steps"] > 0
    real = exact.predict

    class Late:
        def __init__(self, found):
            self.layers, self.cycles = found.layers, found.cycles + 3

    monkeypatch.setattr(exact, "predict", lambda *args: Late(real(*args)))
    assert exact.compared(parts[0], config, image)["difference"] == 3


def test_the_best_shape_of_the_layer_is_the_best_of_all_shapes(monkeypatch):
    manifest = synthetic_manifest(channels=(4, 6), seed=0)
    monkeypatch.setattr(layer, "MULTIPLIERS", 12)
    monkeypatch.setattr(layer, "CHANNELS", 6)
    monkeypatch.setattr(layer, "SIDE", 16)
    every = [
        layer.predict(manifest, layer.shape(rows, cols), 16, 16).cycles
        for rows in range(1, 13)
        for cols in range(1, 13)
        if rows * cols <= 12
    ]
    assert layer.shapes_by_cycles(manifest)[0][0] == min(every)


def test_the_layer_is_simulated_bit_exact_with_as_many_cycles_as_predicted(monkeypatch):
    for name, value in {"CHANNELS": 6, "SIDE": 8}.items():
        monkeypatch.setattr(layer, name, value)
    manifest, config = synthetic_manifest(channels=(6, 6), seed=0), layer.shape(2, 3)
    result = layer.simulated(manifest, config, "amaranth")
    assert (result["mismatches"], result["values"]) == (0, 6 * 4 * 4)
    assert result["cycles"] == layer.predict(manifest, config, 8, 8).cycles


def test_nngen_is_skipped_where_it_cannot_be_installed(monkeypatch, tmp_path):
    said = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(nngen.sys, "executable", "/no/such/python")
    found = nngen.measure(Options(tmp_path, say=said.append), macs={})
    assert found == {"skipped": "cannot run venv: No such file or directory"}
    assert said[0].startswith("installing nngen==")


def test_a_tool_that_fails_is_one_line(tmp_path):
    code = "import sys; print('begun'); print('ERROR: no network', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ToolError, match=r"^pip failed: ERROR: no network$"):
        nngen.call([sys.executable, "-c", code], "pip", tmp_path)


def test_arithmetic_says_what_is_gained(monkeypatch, tmp_path):
    monkeypatch.setattr(arithmetic, "SIZE", (48, 32))
    monkeypatch.setattr(arithmetic, "SIMULATED", {"channels": (3, 5, 4), "size": (6, 4), "rows": 2, "cols": 2})
    found = arithmetic.bench(Options(tmp_path, quick=True, say=lambda line: None))
    assert found["headline"]["largest difference to the model, cycles"] == found["headline"]["values that differ"] == 0
    assert [row["what"] for row in found["figures"]["predicted"]] == ["g_a", "g_a, four lanes", "layer"]
    speedups = [row["speedup"] for row in found["figures"]["predicted"]]
    assert all(row["direct"] == 1 and 1.2 < row["fip"] < 2 for row in speedups)
    assert speedups[-1]["fip"] < speedups[-1]["fip-f4"] < 4  # rows of a small picture are too short for it


def test_packing_says_what_the_layers_gain(monkeypatch, tmp_path):
    monkeypatch.setattr(packing, "CHANNELS", (3, 8, 4))
    monkeypatch.setattr(packing, "SIZE", (32, 16))
    monkeypatch.setattr(packing, "COLS", 2)
    monkeypatch.setattr(packing, "CASES", [(5, 18)])
    monkeypatch.setattr(packing, "SIMULATED", {"channels": (3, 4, 4), "size": (6, 4), "rows": 2, "cols": 2})
    found = packing.bench(Options(tmp_path, quick=True, say=lambda line: None))
    assert found["headline"]["packed layer of 4 or 5 bits over 8 bits, speed at least"] == 2
    assert found["headline"]["largest difference to the model, cycles"] == found["headline"]["values that differ"] == 0
    row = found["figures"]["predicted"][0]
    assert [layer["products"] for layer in row["layers"]] == [2, 1, 2]
    assert 1.2 < row["speedup"] < 2
    assert found["figures"]["elements"] == {}
