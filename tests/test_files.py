"""Files that are written whole or not at all."""

import pytest

from licgate.errors import ConfigError
from licgate.files import write_whole


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
