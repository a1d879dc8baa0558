"""The supervisor's word to its peers' control inlets: who serves which shard, who has left, when to stop.

Each notice carries a mark that its reader can check and that is worth nothing to others: a session's own, or, among
workers, the supervisor's.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from caxton.config.log_levels import LogLevels
from caxton.ids import SESSION_BIT
from caxton.links.session import SessionMarks
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Context, Outlet
from caxton.wire.codec import CONTROL
from caxton.wire.control import AskBeat, Drain, LogFrom, SessionEnded, Topology


class Notices:
    """One outlet per peer, opened when the peer listens and closed when it ends."""

    def __init__(self, context: Context, runtime_dir: RuntimeDir, marks: SessionMarks) -> None:
        self._context = context
        self._runtime_dir = runtime_dir
        self._mark = marks.mark(SUPERVISOR)
        self._workers: dict[int, Outlet | None] = {}
        self._sessions: dict[int, Outlet | None] = {}
        self._marks_of: dict[int, bytes] = {}
        # Notices that found no room in a socket: each is repeated, replaced, or waited for in vain.
        self.unsent = 0

    def add(self, peer: int, mark: bytes = b"") -> None:
        """Keep a peer informed from now on. mark: the one by which a session knows that a notice is for it."""
        self._group(peer)[peer] = None
        if mark:
            self._marks_of[peer] = mark

    def drop(self, peer: int) -> None:
        """A peer has ended."""
        self._marks_of.pop(peer, None)
        outlet = self._group(peer).pop(peer, None)
        if outlet is not None:
            outlet.close()

    def tell_topology(self, topology: Topology) -> None:
        """Tell everybody who serves which shard."""
        self._send(self._workers, self._workers, CONTROL.encode(replace(topology, mark=self._mark)))
        for session in self._sessions:
            own = replace(topology, mark=self._marks_of[session])
            self._send(self._sessions, [session], CONTROL.encode(own))

    def tell_session_ended(self, session: int) -> None:
        """Tell all workers that a session is gone."""
        self._send(self._workers, self._workers, CONTROL.encode(SessionEnded(SUPERVISOR, self._mark, session)))

    def tell_drain(self, phase: int, worker: int | None = None) -> None:
        """Tell all workers, or one of them, to refuse sessions (1) or to stop (2)."""
        told = self._workers if worker is None else self._workers.keys() & {worker}
        self._send(self._workers, told, CONTROL.encode(Drain(SUPERVISOR, self._mark, phase, worker is not None)))

    def tell_log_levels(self, levels: LogLevels) -> None:
        """Tell all workers from which levels on they log."""
        word = LogFrom(SUPERVISOR, self._mark, levels.of_workers, levels.modules)
        self._send(self._workers, self._workers, CONTROL.encode(word))

    def ask_beat(self, number: int) -> None:
        """Ask all workers for a heartbeat with this number in it."""
        self._send(self._workers, self._workers, CONTROL.encode(AskBeat(SUPERVISOR, self._mark, number)))

    def close(self) -> None:
        """Close every outlet. Closing twice is fine."""
        for peer in [*self._workers, *self._sessions]:
            self.drop(peer)

    def _group(self, peer: int) -> dict[int, Outlet | None]:
        return self._sessions if peer & SESSION_BIT else self._workers

    def _send(self, outlets: dict[int, Outlet | None], peers: Iterable[int], frame: bytearray) -> None:
        for peer in peers:
            outlet = outlets[peer] or self._open(outlets, peer)
            if outlet is not None and not outlet.send(frame):
                self.unsent += 1

    def _open(self, outlets: dict[int, Outlet | None], peer: int) -> Outlet | None:
        # Connecting to a socket that is not there yet would retry behind our back until it is.
        endpoint = self._runtime_dir.control(peer)
        if not Path(endpoint.removeprefix("ipc://")).exists():
            return None
        outlet = outlets[peer] = Outlet(self._context, endpoint)
        return outlet
