"""Keeps the supervisor's audit: rows are written soon, in order, on a thread of its own; no disk is waited for long.

What cannot be written waits, within a bound, and is tried again; `problem` says why, and health with it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from caxton.errors import StorageDamaged, StorageError
from caxton.store.supervisor_audit import SupervisorAudit
from caxton.wire.audit import ROOM, RUNTIME, AuditHead, AuditPage, AuditRow, Entry, Kind, ReadAudit

# Rows of each kind that wait to be written; what is beyond is counted, and a row says how many there were.
MOST_WAITING = 1_000
# For how long, in seconds, somebody waits at most until what he had done is on the disk.
WAIT_S = 1.0
ANCHOR_PERIOD_S = 60.0
_AT_ONCE = 256
_TRY_AGAIN_S = 1.0
# What the end of a runtime has for its last rows.
_END_S = 3.0
_CLOSE_S = 1.0
START, STOP, RESTORE, MISSED = "start", "stop", "restore", "rows_missed"
ASKED = "asked"
# The runtime itself, by a name that no agent may have.
WHOLE = "caxton:runtime"
T = TypeVar("T")


class _Row(NamedTuple):
    entry: Entry
    written: asyncio.Future[None] | None


class AuditKeeper:
    """Owned by the supervisor, in its loop. tell_begun: called when the file was made anew.

    problem: why rows cannot be written now, None when they can. written, missed: rows by kind, in this run.
    """

    def __init__(self, path: Path, tell_begun: Callable[[], None], most_rows: Mapping[Kind, int] = ROOM) -> None:
        self._path = path
        self._tell_begun = tell_begun
        self._most_rows = most_rows
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._reading = asyncio.Lock()
        # Of the chain of each shard, as its worker last said.
        self._heads: dict[int, AuditHead] = {}
        self.missed: Counter[Kind] = Counter()
        self._is_ended = False
        # Added to here, and taken by the thread, which has all that follows to itself.
        self._waiting: dict[Kind, deque[_Row]] = {kind: deque() for kind in Kind}
        self._thread = ThreadPoolExecutor(1, "audit")
        self._file: SupervisorAudit | None = None
        self._missed_told: Counter[Kind] = Counter()
        # Heads that are to be anchored, and when that was asked; None when they are.
        self._due: tuple[list[AuditHead], int] | None = None
        self.written: Counter[Kind] = Counter()
        self.problem: str | None = None

    def note(self, kind: Kind, entry: Entry, written: asyncio.Future[None] | None = None) -> bool:
        """Have a row written soon; False when too many wait, and it is counted."""
        if len(self._waiting[kind]) >= MOST_WAITING or self._is_ended:
            self.missed[kind] += 1
            return False
        self._waiting[kind].append(_Row(entry, written))
        self._wake.set()
        return True

    async def noted(self, kind: Kind, entry: Entry) -> None:
        """Return when a row is on the disk; or without that, after WAIT_S, and at once while none can be written."""
        written: asyncio.Future[None] = self._loop.create_future()
        if self.note(kind, entry, written) and self.problem is None:
            await asyncio.wait([written], timeout=WAIT_S)

    def heard(self, shard: int, head: AuditHead | None) -> None:
        """Take what a worker says of the chain of its shard; None where nothing is in it."""
        if head is not None:
            self._heads[shard] = head

    async def run(self) -> None:
        """Write what is noted, until this is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            with suppress(StorageError):
                await self._on_thread(self._write)
            if self.problem is not None:
                await asyncio.sleep(_TRY_AGAIN_S)
                self._wake.set()

    async def anchor_for_ever(self, may_begin: asyncio.Event) -> None:
        """Write the heads of all chains from `may_begin` on, and each minute, when there are others."""
        await may_begin.wait()
        while True:
            with suppress(StorageError):
                await self.anchor()
            await asyncio.sleep(ANCHOR_PERIOD_S)

    async def anchor(self) -> AuditHead:
        """Write the heads of all chains, if there are others than before; returns the head of the anchors.

        Raises StorageError when that cannot be written.
        """
        heads, at = [*self._heads.values()], now_ms()

        def anchor() -> AuditHead:
            self._due = heads, at
            return self._write().head(Kind.ANCHORS)

        return await self._on_thread(anchor)

    async def read(self, asked: ReadAudit) -> AuditPage:
        """Return rows, with those that were noted before, if they can be written. Raises StorageError."""

        def read() -> AuditPage:
            with suppress(StorageError):
                self._write()
            return self._opened().read(asked)

        async with self._reading:  # one at a time: what is to be written waits for no more than that
            return await self._on_thread(read)

    async def copy(self, target: Path) -> None:
        """Make a copy of the file, with all that was noted, where nothing is. Raises StorageError."""
        heads, at = [*self._heads.values()], now_ms()

        def copy() -> None:
            self._due = heads, at
            self._write().copy(target)

        await self._on_thread(copy)

    async def started(self) -> None:
        """Note that the runtime starts, and how the run before this one ended, as far as the rows say."""
        try:
            row = await self._on_thread(lambda: self._opened().last(Kind.OPERATIONS, (START, STOP, RESTORE)))
        except StorageError as error:
            self.problem = str(error)
            self._wake.set()
            before = "unknown"
        else:
            before = _ended(row)
        await self.noted(Kind.OPERATIONS, Entry(now_ms(), START, "", WHOLE, before))

    async def stopped(self, how: str) -> None:
        """Note the end, and write what is left and the heads of all chains; then nothing is written any more."""
        self.note(Kind.OPERATIONS, Entry(now_ms(), STOP, "", WHOLE, how))
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_END_S):
                await self.anchor()
                await self._on_thread(self._let_go)
        self._is_ended = True

    async def close(self) -> None:
        """Let go of the file, behind what is being written; a disk that does not answer has a second. Twice is fine."""
        self._is_ended = True
        with suppress(RuntimeError):  # it is closed
            over = self._thread.submit(self._let_go)
            self._thread.shutdown(wait=False)
            await asyncio.wait([asyncio.wrap_future(over)], timeout=_CLOSE_S)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread, to its end; raises what it raises, and StorageError after `close`."""
        try:
            return await self._loop.run_in_executor(self._thread, work)
        except RuntimeError as error:
            raise StorageError(str(self._path), f"the audit is closed: {error}") from None

    # ---- on the thread

    def _write(self) -> SupervisorAudit:
        """Write all that waits, and the anchor that is due; returns the file. Raises StorageError: they wait still."""
        try:
            file = self._opened()
            while some := self._some():
                file.add((kind, row.entry) for kind, row in some)
                for kind, row in some:
                    self._waiting[kind].popleft()
                    self.written[kind] += 1
                    self._answer(row)
            self._tell_missed(file)
            if self._due is not None:
                file.anchor(*self._due)
                self._due = None
        except StorageError as error:
            self._failed(error)
            raise
        except Exception as error:  # whatever it is, it is no reason to serve no more
            self._failed(problem := StorageError(str(self._path), f"an error that nobody foresaw: {error!r:.200}"))
            raise problem from error
        self.problem = None
        return file

    def _some(self) -> list[tuple[Kind, _Row]]:
        return [(kind, row) for kind, rows in self._waiting.items() for row in [*rows][:_AT_ONCE]]

    def _tell_missed(self, file: SupervisorAudit) -> None:
        missed = {kind: number - self._missed_told[kind] for kind, number in self.missed.copy().items()}
        rows = [
            (kind, Entry(now_ms(), MISSED, RUNTIME, kind.name.lower(), f"{number} could not be written"))
            for kind, number in missed.items()
            if number
        ]
        if rows:
            file.add(rows)
            self._missed_told.update(missed)

    def _failed(self, error: StorageError) -> None:
        self.problem = str(error)
        self._loop.call_soon_threadsafe(self._wake.set)  # it is tried again, also where nothing is noted meanwhile
        if isinstance(error, StorageDamaged):  # somebody has put another file there, or none: see what is there now
            self._let_go()
        for rows in self._waiting.values():  # nobody waits for what may last
            for row in [*rows]:
                self._answer(row)

    def _answer(self, row: _Row) -> None:
        written = row.written
        if written is not None:
            self._loop.call_soon_threadsafe(lambda: None if written.done() else written.set_result(None))

    def _opened(self) -> SupervisorAudit:
        if self._file is None:
            self._file = file = SupervisorAudit.open(self._path, self._most_rows)
            if file.was_new:
                self._loop.call_soon_threadsafe(self._tell_begun)
        return self._file

    def _let_go(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _ended(last: AuditRow | None) -> str:
    if last is None:
        return "for the first time"
    if last.action == RESTORE:
        return "from a backup"
    return "after a crash" if last.action == START or last.outcome == ASKED else "after a stop"


def now_ms() -> int:
    """Return the time, in ms since 1970."""
    return time.time_ns() // 1_000_000
