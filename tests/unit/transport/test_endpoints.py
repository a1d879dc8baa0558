import pytest

from caxton.errors import ConfigurationError
from caxton.ids import SESSION_BIT
from caxton.transport.endpoints import LONGEST_PATH, SUPERVISOR, RuntimeDir

LONGEST_NAME = len("/s-0123456789abcdef.control")


def test_the_directory_is_made_for_its_owner_alone(tmp_path):
    """A runtime directory that is not there is made, and nobody else may enter."""
    runtime = RuntimeDir(tmp_path / "a" / "b")
    runtime.check()
    runtime.check()

    assert runtime.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_a_directory_that_others_may_enter_is_refused(tmp_path, mode):
    """A directory that group or others may enter is refused, with what to do."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 700"):
        RuntimeDir(tmp_path / "open").check()


def test_paths_fit_in_a_socket_address(tmp_path):
    """A directory whose longest socket name does not fit in a socket's address is refused before anything is made."""
    fits = tmp_path / ("x" * (LONGEST_PATH - LONGEST_NAME - len(str(tmp_path)) - 1))
    RuntimeDir(fits).check()
    with pytest.raises(ConfigurationError, match="too long"):
        RuntimeDir(f"{fits}y" and fits.with_name(f"{fits.name}y")).check()
    assert not fits.with_name(f"{fits.name}y").exists()
    assert len(RuntimeDir(fits).control(SESSION_BIT).removeprefix("ipc://")) == LONGEST_PATH


def test_everybody_has_names_of_their_own(tmp_path):
    """Supervisor, workers and sessions never share a name."""
    runtime = RuntimeDir(tmp_path)
    peers = [SUPERVISOR, 1, 11, 1 << 62, SESSION_BIT | 1, SESSION_BIT | 11]
    names = [name for peer in peers for name in (runtime.data(peer), runtime.control(peer), str(runtime.book(peer)))]

    assert len(set(names)) == 3 * len(peers)
    assert runtime.calls not in names


def test_only_what_a_peer_left_is_forgotten(tmp_path):
    """What a peer left behind is deleted, and what another left is not, however similar their numbers."""
    runtime = RuntimeDir(tmp_path)
    for peer in (1, 11, SESSION_BIT | 1):
        runtime.book(peer).touch()
    runtime.crash_note(1).touch()
    runtime.forget(1)
    runtime.forget(1)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-8000000000000001.book", "w-11.book"]


def test_what_cannot_be_removed_stands_in_nobodys_way(tmp_path):
    """A directory in the place of a file that a peer had stays, and the rest of what it left goes."""
    runtime = RuntimeDir(tmp_path)
    runtime.book(1).mkdir()
    (runtime.book(1) / "full").touch()
    runtime.crash_note(1).touch()
    runtime.forget(1)

    assert [path.name for path in tmp_path.iterdir()] == ["w-1.book"]
