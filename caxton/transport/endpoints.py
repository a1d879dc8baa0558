"""Where everybody listens: the runtime directory and the names in it. A name belongs to one life, and to no other."""

import os
from contextlib import suppress
from pathlib import Path

from caxton.directories import own_directory
from caxton.errors import ConfigurationError
from caxton.ids import SESSION_BIT

# sockaddr_un holds 108 bytes, the last one zero.
LONGEST_PATH = 107
_LONGEST_NAME = "s-0123456789abcdef.control"
# What there may be of one peer; `new` is a book that is not locked yet.
_KINDS = ("data", "control", "book", "new", "note", "principal")
SUPERVISOR = 0
IPC = "ipc://"


class RuntimeDir:
    """The directory of sockets and books of one running runtime. Only its owner may enter."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def check(self) -> None:
        """Raise ConfigurationError unless sockets fit in it and nobody else may enter; create it if it is not there."""
        self.check_names()
        own_directory(self.path)

    def check_names(self) -> int:
        """Return how long the name of a socket is at most, in bytes; raise ConfigurationError where it does not fit."""
        longest = len(os.fsencode(self.path / _LONGEST_NAME))
        if longest > LONGEST_PATH:
            raise ConfigurationError(
                str(self.path),
                f"too long for socket names ({longest} bytes with them, and {LONGEST_PATH} fit)",
                "choose a shorter --runtime-dir, such as /run/user/$UID/caxton",
            )
        return longest

    @property
    def calls(self) -> str:
        """Where the supervisor answers clients."""
        return f"{IPC}{self.path}/supervisor.calls"

    def data(self, peer: int) -> str:
        """Where a peer takes data frames."""
        return f"{IPC}{self.path}/{_name(peer)}.data"

    def control(self, peer: int) -> str:
        """Where a peer takes control frames."""
        return f"{IPC}{self.path}/{_name(peer)}.control"

    def book(self, peer: int) -> Path:
        """The mapped file with a peer's counters."""
        return self.path / f"{_name(peer)}.book"

    def principal(self, session: int) -> Path:
        """The file that says for whom a session acts, if it is not its own user."""
        return self.path / f"{_name(session)}.principal"

    def crash_note(self, incarnation: int) -> Path:
        """The mapped file that says what a worker is doing."""
        return self.path / f"{_name(incarnation)}.note"

    def needed(self, peer: int) -> list[Path]:
        """What is there of a worker, or of the supervisor, as long as it serves."""
        if peer == SUPERVISOR:
            return [self.path / "supervisor.calls", self.path / "supervisor.control"]
        return [self.path / f"{_name(peer)}.{kind}" for kind in ("data", "control", "book", "note")]

    def everything(self) -> list[Path]:
        """The sockets, books and notes that are there, whoever's they are."""
        patterns = ("supervisor.*", *(f"{who}-*.{kind}" for who in "ws" for kind in _KINDS))
        return [path for pattern in patterns for path in self.path.glob(pattern)]

    def forget(self, peer: int) -> None:
        """Delete what a peer that ended has left behind.

        What is no file, and can only have been put there by somebody who wants to be in the way, stays: it is in
        nobody's way, because no name comes again in this run, and the next one removes it.
        """
        for kind in _KINDS:
            with suppress(OSError):
                (self.path / f"{_name(peer)}.{kind}").unlink(missing_ok=True)


def _name(peer: int) -> str:
    if peer == SUPERVISOR:
        return "supervisor"
    return f"s-{peer:016x}" if peer & SESSION_BIT else f"w-{peer}"
