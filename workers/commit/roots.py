"""Under which root a death is charged to a durable message, before and after the file has it."""

from caxton.store.commit import Commit
from workers.agents.delivery import DURABLE_ROOT, Delivery

Root = tuple[int, int]


class Roots:
    """Owned by the journal. charges: deaths that messages are charged with, by root (source, sequence)."""

    def __init__(self, file: int) -> None:
        self.charges: dict[Root, int] = {}
        self._file = file
        # Of messages whose rows are gathered, or being written, by sequence: the roots that they were before.
        self._gathered: dict[int, Root] = {}
        self._in_doubt: dict[int, Root] = {}

    def move(self, delivery: Delivery, place: int, commit: Commit) -> None:
        """With this commit the file has the message: what becomes of it is charged to it, and not to what caused it.

        What it is charged with already goes with it.
        """
        file, sequence = self._file, place | DURABLE_ROOT
        former = delivery.source, delivery.sequence
        if former in self.charges:
            deaths = self.charges.pop(former)
            commit.charges[former] = 0
            self.charges[file, sequence] = commit.charges[file, sequence] = deaths
        if former != (file, sequence):
            self._gathered[sequence] = former
        delivery.source, delivery.sequence = file, sequence

    def former(self, sequence: int) -> Root | None:
        """Return what root a message of this file was before, while the file may not have the row; None when it has."""
        former = root = self._in_doubt.get(sequence) or self._gathered.get(sequence)
        while root is not None and root[0] == self._file:
            former, root = root, self._in_doubt.get(root[1]) or self._gathered.get(root[1])
        return root or former

    def closed(self) -> None:
        """What was gathered is being written."""
        self._in_doubt, self._gathered = self._gathered, {}

    def stored(self) -> None:
        """What was being written is in the file."""
        self._in_doubt = {}
