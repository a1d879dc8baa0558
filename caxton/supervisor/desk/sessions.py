"""Who is connected. A client lives as long as it holds the lock of its session's file, which the kernel drops."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from caxton.errors import ResourceExhausted
from caxton.ids import SESSION_BIT
from caxton.links.session import session_id
from caxton.store.directory_lock import is_locked

MAX_SESSIONS = 1_024
# A client that has not locked its file this long after it was let in has not come.
ARRIVAL_TIMEOUT_S = 5.0


@dataclass
class Session:
    """One connected client. `pid` and `client` are what it says of itself: for people only."""

    number: int
    pid: int
    client: str
    opened_s: float
    arrived: bool = False


class Sessions:
    """The sessions that are open. `book_of` names the file that a session holds locked while it lives."""

    def __init__(self, book_of: Callable[[int], Path]) -> None:
        self._book_of = book_of
        self._open: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def numbers(self) -> list[int]:
        """Every open session's number."""
        return list(self._open)

    def open(self, pid: int, client: str, now_s: float) -> Session:
        """Let a client in under a number that nobody can guess; raises ResourceExhausted when there are too many."""
        if len(self._open) >= MAX_SESSIONS:
            raise ResourceExhausted("sessions", MAX_SESSIONS)
        session = Session(session_id(secrets.randbits(SESSION_BIT.bit_length() - 1)), pid, client, now_s)
        self._open[session.number] = session
        return session

    def remove_ended(self, now_s: float) -> list[Session]:
        """Forget the sessions whose clients are gone, and return them."""
        ended = [session for session in self._open.values() if self._has_ended(session, now_s)]
        for session in ended:
            del self._open[session.number]
        return ended

    def _has_ended(self, session: Session, now_s: float) -> bool:
        if is_locked(self._book_of(session.number)):
            session.arrived = True
            return False
        # Before it was seen locked, the file may stand there unlocked for a moment.
        return session.arrived or now_s - session.opened_s > ARRIVAL_TIMEOUT_S
