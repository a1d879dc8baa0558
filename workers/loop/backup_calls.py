"""Calls of whoever takes a backup: one copy of the shard's file at a time, for the session that has begun it."""

import asyncio
from pathlib import Path

from caxton.errors import ResourceExhausted, StorageError
from caxton.store.backup.online_copy import OnlineCopy
from caxton.store.database import Database
from caxton.wire.backup import CopyShard, CopyState, CopyStep

# A second copy would be written to by every commit as well.
MOST_COPIES = 1


class BackupCalls:
    """Begins copies, and goes on with them. They are made beside everything else, in tasks of the worker's group."""

    def __init__(self, database: Database, group: asyncio.TaskGroup) -> None:
        self._database = database
        self._group = group
        self._copy: OnlineCopy | None = None
        self._session = 0

    async def answer(self, session: int, request: CopyShard | CopyStep) -> CopyState:
        """Answer one of these calls. Raises ResourceExhausted, and StorageError for a copy that there will not be."""
        if isinstance(request, CopyShard):
            return await self._begin(session, Path(request.path))
        copy = self._copy
        if copy is None or self._session != session:
            raise StorageError(str(self._database.path), "no backup of it is being taken for this client")
        copy.look()
        did = await self._step(copy, request)
        if copy.failed is not None and request.step != "drop":
            raise copy.failed
        return _state(copy, did=did)

    def session_ended(self, session: int) -> None:
        """Give up what is copied for a client that is gone."""
        if self._session == session:
            self.end()

    def end(self) -> None:
        """Give up what is being copied."""
        if self._copy is not None:
            self._copy.give_up()

    async def _begin(self, session: int, path: Path) -> CopyState:
        if not path.is_absolute():
            raise StorageError(str(path), "not an absolute path")
        while self._copy is not None:
            if self._copy.is_wanted:  # also one that is made: its client still waits for other shards
                raise ResourceExhausted(f"backups of {self._database.path.name} at a time", MOST_COPIES)
            copy = self._copy
            copy.give_up()
            await copy.over()
            if self._copy is copy:
                self._copy = None
        copy = self._copy = OnlineCopy(path)
        self._session = session
        self._group.create_task(self._database.copy(copy))
        return _state(copy, did=True)

    async def _step(self, copy: OnlineCopy, request: CopyStep) -> bool:
        match request.step:
            case "hold" if not copy.is_over:
                return await copy.hold()
            case "end" if not copy.is_over:
                return await copy.end()
            case "go_on" if not copy.is_over:
                return await copy.go_on()
            case "drop":
                copy.give_up()
                await copy.over()
                return True
        return request.step == "look"


def _state(copy: OnlineCopy, *, did: bool) -> CopyState:
    return CopyState(copy.copied, copy.pages, copy.is_ready, did, copy.is_done)
