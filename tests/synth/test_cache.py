"""Build cache and output folder: whole or not at all."""

import os

import pytest

from licgate.errors import ConfigError
from licgate.synth.cache import BuildCache, cache_key
from licgate.synth.output import OutputFolder


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_text("A")
    (folder / "b").write_text("B")
    return folder


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def test_keys_tell_where_parts_end():
    keys = [cache_key("ab", "c"), cache_key("a", "bc"), cache_key("abc"), cache_key(b"abc", ""), cache_key("abd")]
    assert len(set(keys)) == len(keys)
    assert cache_key("ab", b"c") == keys[0]


def test_store_and_fetch(tmp_path, source, target):
    cache = BuildCache(tmp_path / "cache")
    assert not cache.fetch("k", ["a", "b"], target)
    cache.store("k", ["a", "b"], source)
    assert cache.fetch("k", ["a", "b"], target)
    assert ((target / "a").read_text(), (target / "b").read_text()) == ("A", "B")
    (tmp_path / "cache" / "k" / "b").unlink()
    assert not cache.fetch("k", ["a", "b"], target)


def test_a_failed_store_leaves_nothing(tmp_path, source, target):
    cache = BuildCache(tmp_path / "cache")
    cache.store("k", ["a", "missing"], source)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_oldest_entries_go(tmp_path, source):
    cache = BuildCache(tmp_path / "cache", keep=2)
    for age, key in enumerate("xyz"):
        cache.store(key, ["a"], source)
        os.utime(tmp_path / "cache" / key, (1000 + age, 1000 + age))
    cache.store("w", ["a"], source)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["w", "z"]


def test_no_cache_and_a_cache_that_cannot_be_written(tmp_path, source, target):
    (tmp_path / "file").write_text("")
    for cache in (BuildCache(None), BuildCache(tmp_path / "file" / "cache")):
        cache.store("k", ["a"], source)
        assert not cache.fetch("k", ["a"], target)


def test_output_folder(tmp_path):
    output = OutputFolder(tmp_path / "a" / "b")
    assert output.write("x", "one") == "x"
    output.write("x", "two")
    assert [(path.name, path.read_text()) for path in output.path.iterdir()] == [("x", "two")]
    output.remove("x")
    output.remove("x")
    assert list(output.path.iterdir()) == []


def test_output_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=r"^cannot write to the output folder .*file.*: "):
            OutputFolder(path)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    output = OutputFolder(tmp_path)
    output.write("x", "old")
    with pytest.raises(ConfigError, match=r"^cannot write .*x: "):
        output.copy(tmp_path / "missing", "x")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]
