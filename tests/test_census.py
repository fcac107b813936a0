"""The census, on a tree made up so that it has one of everything."""

import json
import subprocess

import pytest

from tests import census


def numbered(name, count, indent=""):
    """Return lines that are all different."""
    return "".join(f"{indent}{name}{index} = {index}\n" for index in range(count))


REPEATED = "".join(f"    total += part[{index}]  # {{}}\n" for index in range(7))

TREE = {
    "licgate/__init__.py": "from licgate.codec import codec\n",
    "licgate/files.py": '"""Files."""\n',
    "licgate/manifest/one.py": "def late():\n    from .two import b\n    return b\n",
    "licgate/manifest/two.py": "from licgate.manifest import one\n\nb = one\n",
    "licgate/manifest/up.py": "import licgate.perf.low\nfrom licgate.files import nothing\n",
    "licgate/perf/low.py": "def f(part, total):\n" + REPEATED.format(*"abcdefg") + "    return total\n",
    "licgate/perf/high.py": (
        "class Wide:\n"
        "    def nine(self, a, b, c, d, e, f, g, /, h, *, i):\n"
        '        """Say nothing."""\n'
        "    def eight(self, a, b, c, d, e, f, g, h, *rest, **more):\n        pass\n"
        "    @staticmethod\n    def still(a, b, c, d, e, f, g, h, i):\n        pass\n"
        "def g(part, total):\n\n" + REPEATED.replace("7", "8").format(*"ABCDEFG").replace("  #", "\n    #") + "\n"
    ),
    "licgate/codec/long.py": "def sixty():\n"
    + numbered("a", 59, "    ")
    + "\n\ndef more():\n"
    + '    """1\n    2"""\n'
    + numbered("b", 60, "    "),
    "licgate/codec/codec.py": numbered("x", 301),
}


def test_every_figure_of_a_small_tree():
    found = census.census(TREE)
    places = {name.split(" ")[0] + " " + name.split(" ")[-1]: value for name, value in found["places"].items()}
    assert found["rooms"] == {"(files)": 2, "codec": 426, "manifest": 8, "perf": 34}
    assert found["figures"]["lines"] == 470
    assert found["figures"]["lines of the hardware rooms"] == 34
    assert found["figures"]["statements, docstrings apart"] == 301 + 121 + 1 + 7 + 9 + 14
    assert list(places.values()) == [
        ["301 licgate/codec/codec.py"],
        ["61 licgate/codec/long.py:63 more"],
        ["9 licgate/perf/high.py:7 Wide.still", "9 licgate/perf/high.py:2 Wide.nine"],
        ["licgate/manifest/one.py <-> licgate/manifest/two.py"],
        [],
        ["licgate/manifest/up.py -> licgate/perf/low.py"],
        ["7 licgate/perf/low.py:2 licgate/perf/high.py:11"],
    ]
    assert list(found["figures"].values())[3:] == [1, 1, 2, 1, 0, 1, 1]


def test_rooms_that_import_each_other_are_a_circle_though_their_files_are_none():
    tree = {
        "licgate/sim/a.py": "import licgate.synth.b",
        "licgate/synth/b.py": "",
        "licgate/synth/c.py": "import licgate.sim.a",
    }
    found = census.census(tree)["places"]
    assert found["circles between rooms"] == ["sim <-> synth"]
    assert found["circles of imports between files"] == []
    assert found["imports that run up"] == []


def test_a_run_of_five_lines_is_no_repetition_and_one_of_one_file_is():
    five, six = numbered("a", 5), numbered("a", 6)
    assert census.repetitions({"licgate/a.py": five, "licgate/b.py": five}) == []
    assert census.repetitions({"licgate/a.py": six + "b = 1\n" + six}) == ["6 licgate/a.py:1 licgate/a.py:8"]
    assert census.repetitions({"licgate/a.py": "a = 1\n" * 11}) == []


def test_a_revision_is_counted_as_the_tree_that_it_was(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=tmp_path, check=True)

    package = tmp_path / "licgate"
    package.mkdir()
    (package / "files.py").write_text("a = 'é'\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    (package / "files.py").write_text("a = 1\nb = 2\n")
    assert census.revision("HEAD", tmp_path) == {"licgate/files.py": "a = 'é'\n"}
    assert census.working_tree(tmp_path) == {"licgate/files.py": "a = 1\nb = 2\n"}
    with pytest.raises(SystemExit, match=r"census: .*nothing"):
        census.revision("nothing", tmp_path)


def test_the_command_line_prints_columns_and_json(monkeypatch, capsys):
    monkeypatch.setattr(census, "working_tree", lambda: TREE)
    monkeypatch.setattr(census, "revision", lambda name: {"licgate/files.py": "a = 1\n"})
    census.main(["--since", "then", "--places"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["then", "working", "tree"]
    assert [line.split()[1:] for line in lines if line.startswith("lines  ")] == [["1", "470"]]
    assert "  licgate/manifest/up.py -> licgate/perf/low.py" in lines
    census.main(["--ref", "then", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["then"]["figures"]["lines"] == 1
