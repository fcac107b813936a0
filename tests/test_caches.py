"""Caches that cannot be written cost what they would have saved, and a note; never a run."""

import os
import subprocess
import sys
from pathlib import Path

from licgate import caches
from licgate.caches import cache_folder, usable

ROOT = Path(__file__).resolve().parents[1]


def test_where_it_is(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "licgate"
    assert cache_folder("a", "b") == tmp_path / "x" / "licgate" / "a" / "b"
    assert cache_folder("a", "b").is_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "licgate"
    assert not list(cache_folder().iterdir())
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_made(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = cache_folder("cxxrtl")
    (folder / "new").touch()
    assert cache_folder("cxxrtl") == folder
    note = capsys.readouterr().err
    assert note.startswith(
        f"licgate: note: nothing is kept for the next run: cannot write to {tmp_path / 'file'}/licgate"
    )
    assert note.endswith(": Not a directory (XDG_CACHE_HOME can name another place)\n")
    assert note.count("\n") == 1  # said once


def test_a_folder_that_is_read_only(monkeypatch, tmp_path, capsys):
    def refused(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(caches.tempfile, "TemporaryFile", refused)
    assert usable(tmp_path, "HERE") != tmp_path
    assert capsys.readouterr().err.endswith("Read-only file system (HERE can name another place)\n")


def test_no_home_at_all(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *args, **options: "~/.cache/licgate")
    assert cache_folder().is_dir()
    assert "there is no home folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_goes_with_the_process(tmp_path):
    (tmp_path / "file").touch()
    code = "from licgate.caches import cache_folder\nprint(cache_folder())"
    environment = os.environ | {"HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "note: nothing is kept" in done.stderr
    assert not Path(done.stdout.strip()).exists()
