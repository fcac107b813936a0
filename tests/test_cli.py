"""The command line: each failure one line on standard error with its exit code, never a trace-back."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from licgate import cli
from licgate.errors import LicgateError, TimingError

ROOT = Path(__file__).resolve().parents[1]


def fails(capsys, *argv, code=2):
    assert cli.main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("licgate: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("licgate: error: ").rstrip()


def test_boards(capsys):
    assert cli.main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ulx3s-85f ") and "156 MULT18X18D" in line for line in lines)
    assert any(line.startswith("zcu102 ") and "synthesis only" in line for line in lines)
    assert cli.main(["boards", "--json"]) == 0
    boards = {board["name"]: board for board in json.loads(capsys.readouterr().out)}
    assert boards["ulx3s-85f"]["resources"]["DP16KD"] == 208


def test_models_and_inspect(capsys):
    assert cli.main(["models", "--json"]) == 0
    models = json.loads(capsys.readouterr().out)
    assert [model["default"] for model in models].count(True) == 1
    assert all(len(model["hash"]) == 64 for model in models)
    assert cli.main(["models"]) == 0
    listing = capsys.readouterr().out
    assert all(model["name"] in listing for model in models)
    name = next(model["name"] for model in models if model["default"])
    assert cli.main(["inspect", name, "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert (info["name"], info["hash"]) == (name, next(model["hash"] for model in models if model["default"]))
    assert cli.main(["inspect", name]) == 0
    assert "g_a.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "no verb given; there are boards, models, "),
        (["frobnicate"], "argument VERB: invalid choice: 'frobnicate' "),
        (["boards", "--nonsense"], "unrecognized arguments: --nonsense (see: licgate --help)"),
        (["build"], "the following arguments are required: --board (see: licgate build --help)"),
        (["build", "--board", "nexys"], "unknown board 'nexys'; there are: "),
        (["build", "--board", "ulx3s-85f", "--model", "nope"], "unknown model 'nope'; there are: "),
        (["build", "--board", "ulx3s-85f", "--rows", "13", "--cols", "13"], "an array of 13 x 13 needs 169 "),
        (["build", "--board", "ulx3s-85f", "--rows", "0"], "argument --rows: '0' is not a positive number"),
        (["build", "--board", "ulx3s-85f", "--rows", "x"], "argument --rows: 'x' is not a positive number"),
        (["build", "--board", "ulx3s-85f", "--frequency", "nan"], "a clock of nan MHz makes no sense"),
        (["build", "--board", "ulx3s-85f", "--image", "12"], "argument --image: '12' is not WIDTHxHEIGHT"),
        (["inspect", "no/such/model"], "unknown model 'no/such/model'"),
    ],
)
def test_errors(capsys, argv, message):
    assert fails(capsys, *argv).startswith(message)


def test_unwritable_output(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    message = fails(capsys, "build", "--board", "ulx3s-85f", "--out", str(tmp_path / "file" / "out"))
    assert message.startswith(f"cannot write to the output folder {tmp_path / 'file' / 'out'}: ")


def verb(monkeypatch, body):
    monkeypatch.setattr(cli, "run_models", body)
    return ["models"]


@pytest.mark.parametrize(("error", "code"), [(LicgateError("a\nb"), 2), (TimingError("a b"), 4)])
def test_exit_codes(capsys, monkeypatch, error, code):
    def body(args):
        raise error

    assert fails(capsys, *verb(monkeypatch, body), code=code) == "a b"


def test_interrupt(capsys, monkeypatch):
    def body(args):
        raise KeyboardInterrupt

    assert cli.main(verb(monkeypatch, body)) == 130
    assert capsys.readouterr().err == "licgate: interrupted\n"


def test_missing_torch(capsys, monkeypatch):
    def body(args):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    message = fails(capsys, *verb(monkeypatch, body))
    assert message == "torch is not installed; install it with: pip install 'licgate[train]'"


def test_a_missing_module_of_our_own_is_a_bug_and_shows(monkeypatch):
    def body(args):
        raise ModuleNotFoundError("No module named 'licgate.nope'", name="licgate.nope")

    with pytest.raises(ModuleNotFoundError):
        cli.main(verb(monkeypatch, body))


def licgate(*argv, **options):
    return subprocess.run(
        [sys.executable, "-m", "licgate", *argv], cwd=ROOT, capture_output=True, text=True, check=False, **options
    )


def test_as_a_module():
    result = licgate("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("licgate 0.")
    result = licgate("build", "--board", "nexys")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes break differently there")
def test_broken_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        result = subprocess.run(
            [sys.executable, "-m", "licgate", "boards", "--json"],
            cwd=ROOT,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
def test_termination_ends_the_tools_too(tmp_path):
    code = (
        "import sys, time\nfrom licgate import cli\nfrom licgate.synth.toolchain import Tool, run_tool\n"
        "from pathlib import Path\n"
        f"tool = Tool('sleeper', 'x', 'sleeper', 'run')\nfolder = Path({str(tmp_path)!r})\n"
        "def body(args):\n    run_tool(tool, folder=folder, log='log', label='x')\n"
        "cli.run_models = body\nsys.exit(cli.main(['models']))\n"
    )
    (tmp_path / "sleeper.py").write_text(
        "import os, sys, time\nfrom pathlib import Path\n"
        "def run(argv):\n    Path('pid.new').write_text(str(os.getpid()))\n    os.rename('pid.new', 'pid')\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT)
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=30) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device there")
@pytest.mark.parametrize("argv", [["models"], ["boards", "--json"], ["registers"]])
def test_a_full_disk_behind_standard_output_is_one_line(argv):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "licgate", *argv]
        result = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "licgate: error: standard output: No space left on device\n"


def test_names_that_the_terminal_cannot_print(tmp_path):
    name = tmp_path / "é€.lic"
    name.write_text("no file of ours")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    result = licgate("info", str(name), env=environment)
    assert result.returncode == 2
    assert result.stderr.startswith(f"licgate: error: {tmp_path}/\\xe9\\u20ac.lic: not a .lic file")
    code = "from licgate import cli; cli.run_models = lambda args: print('\\u20ac'); cli.main(['models'])"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("\\u20ac\n", "")


def test_an_error_of_the_system_is_one_line(capsys, monkeypatch):
    def body(args):
        raise OSError(30, "Read-only file system", "/ro/a")

    assert fails(capsys, *verb(monkeypatch, body)) == "/ro/a: Read-only file system"
