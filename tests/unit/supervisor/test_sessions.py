import errno
import fcntl
import os

import pytest

from caxton.errors import ResourceExhausted
from caxton.ids import SESSION_BIT
from caxton.supervisor.desk.sessions import ARRIVAL_TIMEOUT_S, Sessions
from caxton.transport.descriptors import MAX_SESSIONS, Room


@pytest.fixture
def sessions(tmp_path):
    return Sessions(lambda number: tmp_path / f"{number:x}", Room(MAX_SESSIONS, 65_536))


def locked(path):
    """Create a file and hold its lock; returns the descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def ended(sessions, now_s):
    sessions.look(now_s)
    return sessions.take_ended(MAX_SESSIONS)


def test_a_session_lives_while_its_file_is_locked(sessions, tmp_path):
    """A session whose file is locked lives however old it is, and has ended as soon as the lock is dropped."""
    session = sessions.open(1, "client", 0.0)
    lock = locked(tmp_path / f"{session.number:x}")

    assert ended(sessions, 1_000.0) == []
    os.close(lock)
    assert ended(sessions, 1_000.1) == [session]
    assert len(sessions) == 0


def test_a_client_has_time_to_come(sessions, tmp_path):
    """Before its file is there, a session has a while to come."""
    absent, late = sessions.open(1, "absent", 0.0), sessions.open(1, "late", 0.0)

    assert ended(sessions, ARRIVAL_TIMEOUT_S) == []
    lock = locked(tmp_path / f"{late.number:x}")
    assert ended(sessions, ARRIVAL_TIMEOUT_S + 0.1) == [absent]
    os.close(lock)


def test_a_short_life_is_over_when_it_is_over(sessions, tmp_path):
    """A client that came and died between two looks is gone, and does not count as one that is still to come."""
    session = sessions.open(1, "short", 0.0)
    os.close(locked(tmp_path / f"{session.number:x}"))

    assert ended(sessions, 0.1) == [session]


def test_a_client_is_not_gone_because_nobody_can_look(sessions, tmp_path, monkeypatch):
    """A session whose file cannot be opened, for want of a descriptor, goes on."""
    session = sessions.open(1, "client", 0.0)
    lock = locked(tmp_path / f"{session.number:x}")

    def refuse(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert ended(sessions, 1_000.0) == []
    os.close(lock)


def test_a_good_bye_ends_a_session_at_once(sessions, tmp_path):
    """A session whose client says good-bye is not open any more; its place is free once it is closed."""
    session = sessions.open(1, "client", 0.0)

    assert sessions.end(session.number)
    assert not sessions.end(session.number)
    assert len(sessions) == 0
    for _ in range(MAX_SESSIONS - 1):
        sessions.open(1, "client", 0.0)
    with pytest.raises(ResourceExhausted):
        sessions.open(1, "one too many", 0.0)
    assert sessions.take_ended(5) == [session]
    sessions.open(1, "client", 0.0)


def test_ended_sessions_are_taken_some_at_a_time(sessions):
    """Nobody has to close more sessions in one go than they want to."""
    opened = [sessions.open(1, "client", 0.0) for _ in range(5)]
    for session in opened:
        sessions.end(session.number)

    assert sessions.take_ended(2) == opened[:2]
    assert sessions.take_ended(9) == opened[2:]
    assert sessions.take_ended(9) == []


def test_sessions_are_bounded(sessions):
    """Beyond the bound a client is refused; when somebody has left, there is room again."""
    numbers = {sessions.open(1, "client", 0.0).number for _ in range(MAX_SESSIONS)}

    with pytest.raises(ResourceExhausted, match="sessions"):
        sessions.open(1, "client", 0.0)
    assert len(numbers) == MAX_SESSIONS
    assert all(SESSION_BIT <= number < 2**64 - 1 for number in numbers)
    assert len(ended(sessions, ARRIVAL_TIMEOUT_S + 1.0)) == MAX_SESSIONS
    sessions.open(1, "client", 10.0)
