"""Files that are written whole or not at all."""

from pathlib import Path

import pytest

from licgate.errors import ConfigError, LicgateError
from licgate.files import check_new, write_whole


@pytest.mark.parametrize(("content", "expected"), [(b"\x00\xff", b"\x00\xff"), ("µ\n", "µ\n".encode())])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path, content, expected):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    write_whole(path, content)
    assert path.read_bytes() == expected
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_said_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write .*a/b: No such file or directory$"):
        write_whole(tmp_path / "a" / "b", b"")
    with pytest.raises(ConfigError, match=r"cannot write .*: not a regular file$"):
        write_whole(tmp_path, "")
    assert tmp_path.is_dir()


def test_a_system_that_may_only_be_read_is_one_line(tmp_path, monkeypatch):
    def refused(path, *_, **__):
        raise OSError(30, "Read-only file system", str(path))

    for name in ("write_bytes", "unlink", "touch"):
        monkeypatch.setattr(Path, name, refused)
    with pytest.raises(ConfigError, match=r"cannot write .*/a: Read-only file system$"):
        write_whole(tmp_path / "a", b"")
    with pytest.raises(ConfigError, match=r"cannot write .*/a: Read-only file system$"):
        check_new(tmp_path / "a")
    from licgate.images import save_image, synthetic_image
    from licgate.manifest import save_manifest
    from licgate.manifest.synthetic import synthetic_manifest

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(LicgateError, match="Read-only file system"):
        save_image(synthetic_image(8, 8), tmp_path / "a.png")
    with pytest.raises(LicgateError, match="Read-only file system"):
        save_manifest(synthetic_manifest(), tmp_path / "model")


@pytest.mark.parametrize("name", ["a", "new/folder/a", "b"])
def test_what_can_be_written_is_left_as_it_was(tmp_path, name):
    (tmp_path / "b").write_text("old")
    check_new(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "old"


@pytest.mark.parametrize("name", ["b/a", "n" * 300, "b/c/d"])
def test_what_cannot_be_made_is_known_before(tmp_path, name):
    (tmp_path / "b").write_text("a file")
    with pytest.raises(ConfigError, match="cannot write"):
        check_new(tmp_path / name)
