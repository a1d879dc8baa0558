"""How many clients fit: what a session costs in open files, in each process, and how many a process may have.

ZeroMQ ends a process that has no descriptor left, so what is admitted follows from the limit, and never meets it.
"""

import resource
from dataclasses import dataclass

from caxton.errors import ConfigurationError, ResourceExhausted

MAX_SESSIONS = 1_024
# Enough for all sessions with many workers; more is not asked for.
_WANTED = 65_536
# An outlet is a socket and an eventfd, and what a peer's outlet is connected to is a socket. In a worker a session has
# two outlets and two connections, and so has another worker, twice while it is being replaced.
_SESSION_IN_WORKER, _WORKER_IN_WORKER = 6, 12
# A notice's outlet and a line to the desk. A worker: an outlet, a connection, its pidfd, and pipes while it is spawned.
_SESSION_IN_SUPERVISOR, _WORKER_IN_SUPERVISOR = 3, 8
# What either has without peers (some 30 once it serves), and what comes and goes: modules, books, callers at the desk,
# and connections to two inlets that are nobody's.
_OWN = 96
# Sessions that have ended, and whose workers do not know it yet.
LATE_SESSIONS = 16
# Connections to an inlet that are nobody's yet, beside those of sessions and workers.
_SPARE_LINES = 16
# Of an inlet whose owner says nothing else.
MOST_LINES = MAX_SESSIONS + LATE_SESSIONS + _SPARE_LINES + 64


def most_lines(sessions: int, shards: int) -> int:
    """Return how many connections an inlet of a worker, or of the supervisor, has room for."""
    return sessions + LATE_SESSIONS + 2 * shards + _SPARE_LINES


def raise_limit() -> int:
    """Let this process, and those that it starts from now on, open as many files as they may; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _WANTED if soft == resource.RLIM_INFINITY else soft


@dataclass(frozen=True)
class Room:
    """How many clients a runtime has room for, and the open files of each process that this follows from."""

    most_sessions: int
    open_files: int

    @classmethod
    def of(cls, open_files: int, shards: int) -> "Room":
        """Return the room of a runtime whose processes may open so many files each; ConfigurationError for none."""
        in_worker = open_files - _OWN - shards * _WORKER_IN_WORKER
        in_supervisor = open_files - _OWN - shards * _WORKER_IN_SUPERVISOR
        fit = min(in_worker // _SESSION_IN_WORKER, in_supervisor // _SESSION_IN_SUPERVISOR) - LATE_SESSIONS
        if fit < 1:
            needed = _OWN + shards * _WORKER_IN_WORKER + (LATE_SESSIONS + 1) * _SESSION_IN_WORKER
            raise ConfigurationError(
                "open files",
                f"a process may have {open_files}, and with {shards} workers it needs {needed} for one client",
                "raise the limit with `ulimit -n`",
            )
        return cls(min(MAX_SESSIONS, fit), open_files)

    def full(self) -> ResourceExhausted:
        """What a client is told that finds no room."""
        if self.most_sessions == MAX_SESSIONS:
            return ResourceExhausted("sessions (one is enough for all tasks of a program)", MAX_SESSIONS)
        why = f"where a process may open {self.open_files} files: raise it with `ulimit -n` and serve again"
        return ResourceExhausted(f"sessions ({why})", self.most_sessions)
