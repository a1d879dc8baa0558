"""The workers of a runtime that is measured, seen from outside: what their books and the kernel say of them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil

from bench.resident import resident_bytes
from caxton.client.client import Client
from caxton.store.books import read
from caxton.transport.endpoints import RuntimeDir

# Gauges of what waits for a turn, for a commit, or for room on its way.
WAITING = ("queued", "pending", "effects", "backlog")


class Crew:
    """The workers of a runtime: their processes, and their books, which are read without asking them."""

    def __init__(self, pids: Sequence[int], books: Sequence[Path]) -> None:
        self.processes = {f"worker_{number}": psutil.Process(pid) for number, pid in enumerate(pids)}
        self.books = books

    @classmethod
    async def of(cls, client: Client, runtime_dir: Path) -> "Crew":
        """Return the workers as they are now."""
        workers = (await client.health()).workers
        book = RuntimeDir(runtime_dir).book
        return cls([worker.pid for worker in workers], [book(worker.incarnation) for worker in workers])

    def counters(self) -> Counter[str]:
        """Return what the books say of all of them together. Raises StorageError when one cannot be read."""
        return sum((Counter(read(book).counters) for book in self.books), Counter())

    def waiting(self) -> int:
        """Return how much waits in all of them; more than 0 while anything does."""
        counters = self.counters()
        return sum(counters[name] for name in WAITING)

    def computing_s(self) -> float:
        """Return the computing time that all of them have had so far, with that of their threads."""
        times = [process.cpu_times() for process in self.processes.values()]
        return float(sum(each.user + each.system for each in times))

    def resident_bytes(self) -> dict[str, int]:
        """Return the resident memory of each."""
        return {name: resident_bytes(process) for name, process in self.processes.items()}
