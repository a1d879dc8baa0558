import fcntl
import os

import pytest

from caxton.errors import ResourceExhausted
from caxton.ids import SESSION_BIT
from caxton.supervisor.desk.sessions import ARRIVAL_TIMEOUT_S, MAX_SESSIONS, Sessions


@pytest.fixture
def sessions(tmp_path):
    return Sessions(lambda number: tmp_path / f"{number:x}")


def locked(path):
    """Create a file and hold its lock; returns the descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_a_session_lives_while_its_file_is_locked(sessions, tmp_path):
    """A session whose file is locked lives however old it is, and has ended as soon as the lock is dropped."""
    session = sessions.open(1, "client", 0.0)
    lock = locked(tmp_path / f"{session.number:x}")

    assert sessions.remove_ended(1_000.0) == []
    os.close(lock)
    assert sessions.remove_ended(1_000.1) == [session]
    assert len(sessions) == 0


def test_a_client_has_time_to_come(sessions, tmp_path):
    """Before its lock was seen, a session without a file, or with one not locked yet, has a while to come."""
    absent, late = sessions.open(1, "absent", 0.0), sessions.open(1, "late", 0.0)
    (tmp_path / f"{late.number:x}").touch()

    assert sessions.remove_ended(ARRIVAL_TIMEOUT_S) == []
    lock = locked(tmp_path / f"{late.number:x}")
    assert sessions.remove_ended(ARRIVAL_TIMEOUT_S + 0.1) == [absent]
    os.close(lock)


def test_sessions_are_bounded(sessions):
    """Beyond the bound a client is refused; when somebody has left, there is room again."""
    numbers = {sessions.open(1, "client", 0.0).number for _ in range(MAX_SESSIONS)}

    with pytest.raises(ResourceExhausted, match="sessions"):
        sessions.open(1, "client", 0.0)
    assert len(numbers) == MAX_SESSIONS
    assert all(SESSION_BIT <= number < 2**64 - 1 for number in numbers)
    sessions.remove_ended(ARRIVAL_TIMEOUT_S + 1.0)
    sessions.open(1, "client", 10.0)
