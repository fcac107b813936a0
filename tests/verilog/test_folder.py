"""A folder appears whole, and replaces none but its like."""

import pytest

from licgate.errors import ConfigError
from licgate.verilog.folder import check_folder, write_folder

FILES = {"mark": "1\n", "deep/er/file.v": "// ä\n"}


def test_it_is_written_with_its_folders(tmp_path):
    out = tmp_path / "new" / "out"
    check_folder(out, "mark")
    out.parent.mkdir()
    write_folder(out, FILES)
    assert (out / "deep" / "er" / "file.v").read_text(encoding="utf-8") == "// ä\n"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_its_like_is_replaced_only_by_force(tmp_path):
    out = tmp_path / "out"
    write_folder(out, FILES)
    with pytest.raises(ConfigError, match=r"out holds an accelerator already: give another --out, or --force"):
        check_folder(out, "mark")
    check_folder(out, "mark", force=True)
    write_folder(out, {"mark": "2\n"})
    assert [path.name for path in out.iterdir()] == ["mark"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_files_of_others_stay(force, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="holds files of others: give another --out"):
        check_folder(tmp_path, "mark", force=force)
    with pytest.raises(ConfigError, match=r"thesis.tex is no folder"):
        check_folder(tmp_path / "thesis.tex", "mark", force=force)
    check_folder(tmp_path / "empty", "mark")
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty", "mark")


def test_what_is_there_stays_when_a_write_fails(tmp_path):
    out = tmp_path / "out"
    write_folder(out, FILES)
    with pytest.raises(ConfigError, match=r"^cannot write"):
        write_folder(out, {"mark": "2\n", "mark/file": "no folder"})
    assert (out / "mark").read_text() == "1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
