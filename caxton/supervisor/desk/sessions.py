"""Who is connected. A client lives as long as it holds the lock of its session's file, which the kernel drops."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from caxton.ids import SESSION_BIT
from caxton.links.session import session_id
from caxton.store.directory_lock import is_locked
from caxton.transport.descriptors import Room

# A client that has not locked its file this long after it was let in has not come.
ARRIVAL_TIMEOUT_S = 5.0


@dataclass
class Session:
    """One connected client. `pid` and `client` are what it says of itself: for people only. principal: it acts for.

    line: the connection to the supervisor on which it was opened.
    """

    number: int
    pid: int
    client: str
    opened_s: float
    principal: str = ""
    line: int = 0


class Sessions:
    """The sessions that are open. `book_of` names the file that a session holds locked while it is there.

    room: how many there may be.
    """

    def __init__(self, book_of: Callable[[int], Path], room: Room) -> None:
        self._book_of = book_of
        self.room = room
        self._open: dict[int, Session] = {}
        # Over, and not closed yet: each has its place until `take_ended`.
        self._ended: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, pid: int, client: str, now_s: float, principal: str = "", line: int = 0) -> Session:
        """Let a client in under a number that nobody can guess; raises ResourceExhausted when there are too many."""
        if len(self._open) + len(self._ended) >= self.room.most_sessions:
            raise self.room.full()
        number = session_id(secrets.randbits(SESSION_BIT.bit_length() - 1))
        session = Session(number, pid, client, now_s, principal, line)
        self._open[session.number] = session
        return session

    def principal_of(self, number: int) -> str:
        """Return for whom an open session acts, "" for its own user and for one that is not open."""
        session = self._open.get(number)
        return "" if session is None else session.principal

    def principal_on(self, line: int) -> str:
        """Return for whom whoever speaks on this line acts, "" for the runtime's owner."""
        here = {session.principal for session in self._open.values() if session.line == line}
        return ", ".join(sorted(here - {""}))

    def is_owners(self, line: int) -> bool:
        """Tell whether whoever speaks on this line has a session, and acts for nobody but the runtime's owner."""
        here = [session.principal for session in self._open.values() if session.line == line]
        return bool(here) and not any(here)

    def end(self, number: int) -> bool:
        """Its client says that a session is over; False when it is not open."""
        session = self._open.pop(number, None)
        if session is None:
            return False
        self._ended[number] = session
        return True

    def look(self, now_s: float) -> None:
        """Look which clients are gone without a word."""
        for session in [session for session in self._open.values() if self._is_gone(session, now_s)]:
            self.end(session.number)

    def take_ended(self, most: int) -> list[Session]:
        """Return up to so many sessions that are over, and forget them."""
        return [self._ended.pop(number) for number in list(islice(self._ended, most))]

    def _is_gone(self, session: Session, now_s: float) -> bool:
        # A session's file bears its name from the moment that it is locked, and not before.
        there = is_locked(self._book_of(session.number))
        return not there if there is not None else now_s - session.opened_s > ARRIVAL_TIMEOUT_S
