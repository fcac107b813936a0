"""How simulations are compiled: with whose Yosys, where they are kept, and what happens where nothing can be kept."""

import sys

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out

from licgate.errors import ToolError
from licgate.sim import cxxrtl


class Inverter(Component):
    i: In(8)
    o: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(~self.i)
        return m


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins for Yosys and the compiler that write down what they were asked; their folder."""
    folder = tmp_path / "tools, ü"
    say = "import pathlib, sys\nwith pathlib.Path(__file__).with_suffix('.log').open('a') as log:\n"
    say += "    print(*sys.argv[1:], sep='|', file=log)\n"
    yosys = "if sys.argv[1] == '--version':\n    print('Yosys 0.70+1 (git sha1 abc)')\nelse:\n"
    yosys += "    assert 'cell' in pathlib.Path('top.il').read_text()\n    pathlib.Path('model.cc').touch()\n"
    compiler = "pathlib.Path(sys.argv[sys.argv.index('-o') + 1]).write_text('a program')\n"
    monkeypatch.setenv("YOSYS", str(script(folder / "bin" / "yosys", say + yosys)))
    monkeypatch.setenv("CXX", str(script(folder / "bin" / "c++", say + compiler)))
    (folder / "share" / "yosys" / "include" / "backends" / "cxxrtl" / "runtime").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache, ü"))
    return folder / "bin"


def asked(tool):
    log = tool.with_suffix(".log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split("|") for line in lines if line != "--version"]


def test_a_native_yosys_and_its_headers_are_used(tools, tmp_path, monkeypatch):
    monkeypatch.delenv("CXXFLAGS", raising=False)
    program = cxxrtl.build(Inverter())
    assert program.read_text() == "a program"
    assert program.is_relative_to(tmp_path / "cache, ü" / "licgate" / "cxxrtl")
    (yosys,), (compiler,) = asked(tools / "yosys"), asked(tools / "c++")
    assert yosys[-1] == "read_rtlil top.il; write_cxxrtl -O6 -g0 model.cc"
    assert f"-I{tools.parent / 'share' / 'yosys' / 'include' / 'backends' / 'cxxrtl' / 'runtime'}" in compiler
    assert compiler[-3] == str(cxxrtl.HARNESS)
    assert cxxrtl.HARNESS.is_file()
    monkeypatch.setenv("CXXFLAGS", "-O0 -DX='a b'")
    assert cxxrtl.build(Inverter()) != program
    slow = asked(tools / "c++")[1]
    assert slow.index("-O2") < slow.index("-O0") < slow.index("-DX=a b"), "the user's come last, and win"
    monkeypatch.delenv("CXXFLAGS")
    # the same once more is found, another version's is not
    assert cxxrtl.build(Inverter()) == program
    assert len(asked(tools / "yosys")) == 2
    text = (tools / "yosys").read_text()
    (tools / "yosys").write_text(text.replace("0.70+1", "0.70+2"))
    assert cxxrtl.build(Inverter()) != program
    assert len(asked(tools / "yosys")) == 3


def test_where_nothing_can_be_kept_it_runs_all_the_same(tools, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    dut = Inverter()
    program = cxxrtl.build(dut)
    assert program.read_text() == "a program"
    assert cxxrtl.build(dut) == program  # for as long as the process lives
    assert capsys.readouterr().err.startswith("licgate: note: nothing is kept for the next run: cannot write to ")
    assert len(asked(tools / "yosys")) == 1


def test_a_bad_yosys_and_a_missing_one_are_named(tools, monkeypatch):
    (tools / "yosys").write_text((tools / "yosys").read_text().replace("0.70+1", "0.64"))
    with pytest.raises(ToolError, match=r"^yosys 0\.64 at .*/yosys is too old; "):
        cxxrtl.build(Inverter())
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    with pytest.raises(ToolError, match=r"^YOSYS names no-such-yosys, which is no program to run: "):
        cxxrtl.build(Inverter())


def test_what_a_compiler_says_first_is_told(tools):
    lines = "harness.cpp:7:3: error: no such member\\n7 |  x.y\\n1 error generated.\\n"
    script(tools / "c++", f"import sys\nsys.stderr.write('{lines}')\nsys.exit(1)\n")
    with pytest.raises(ToolError, match=r"c\+\+ failed: harness\.cpp:7:3: error: no such member$"):
        cxxrtl.build(Inverter())
