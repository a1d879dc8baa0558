"""One commit after the other: what was gathered is written, and then released. The next gathers meanwhile."""

import asyncio
import logging
from collections.abc import Callable

from caxton.errors import StorageFull
from caxton.store.shard_store import ShardStore
from workers.greetings import Greetings
from workers.journal import Closed, Journal
from workers.peers import Peers
from workers.ways import Ways
from workers.worker_pass import NS_PER_MS

# How long after a full disk the same commit is tried again.
RETRY_S = 0.2
# While more comes in, a commit waits until so many messages are gathered, or for so long: every commit costs about as
# much as 100 turns, whatever is in it. Who sends one message at a time never waits.
ENOUGH = 1_024
MOST_WAIT_NS = 5 * NS_PER_MS
log = logging.getLogger("caxton.worker")


class Committer:
    """Owned by the worker's loop. `released` is called after each commit, to let a pass follow.

    busy: a commit is under way. more: another pass follows at once, so what was gathered may wait for it.

    A full disk is waited out: the commit stays as it is, nothing of it is acknowledged, and everybody is told that
    nothing new is taken. Any other error of the store is raised by `run`, and ends the process.
    """

    def __init__(
        self,
        store: ShardStore,
        journal: Journal,
        ways: Ways,
        peers: Peers,
        greetings: Greetings,
        released: Callable[[Closed], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._ways = ways
        self._peers = peers
        self._greetings = greetings
        self._released = released
        self._wanted = asyncio.Event()
        self._began_ns = 0
        self.busy = False
        self.more = False
        self.commits = 0

    def poke(self) -> None:
        """Let a commit begin if something waits for one, and it is worth its while."""
        if not self.busy and self._is_due:
            self._wanted.set()

    def tend(self) -> None:
        """Commit also what nobody waits for."""
        if not self._journal.empty and not self.busy:
            self._wanted.set()

    @property
    def quiet(self) -> bool:
        """True when nothing is gathered or under way that somebody waits for."""
        return not self.busy and not self._journal.urgent

    async def run(self) -> None:
        """Commit for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.commit()

    async def finish(self) -> None:
        """Commit all there is, and let nothing begin after it."""
        while self.busy:
            await self._journal.committed()
        if not self._journal.empty:
            await self.commit()
        self.busy = True

    async def commit(self) -> None:
        """Commit until none is due. Raises StorageError."""
        self.busy = True
        while True:
            self._began_ns = self._journal.now_ns
            closed = self._journal.close(self._ways.of)
            await self._write(closed)
            self.commits += 1
            self._release(closed)
            self._released(closed)
            if not self._is_due:
                break
        self.busy = False

    @property
    def _is_due(self) -> bool:
        journal = self._journal
        if not journal.urgent:
            return False
        return not self.more or journal.gathered >= ENOUGH or journal.now_ns - self._began_ns >= MOST_WAIT_NS

    async def _write(self, closed: Closed) -> None:
        while True:
            try:
                await self._store.commit(closed.commit)
            except StorageFull as full:
                if not self._greetings.closed:
                    log.error("%s; durable messages wait, and new ones are refused, until there is room", full)  # noqa: TRY400 (the error says it all)
                    self._greetings.close(full.problem[:200])
                await asyncio.sleep(RETRY_S)
            else:
                break
        if self._greetings.closed:
            log.warning("there is room on the disk again: durable messages are taken")
            self._greetings.close("")

    def _release(self, closed: Closed) -> None:
        own = self._peers.own
        for way, rows in closed.rows:
            if rows:
                way.committed(rows)
                way.send(own)
        for source, count, size in closed.placed:
            if count:
                source.incoming.place(count, size)
            peer = self._peers.find(source.peer_number)
            if peer is not None and peer.durable is not None and peer.file == source.file:
                peer.send_durable_state()
        for waiter in closed.waiters:
            if not waiter.done():
                waiter.set_result(None)
