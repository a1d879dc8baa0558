"""The module cache gives back what was put, or nothing."""

import hashlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.errors import ConfigurationError, StorageError
from caxton.store.module_cache import ModuleCache

KEY = b"k" * 32
ENGINE = "00ff00ff00ff00ff"
SHA = hashlib.sha256(b"source").digest()


@pytest.fixture
def cache(tmp_path):
    return ModuleCache(tmp_path / "modules", KEY)


def test_a_source_comes_back_under_its_sha256(cache):
    """What was put is found by its hash, once, however often it is put."""
    assert cache.put_source(b"wasm") == cache.put_source(b"wasm") == hashlib.sha256(b"wasm").digest()
    assert cache.source(hashlib.sha256(b"wasm").digest()) == b"wasm"
    assert cache.sources() == [hashlib.sha256(b"wasm").digest()]


def test_what_was_never_put_is_none(cache):
    """Absence is None and not an error, and it is not counted."""
    assert cache.source(SHA) is None
    assert cache.artifact(SHA, ENGINE) is None
    assert cache.sources() == []
    assert cache.rejected == 0


def test_a_damaged_source_is_refused_counted_and_replaced(cache, tmp_path):
    """Bytes that do not have the hash of their name are not given out; putting them again heals the file."""
    sha256 = cache.put_source(b"wasm")
    (path,) = (tmp_path / "modules").glob("*.wasm")
    path.write_bytes(b"evil")
    assert cache.source(sha256) is None
    assert cache.rejected == 1
    cache.put_source(b"wasm")
    assert cache.source(sha256) == b"wasm"


def test_an_artifact_belongs_to_its_source_its_engine_and_its_key(cache, tmp_path):
    """A file moved to another name, or read with another key, does not carry the right mark."""
    cache.put_artifact(SHA, ENGINE, b"native")
    assert cache.artifact(SHA, ENGINE) == b"native"
    directory = tmp_path / "modules"
    (path,) = directory.glob("*.native")
    other_sha, other_engine = hashlib.sha256(b"other").digest(), "11ff00ff00ff00ff"
    (directory / f"{other_sha.hex()}.{ENGINE}.native").write_bytes(path.read_bytes())
    (directory / f"{SHA.hex()}.{other_engine}.native").write_bytes(path.read_bytes())
    assert cache.artifact(other_sha, ENGINE) is None
    assert cache.artifact(SHA, other_engine) is None
    assert cache.rejected == 2
    assert ModuleCache(directory, b"another key").artifact(SHA, ENGINE) is None


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_change_of_an_artifact_goes_unseen(cache, tmp_path, data):
    """Any one byte changed, cut off or added makes the artifact absent."""
    cache.put_artifact(SHA, ENGINE, b"native code")
    (path,) = (tmp_path / "modules").glob("*.native")
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = [whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :], whole[:at], whole + bytes([flip])]
    for content in changed:
        path.write_bytes(content)
        assert cache.artifact(SHA, ENGINE) is None


def test_only_the_owner_may_look(cache, tmp_path):
    """The directory is 0700 and its files are 0600, whatever the umask allows."""
    old = os.umask(0)
    try:
        other = ModuleCache(tmp_path / "open", KEY)
        other.put_source(b"wasm")
        other.put_artifact(SHA, ENGINE, b"native")
    finally:
        os.umask(old)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "open").iterdir()} == {0o600}


def test_a_directory_that_others_may_enter_is_refused(tmp_path):
    """The error says what to do."""
    (tmp_path / "modules").mkdir(mode=0o755)
    (tmp_path / "modules").chmod(0o755)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        ModuleCache(tmp_path / "modules", KEY)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to(path.parent.parent / "elsewhere"), os.mkfifo])
def test_what_is_no_file_is_no_module(cache, tmp_path, make):
    """A link or a FIFO in the place of a file is counted, not followed, not waited for, and replaced by the next."""
    sha256 = cache.put_source(b"wasm")
    (path,) = (tmp_path / "modules").glob("*.wasm")
    path.rename(tmp_path / "elsewhere")
    make(path)

    assert cache.source(sha256) is None
    assert cache.rejected == 1
    assert cache.put_source(b"wasm") == sha256
    assert cache.source(sha256) == b"wasm"


def test_a_directory_in_the_place_of_a_module_stays(cache, tmp_path):
    """A directory is no module, and nothing of it is removed: what cannot be kept there is a StorageError."""
    sha256 = cache.put_source(b"wasm")
    (path,) = (tmp_path / "modules").glob("*.wasm")
    path.unlink()
    path.mkdir()
    (path / "somebodys").touch()

    assert cache.source(sha256) is None
    with pytest.raises(StorageError):
        cache.put_source(b"wasm")
    assert (path / "somebodys").exists()


def test_a_write_that_fails_leaves_what_was_there(cache, tmp_path, monkeypatch):
    """When the disk refuses, the error is typed, the old file is whole and no partial one remains."""
    cache.put_artifact(SHA, ENGINE, b"old")

    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="No space left"):
        cache.put_artifact(SHA, ENGINE, b"new")
    assert cache.artifact(SHA, ENGINE) == b"old"
    assert len(list((tmp_path / "modules").iterdir())) == 1


def test_what_dead_writers_left_is_removed(cache, tmp_path):
    """remove_partial removes unfinished files and nothing else."""
    cache.put_source(b"wasm")
    (tmp_path / "modules" / ".partial-abc").write_bytes(b"half")
    assert cache.remove_partial() == 1
    assert cache.remove_partial() == 0
    assert len(cache.sources()) == 1


def test_files_of_other_names_are_no_sources(cache, tmp_path):
    """What somebody else put into the directory is not listed."""
    (tmp_path / "modules" / "notes.wasm").write_bytes(b"")
    (tmp_path / "modules" / "README").write_bytes(b"")
    assert cache.sources() == []


@pytest.mark.parametrize("engine_id", ["", "../../etc", "XYZ", "a.b"])
def test_an_engine_id_is_not_a_path(cache, engine_id):
    """Nothing but hex digits goes into a file's name."""
    with pytest.raises(ValueError, match="hex digits"):
        cache.put_artifact(SHA, engine_id, b"native")


def aged(cache, tmp_path, **ages):
    """Put modules, each last used so many nanoseconds after 1970; returns their sha256s."""
    found = []
    for name, at_ns in ages.items():
        sha256 = cache.put_source(name.encode() * 100)
        cache.put_artifact(sha256, ENGINE, b"native" * 100)
        found.append(sha256)
        for path in (tmp_path / "modules").glob(f"{sha256.hex()}.*"):
            os.utime(path, ns=(0, at_ns))
    return found


def test_modules_that_nobody_used_for_long_go(cache, tmp_path):
    """All files of a module that was not used since then are removed, those of others and what is no module stay."""
    old, older, young = aged(cache, tmp_path, old=50, older=40, young=100)
    (tmp_path / "modules" / "README").write_text("not ours")
    assert cache.sweep(100, 0) == [older, old]
    assert cache.sources() == [young]
    assert cache.artifact(young, ENGINE) is not None
    assert len(list((tmp_path / "modules").iterdir())) == 3
    assert cache.sweep(100, 0) == []


def test_the_last_used_are_kept_within_their_bytes(cache, tmp_path):
    """Of unused modules those go first that were used longest ago, until the rest is no larger than may be kept."""
    one, _, _ = aged(cache, tmp_path, one=1, two=2, six=3)
    size = sum(path.stat().st_size for path in (tmp_path / "modules").glob(f"{one.hex()}.*"))
    assert cache.sweep(100, 3 * size) == []
    assert cache.sweep(100, 3 * size - 1) == [one]
    assert cache.sweep(100, 2 * size) == []


def test_what_is_marked_as_used_stays(cache, tmp_path):
    """Whoever marks a module is told whether it is there, and it is not taken for unused any more."""
    used, unused = aged(cache, tmp_path, used=1, unused=1)
    assert cache.touch(used, ENGINE)
    assert not cache.touch(used, "11ff00ff00ff00ff")
    assert not cache.touch(SHA, ENGINE)
    assert cache.sweep(100, 0) == [unused]


def test_a_module_that_is_used_during_a_sweep_stays(cache, tmp_path, monkeypatch):
    """Between the look at all modules and the removal of one it may be deployed: it is looked at again."""
    one, two = aged(cache, tmp_path, one=1, two=2)
    looked = cache._kept

    def looked_and_used(*names):
        found = looked(*names)
        if not names:  # at all of them, and not under the lock
            cache.touch(two, ENGINE)
        return found

    monkeypatch.setattr(cache, "_kept", looked_and_used)
    assert cache.sweep(100, 0) == [one]
    assert cache.artifact(two, ENGINE) is not None


def test_a_module_without_its_source_is_marked_all_the_same(cache):
    """The artifact is what agents are made from."""
    cache.put_artifact(SHA, ENGINE, b"native")
    assert cache.touch(SHA, ENGINE)


def test_a_cache_that_is_gone_is_told(cache, tmp_path):
    """Neither marking nor sweeping ends in anything but a StorageError, or in nothing to do."""
    (tmp_path / "modules").rmdir()
    assert not cache.touch(SHA, ENGINE)
    assert cache.sweep(100, 0) == []
