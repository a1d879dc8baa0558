import json
import os
import stat

import pytest

from caxton.config.settings import ServeSettings
from caxton.errors import ConfigurationError, StorageError
from caxton.store.directory_lock import holder
from caxton.supervisor.premises.premises import Premises


@pytest.fixture
def settings(short_dir):
    return ServeSettings(short_dir / "run", short_dir / "data", workers=1)


def test_inside_both_directories_are_held(settings):
    """Inside, both locks are held by this process and runtime.json says whose, to its user alone; outside, neither."""
    before = os.umask(0)
    with Premises(settings) as premises:
        os.umask(before)
        held = [holder(settings.runtime_dir), holder(settings.data_dir)]
        about = json.loads((settings.runtime_dir / "runtime.json").read_text())
        assert premises.identity.shards == 1
        modes = {stat.S_IMODE(path.stat().st_mode) for path in settings.runtime_dir.iterdir()}

    assert modes == {0o600}
    assert [who.pid for who in held] == [os.getpid(), os.getpid()]
    assert (about["pid"], about["run"]) == held[0]
    assert [holder(settings.runtime_dir), holder(settings.data_dir)] == [None, None]
    assert not (settings.runtime_dir / "runtime.json").exists()


def test_only_what_is_ours_is_cleared(settings):
    """Sockets, books and notes of dead lives are removed; a file of another name stays."""
    settings.runtime_dir.mkdir(mode=0o700)
    ours = ["w-3.data", "w-3.control", "w-3.book", "w-3.note", "s-8000000000000001.book", "supervisor.calls"]
    for name in [*ours, "notes.txt"]:
        (settings.runtime_dir / name).touch()

    with Premises(settings):
        left = {path.name for path in settings.runtime_dir.iterdir()}

    assert left == {"lock", "notes.txt", "runtime.json"}


def test_nothing_is_cleared_while_somebody_else_serves(settings, short_dir):
    """Whoever is refused a directory touches nothing in it."""
    with Premises(settings):
        (settings.runtime_dir / "w-1.book").touch()
        others = ServeSettings(settings.runtime_dir, short_dir / "other")
        with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"), Premises(others):
            pass
        assert (settings.runtime_dir / "w-1.book").exists()
        assert (settings.runtime_dir / "runtime.json").exists()


def test_one_directory_for_both_is_refused(short_dir):
    """Runtime and data directory are two; one for both is refused, saying which to change."""
    with pytest.raises(ConfigurationError, match="choose another --data-dir"):
        Premises(ServeSettings(short_dir, short_dir / "." / "x" / "..")).__enter__()


def test_a_refused_entry_holds_nothing(settings):
    """When the identity is damaged, neither lock stays held."""
    settings.data_dir.mkdir(mode=0o700)
    (settings.data_dir / "identity").write_bytes(b"garbage")

    with pytest.raises(StorageError), Premises(settings):
        pass

    assert [holder(settings.runtime_dir), holder(settings.data_dir)] == [None, None]
