"""A copy of a shard's file while it is served: SQLite's online backup, in slices, between which all else goes on.

It has the connection's thread to itself, and serves there what is asked of the database meanwhile: for as long as a
slice took, what waits has its turn. What is written goes into the copy as well, by SQLite, so at its end the copy is
what the file is then. Before its last slice it waits until it is told to hold: from then on nothing is written, for
HOLD_S at most, until it is told that this is the moment that all shards are copied at.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from caxton.errors import CaxtonError, StorageError
from caxton.store.file_errors import refused
from caxton.store.sqlite_errors import mapped

# 1 MiB of a shard's file: what a commit waits for at most, beside the disk.
SLICE_PAGES = 256
# For how long a shard stands still at most: health calls a commit slow after a second, and clients wait for ten.
HOLD_S = 2.0
# A copy that nobody asks after for so long is given up: whoever wanted it has ended.
LEASE_S = 30.0
_LOOK_S = 0.5
T = TypeVar("T")


class _Order(Enum):
    HOLD = "hold"
    GO_ON = "go on"
    END = "end"
    WAKE = "wake"


Work = Callable[[], Any]
_Asked = tuple[asyncio.Future[Any] | None, Work | _Order]


class OnlineCopy:
    """One copy. `make` and `serve_rest` are for the connection's thread, all else is for the loop.

    copied, pages: how far it is. is_ready: only the last slice is left. is_done: it is whole, and on the disk. failed:
    why there will be none. is_given_up: nobody wants it any more, so that it is over soon.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.copied = self.pages = 0
        self.is_ready = self.is_done = False
        self.failed: CaxtonError | None = None
        self._asked: SimpleQueue[_Asked] = SimpleQueue()
        self._kept_back: list[_Asked] = []
        self._looked_s = self._slice_s = time.monotonic()
        self._is_ending = self.is_given_up = False
        self._over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.is_done or self.failed is not None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still asks after it."""
        return not self.is_given_up and time.monotonic() - self._looked_s <= LEASE_S

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` on the connection's thread between two slices, and return what it returns."""
        return await self._ask(work)  # type: ignore[no-any-return] # what work returns

    async def over(self) -> None:
        """Wait until nothing more comes of it; soon, when it was given up."""
        await self._over.wait()

    def close(self, failed: CaxtonError | None = None) -> None:
        """Nothing more comes of it, whatever it is: nobody has the connection's thread for it."""
        self.failed, self.is_done = failed, failed is None
        self.serve_rest()
        self._over.set()

    async def hold(self) -> bool:
        """Let nothing more be written; returns when that is so. False while more than the last slice is left."""
        return bool(await self._ask(_Order.HOLD))

    async def end(self) -> bool:
        """Let the copy be of this moment. False when it stands still no more: then it may hold again."""
        return bool(await self._ask(_Order.END))

    async def go_on(self) -> bool:
        """Let what waits be written: this is not the moment. False when it stands still no more."""
        return bool(await self._ask(_Order.GO_ON))

    def look(self) -> None:
        """Somebody still wants it."""
        self._looked_s = time.monotonic()

    def give_up(self) -> None:
        """Nobody wants it any more; nothing happens to one that is over."""
        self.is_given_up = True
        self._asked.put((None, _Order.WAKE))

    def make(self, db: sqlite3.Connection) -> None:
        """Copy everything into the empty file at `path`. Raises StorageError, of the copy and not of what is copied."""
        try:
            target = sqlite3.connect(self.path, isolation_level=None)
            try:
                # Nobody reads a copy that is not whole, so nothing has to be kept for one; it is synced at its end.
                for pragma in ("journal_mode = OFF", "synchronous = OFF"):
                    target.execute(f"PRAGMA {pragma}").fetchall()
                self._slice_s, pages = time.monotonic(), _pages(db)
                self._between(db, sqlite3.SQLITE_OK, pages, pages)  # all of a small file is its last slice
                db.backup(target, pages=SLICE_PAGES, progress=lambda *at: self._between(db, *at))
            finally:
                target.close()
        except sqlite3.Error as error:
            raise mapped(self.path, error) from error
        finally:
            self.serve_rest()

    def serve_rest(self) -> None:
        """Serve what was asked and has not had its turn."""
        kept_back, self._kept_back = self._kept_back, []
        for asked in kept_back:
            _serve(asked)
        with suppress(Empty):
            while True:
                _serve(self._asked.get_nowait())

    async def _ask(self, work: Work | _Order) -> Any:
        if (self.is_given_up or self.is_over) and isinstance(work, _Order):
            return False  # nobody may have the thread any more
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.put((answer, work))
        return await answer

    def _between(self, db: sqlite3.Connection, status: int, left: int, pages: int) -> None:
        """Serve between two slices; return when the next one is to be copied. Raises StorageError when given up."""
        self.copied, self.pages = pages - left, pages
        if status == sqlite3.SQLITE_DONE:
            return
        if self._is_ending:  # SQLite began anew, which it does when a transaction was rolled back
            raise StorageError(str(self.path), "the copy was no longer whole at its end; begin another backup")
        now_s = time.monotonic()
        until_s = now_s + (now_s - self._slice_s)
        while not self._is_ending:
            self._check_wanted()
            self.is_ready = _pages(db) - self.copied <= SLICE_PAGES
            left_s = inf if self.is_ready else until_s - time.monotonic()
            if left_s <= 0:
                break
            with suppress(Empty):
                self._serve_one(self._asked.get(timeout=min(left_s, _LOOK_S)))
        self._slice_s = time.monotonic()

    def _check_wanted(self) -> None:
        if self.is_given_up:
            raise StorageError(str(self.path), "the backup was given up")
        if not self.is_wanted:
            raise StorageError(str(self.path), f"the backup was given up: nobody asked after it for {LEASE_S:g} s")

    def _serve_one(self, asked: _Asked) -> None:
        answer, work = asked
        if work is not _Order.HOLD:
            _serve(asked)
        elif not self.is_ready:
            _tell(answer, result=False)
        else:
            _tell(answer, result=True)
            self._stand_still()

    def _stand_still(self) -> None:
        """Serve nothing until this is the moment of the copy, or the time is over."""
        until_s = time.monotonic() + HOLD_S
        with suppress(Empty):
            while not self.is_given_up:
                asked = self._asked.get(timeout=max(0.0, until_s - time.monotonic()))
                if asked[1] is _Order.END:
                    self._is_ending = True
                    _tell(asked[0], result=True)
                    return  # what was kept back is served when the copy is made
                if asked[1] is _Order.GO_ON:
                    _tell(asked[0], result=True)
                    break
                self._kept_back.append(asked)
        kept_back, self._kept_back = self._kept_back, []
        for asked in kept_back:
            _serve(asked)


def _pages(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA page_count").fetchone()[0])


def _serve(asked: _Asked) -> None:
    """Do what was asked, and tell who did; an order is not carried out, since its time is over."""
    answer, work = asked
    if isinstance(work, _Order):
        _tell(answer, result=False)
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 (it is who asked that it concerns, as on the connection's own line)
        _tell(answer, error=error)
    else:
        _tell(answer, result=result)


def _tell(answer: asyncio.Future[Any] | None, *, result: object = None, error: BaseException | None = None) -> None:
    if answer is None:
        return

    def tell() -> None:
        if answer.done():
            return  # whoever asked was cancelled
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    answer.get_loop().call_soon_threadsafe(tell)


def make_empty(path: Path) -> None:
    """Make the file of a copy, for its user alone, where nothing is. Raises StorageError."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except (OSError, ValueError) as error:  # a path with a NUL in it names nothing
        raise refused(path, error, "the copy cannot be made") from error


def sync(path: Path) -> None:
    """Return when the file is on the disk. Raises StorageError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise refused(path, error, "the copy is not on the disk") from error


def remove(path: Path) -> None:
    """Remove what there is of a copy, if that can be done: without a manifest it is no backup."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
