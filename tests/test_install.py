"""What is installed: a wheel by itself, in an environment of its own, used from a folder that is empty."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import licgate
from licgate.manifest import save_manifest
from tests.explore.kit import OWN_BOARD
from tests.sim.kit import tiny_codec

ROOT = Path(__file__).resolve().parents[1]
NAMED = ("boards", "models", "sim")

EVERY_VERB = """
from licgate.cli import VERBS, main
for verb in VERBS:
    try:
        main([verb, "--help"])
    except SystemExit as end:
        assert end.code == 0, verb
    else:
        raise AssertionError(verb)
"""

pytestmark = pytest.mark.needs_setuptools


def called(command, folder, **environment):
    """Run a command in a folder; return what it printed."""
    environment = {**os.environ, **environment}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(tree, kind, out):
    """Build an ``sdist`` or a ``wheel`` of a tree, with what is installed; return its path."""
    code = f"import sys; from setuptools.build_meta import build_{kind} as build; print(build(sys.argv[1]))"
    return out / called([sys.executable, "-c", code, out], tree).splitlines()[-1]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources, as building leaves things behind."""
    folder = tmp_path_factory.mktemp("tree with spaces, ü") / "licgate"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "out")
    shutil.copytree(ROOT, folder, ignore=ignored)
    return folder


def test_sdist_and_wheel_hold_what_they_should_and_nothing_else(tree, tmp_path):
    with tarfile.open(built(tree, "sdist", tmp_path)) as archive:
        # Python 3.11 has filters from 3.11.4 on, 3.12 warns without
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert unpacked.name == f"licgate-{licgate.__version__}"
    assert (unpacked / "tests" / "conftest.py").is_file()
    assert (unpacked / "docs" / "numerics.md").is_file()
    (tmp_path / "out").mkdir()
    wheels = built(tree, "wheel", tmp_path), built(unpacked, "wheel", tmp_path / "out")
    lists = [set(zipfile.ZipFile(wheel).namelist()) for wheel in wheels]
    assert lists[0] == lists[1]
    about = {name for name in lists[0] if name.startswith(f"licgate-{licgate.__version__}.dist-info/")}
    sources = [path for path in (tree / "licgate").rglob("*") if path.is_file()]
    wanted = {path.relative_to(tree).as_posix() for path in sources}
    beside = [path for name in NAMED for path in (tree / name).rglob("*") if path.is_file()]
    assert lists[0] - about == wanted | {f"licgate/_data/{path.relative_to(tree).as_posix()}" for path in beside}
    assert {path.suffix for path in sources} == {".py", ".typed"}
    assert any(name.endswith("licenses/LICENSE") for name in about)


@pytest.fixture
def installed(tree, tmp_path):
    """The program of a fresh environment; what licgate depends on is that of this one."""
    wheel = built(tree, "wheel", tmp_path)
    environment = tmp_path / "environment, ü"
    called([sys.executable, "-m", "venv", "--without-pip", environment], tmp_path)
    python = environment / "bin" / "python"
    (packages,) = (environment / "lib").glob("*/site-packages")
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "dependencies.pth").write_text("\n".join(sorted(here)), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check", "install"]
    called([*pip, "--no-deps", "--no-index", wheel], tmp_path)
    where = called([python, "-c", "import licgate; print(licgate.__file__)"], tmp_path)
    assert where.strip() == str(packages / "licgate" / "__init__.py")
    return environment / "bin" / "licgate"


def read(path):
    """Return a result without what differs from run to run."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(found, dict):
        found = {key: value for key, value in found.items() if "seconds" not in key}
    return found


@pytest.mark.slow
@pytest.mark.synth
@pytest.mark.skipif(os.name == "nt", reason="programs lie elsewhere there")
def test_a_wheel_is_all_that_is_needed(installed, tmp_path, photograph):
    """Every step is done by the wheel first, and again by the checkout: with the same result."""
    empty = tmp_path / "mit Leerzeichen und Ümläuten"
    empty.mkdir()
    (tmp_path / "file").touch()
    Image.fromarray(photograph[100:148, 150:214]).save(tmp_path / "Bild ü.png")
    save_manifest(tiny_codec(), tmp_path / "tiny ü")
    Image.fromarray(np.asarray(photograph[100:106, 150:158])).save(tmp_path / "tiny.png")
    # without a home, and with a compiler that is quick rather than good
    compiler = tmp_path / "c++ ü"
    compiler.write_text(f'#!/bin/sh\nexec {shlex.quote(shutil.which("g++"))} "$@" -O0\n', encoding="utf-8")
    compiler.chmod(0o755)
    home = {"HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "CXX": str(compiler)}
    home["YOWASP_CACHE_DIR"] = os.environ.get("YOWASP_CACHE_DIR") or str(Path.home() / ".cache" / "YoWASP")

    def both(*words):
        runs = [installed], [sys.executable, "-m", "licgate"]
        return [called([*run, *words], folder, **home) for run, folder in zip(runs, (empty, ROOT), strict=True)]

    def results(name, *words):
        """What both write as JSON."""
        called([installed, *words, "--json", f"{name} ü.json"], empty, **home)
        called([sys.executable, "-m", "licgate", *words, "--json", tmp_path / f"{name}.json"], ROOT, **home)
        found, wanted = read(empty / f"{name} ü.json"), read(tmp_path / f"{name}.json")
        assert found == wanted
        return found

    assert both("--version") == [f"licgate {licgate.__version__}\n"] * 2
    called([installed.with_name("python"), "-c", EVERY_VERB], empty, **home)
    for verb, key in (("models", "folder"), ("boards", "file")):
        found, wanted = map(json.loads, both(verb, "--json"))
        for rows in found, wanted:
            assert all(Path(row.pop(key)).exists() for row in rows)
        assert found == wanted
        assert len(found) >= 3

    called([installed, "encode", tmp_path / "Bild ü.png", "-o", "Bild ü.lic", "--verify"], empty, **home)
    called([installed, "decode", "Bild ü.lic", "-o", "zurück.png"], empty, **home)
    codec = licgate.load_model()
    data = codec.encode(photograph[100:148, 150:214])
    assert (empty / "Bild ü.lic").read_bytes() == data
    assert np.array_equal(np.asarray(Image.open(empty / "zurück.png")), codec.decode(data))

    # of a small board, as there are fewer arrays to try
    (tmp_path / "mine.py").write_text(OWN_BOARD.replace("24", "6"))
    plan = results("plan", "plan", "--board", tmp_path / "mine.py", "--size", "16x16", "--model", tmp_path / "tiny ü")
    assert plan["plans"][0]["fps"] > 0
    words = ["--model", tmp_path / "tiny ü", "--image", tmp_path / "tiny.png", "--rows", 3, "--cols", 6]
    simulated = results("simulate", "simulate", *words, "--max-width", 16)
    assert simulated["bit_exact"]
    # the checkout found what the wheel had compiled: the sources are the same
    assert len(list((tmp_path / "cache" / "licgate" / "cxxrtl").iterdir())) == 1
    assert sorted(path.name for path in empty.iterdir()) == [
        "Bild ü.lic",
        "plan ü.json",
        "simulate ü.json",
        "zurück.png",
    ]
