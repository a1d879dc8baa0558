"""One commit after the other: what was gathered is written, and then released. The next gathers meanwhile."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic_ns

from caxton.errors import StorageError, StorageFull
from caxton.store.commit import Commit
from caxton.store.shard_store import ShardStore
from workers.commit.greetings import Greetings
from workers.commit.journal import Closed, Journal
from workers.commit.outboxes import Outboxes
from workers.peers.peer import Peer
from workers.peers.peers import Peers

# How long after a full disk the same commit is tried again.
RETRY_S = 0.2
log = logging.getLogger("caxton.worker")


class Committer:
    """Owned by the worker's loop. `released` is called after each commit, to let a pass follow.

    done: commits that were written. begun_ns, refusing_ns: since when the commit under way is tried, and since when
    nothing durable is taken (monotonic); 0 while there is none, and while it is. took_ns: of the last one.

    A full disk is waited out: the commit stays as it is, nothing of it is acknowledged, and everybody is told that
    nothing new is taken. Any other error of the store is raised by `run`, and ends the process.
    """

    def __init__(
        self,
        store: ShardStore,
        journal: Journal,
        outboxes: Outboxes,
        peers: Peers,
        greetings: Greetings,
        released: Callable[[Closed], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._outboxes = outboxes
        self._peers = peers
        self._greetings = greetings
        self._released = released
        self._wanted = asyncio.Event()
        self._under_way: Commit | None = None
        self.done = self.begun_ns = self.refusing_ns = self.took_ns = 0

    def poke(self) -> None:
        """Let a commit begin if something waits for one."""
        if self._journal.urgent and not self._journal.under_way:
            self._wanted.set()

    def tend(self) -> None:
        """Commit also what nobody waits for."""
        if not self._journal.empty and not self._journal.under_way:
            self._wanted.set()

    @property
    def is_back(self) -> bool:
        """True when the commit under way is done, and the loop has not come to releasing it."""
        return self._under_way is not None and self._under_way.tried

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.commit()

    async def finish(self) -> None:
        """Commit all there is, and let nothing begin after it."""
        while self._journal.under_way:
            await self._journal.committed()
        if not self._journal.empty:
            await self.commit()
        self._journal.under_way = True

    async def commit(self) -> None:
        """Commit until nothing waits for it. Raises StorageError."""
        self._journal.under_way = True
        while True:
            closed = self._journal.close(self._outboxes.of)
            await self._write(closed)
            self._release(closed)
            self._released(closed)
            if not self._journal.urgent:
                break
        self._journal.under_way = False

    async def _write(self, closed: Closed) -> None:
        self.begun_ns = monotonic_ns()
        while True:
            self._under_way = closed.commit
            closed.commit.tried = False
            try:
                await self._store.commit(closed.commit)
            except StorageFull as full:
                self._under_way = None
                self._journal.no_room(full)
                if not self._greetings.closed:
                    self.refusing_ns = monotonic_ns()
                    log.error("%s; durable messages wait, and new ones are refused, until there is room", full)  # noqa: TRY400 (the error says it all)
                    self._greetings.close(full.problem[:200])
                await asyncio.sleep(RETRY_S)
            except StorageError as error:
                self._greetings.close(error.problem[:200])  # the last word to senders: nothing of this is acknowledged
                raise
            else:
                break
        self._under_way = None
        self._journal.stored(closed.commit.next_number)
        self.done += 1
        self.took_ns, self.begun_ns = monotonic_ns() - self.begun_ns, 0
        if self._greetings.closed:
            self.refusing_ns = 0
            log.warning("there is room on the disk again: durable messages are taken")
            self._greetings.close("")

    def _release(self, closed: Closed) -> None:
        own = self._peers.own
        untold: dict[int, Peer] = {}
        for source, count, size in closed.placed:
            if count:
                source.incoming.place(count, size)
            peer = self._peers.find(source.peer_number)
            if peer is not None and peer.file == source.file:
                untold[peer.number] = peer
        for outbox, rows in closed.rows:
            if rows:
                outbox.committed(rows)
                if outbox.send(own, tells=outbox.is_session and outbox.target in untold):
                    del untold[outbox.target]
        for peer in untold.values():
            peer.send_durable_state()
        for waiter in closed.waiters:
            if not waiter.done():
                waiter.set_result(None)
