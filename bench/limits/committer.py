"""A thread that makes frames durable: each commit takes all that wait, a blob for each."""

import queue
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import zmq

# Pages of 4 KB: a checkpoint for every 64 MB, as the automatic one would come several times a second.
_CHECKPOINT_PAGES = 16_384
# As a receiver's acknowledgement would: a frame is removed when so many more were written.
_KEPT = 16


class Committer:
    """Writes frames to one SQLite file, WAL and synchronous=FULL, and says on an inproc socket when they are safe."""

    def __init__(self, path: Path, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[Sequence[tuple[int, bytes]]] = queue.SimpleQueue()
        self.done = context.socket(zmq.PULL)
        self.done.bind("inproc://committed")
        self._said = context.socket(zmq.PUSH)
        self._said.connect("inproc://committed")
        threading.Thread(target=self._run, name="commit", daemon=True).start()

    def commit(self, frames: Sequence[tuple[int, bytes]]) -> None:
        """Have numbered frames written, in one transaction; `done` gets a word when that is over."""
        self._jobs.put(frames)

    def _run(self) -> None:
        database = sqlite3.connect(self._path, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        database.execute("CREATE TABLE outbox(number INTEGER PRIMARY KEY, frame BLOB)")
        database.execute("CREATE TABLE source(id INTEGER PRIMARY KEY, taken INTEGER)")
        while True:
            frames = self._jobs.get()
            last, _ = frames[-1]
            database.execute("BEGIN")
            database.executemany("INSERT INTO outbox VALUES(?, ?)", frames)
            database.execute("DELETE FROM outbox WHERE number <= ?", (last - _KEPT,))
            database.execute("INSERT OR REPLACE INTO source VALUES(0, ?)", (last,))
            database.execute("COMMIT")
            self._said.send(b"")
