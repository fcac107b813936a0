"""``licgate verilog``: a folder, and what is refused in one line."""

import pytest

from licgate.cli import main
from licgate.manifest import save_manifest
from licgate.manifest.synthetic import synthetic_manifest

SHAPE = ["--rows", "2", "--cols", "2", "--max-width", "32", "--vectors", "12x8", "--size", "24x16"]


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "tiny"
    save_manifest(synthetic_manifest(channels=(3, 4), kernel=3, gdn="none", seed=3), folder)
    return ["verilog", "--model", str(folder)]


@pytest.mark.synth
def test_a_folder_is_written_whole(model, tmp_path, capsys):
    out = tmp_path / "out"
    command = [*model, "--out", str(out), *SHAPE]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Verilog: {out / 'licgate.v'}, testbench: make -C {out} icarus"
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {"licgate.v", "README.md", "Makefile", "registers.h", "vectors/golden.hex", "testbench/host.v"} <= found
    core = (out / "licgate.core").read_text()
    assert core.startswith("CAPI=2:\nname: licgate:codec:licgate:")
    assert {line.split("- ")[1].split(":")[0] for line in core.splitlines() if "    - " in line} <= found
    page = (out / "README.md").read_text()
    for text in ("| `s_axis_tdata` | in | 24 |", "`m_axis_tlast` is high with the last", "| g_a | 24 x 16 |", "12 x 8"):
        assert text in page
    assert main(command) == 2
    assert "holds an accelerator already" in capsys.readouterr().err
    (out / "mine").touch()
    assert main([*command, "--force", "--bus", "stream"]) == 0
    assert not (out / "mine").exists()
    assert "| `o_first` | out | 1 |" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mode", "encoder"], "a build of mode encoder needs h_a, h_s, model "),
        (["--cores", "2", "--memory", "axi"], "a module has one core: leave out --cores 2"),
        (["--clock", "0"], "a clock of 0 MHz makes no sense: give --clock from 1 to 1000"),
        (["--memory", "sdram"], "--memory sdram has pins and a start-up of its board"),
        (["--memory", "axi", "--max-width", "64"], "--memory axi goes without --max-width"),
        (["--rows", "65"], "rows is 65: give an integer from 1 to 64"),
        (["--size", "4000x8", "--max-width", "2"], "max_width 2 leaves no pixel beside the margin"),
    ],
)
def test_refused_in_one_line(words, message, model, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*model, "--out", str(out), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("licgate: error: ")
    assert message in line
    assert not out.exists()
