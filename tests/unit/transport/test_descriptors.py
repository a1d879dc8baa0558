import pytest

from caxton.errors import ConfigurationError
from caxton.transport.descriptors import LATE_SESSIONS, MAX_SESSIONS, Room


@pytest.mark.parametrize("shards", [1, 2, 32])
@pytest.mark.parametrize("open_files", [1_024, 4_096, 8_192, 65_536])
def test_what_fits_stays_within_the_open_files(open_files, shards):
    """With every session that is let in, and the late ones, worker and supervisor have files left of their own."""
    room = Room.of(open_files, shards)

    sessions = room.most_sessions + LATE_SESSIONS
    assert 6 * sessions + 6 * shards + 30 < open_files
    assert 3 * sessions + 4 * shards + 30 < open_files


def test_there_is_a_limit_however_many_files_there_may_be():
    """More open files than are of use let in no more sessions than one runtime serves."""
    assert Room.of(1 << 20, 1).most_sessions == MAX_SESSIONS


@pytest.mark.parametrize("shards", [1, 8])
def test_a_limit_that_lets_nobody_in_is_refused(shards):
    """Where not even one client fits, the start says what the limit would have to be, and then one fits."""
    with pytest.raises(ConfigurationError, match="ulimit -n") as caught:
        Room.of(100, shards)

    needed = int(caught.value.problem.split("needs ")[1].split()[0])
    assert Room.of(needed, shards).most_sessions == 1


def test_a_client_too_many_is_told_which_limit_and_what_to_do():
    """The refusal names the open files when these are the limit, and how many sessions fit always."""
    assert "files" not in str(Room.of(1 << 20, 1).full())
    few = Room.of(1_024, 1)
    assert f"the limit is {few.most_sessions}" in str(few.full())
    assert "1024 files: raise it with `ulimit -n`" in str(few.full())
