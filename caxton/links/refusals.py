"""The refusals that a source has still to hear of: told again and again, oldest first, until it has seen them."""

from collections import deque
from itertools import islice
from typing import Any

from caxton.errors import CaxtonError, NetworkError, to_fields
from caxton.wire.link_state import MAX_REFUSALS, Refusal

# While more than this many wait, the target gives no further credit (design: every queue is bounded).
CREDIT_STOPS = 4_096
# Sources without credit (workers) are not held back, so beyond this many only the range is kept, not each reason.
MOST_WAITING = 16_384

LOST = NetworkError("link", "messages were lost on the way")
UNTOLD = NetworkError("link", "too many messages were refused to tell which of these")


class Refusals:
    """Refusals in the order they were made, numbered from 0.

    Neighbours with the same error become one. `confirmed` is how many the source has seen; those are forgotten.
    """

    __slots__ = ("_ascending", "_error", "_fields", "_told", "_waiting", "confirmed")

    def __init__(self) -> None:
        self.confirmed = 0
        self._waiting: deque[Refusal] = deque()
        self._told = 0  # the number after the last one that was ever on a page
        self._ascending = True  # false while a later one names an earlier sequence
        self._error: CaxtonError | None = None  # the error whose fields are in _fields: the same one often comes again
        self._fields: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sequence: int, count: int, error: CaxtonError) -> None:
        """Note why `count` messages from `sequence` on were not placed."""
        waiting = self._waiting
        new = self._refusal(sequence, count, error)
        if waiting and self.confirmed + len(waiting) > self._told:  # the last one was never told: it may still grow
            last = waiting[-1]
            if len(waiting) >= MOST_WAITING:
                waiting[-1] = _spanning(last, new)
                return
            if last.sequence + last.count == sequence and last.error == new.error and last.fields == new.fields:
                waiting[-1] = Refusal(last.sequence, last.count + count, last.error, last.fields)
                return
        if waiting and sequence < waiting[-1].sequence:
            self._ascending = False
        waiting.append(new)

    def page(self) -> tuple[list[Refusal], int | None]:
        """Return the oldest, at most 256, and the lowest sequence that is refused and not among them, if any is."""
        waiting = self._waiting
        shown = list(islice(waiting, MAX_REFUSALS))
        self._told = max(self._told, self.confirmed + len(shown))
        if len(waiting) <= MAX_REFUSALS:
            return shown, None
        if self._ascending:
            return shown, waiting[MAX_REFUSALS].sequence
        return shown, min(refusal.sequence for refusal in islice(waiting, MAX_REFUSALS, None))

    def confirm(self, seen: int) -> bool:
        """Forget the first `seen` of all that were ever made. False when that many were never told."""
        if seen > self._told:
            return False
        for _ in range(seen - self.confirmed):
            self._waiting.popleft()
        self.confirmed = max(self.confirmed, seen)
        self._ascending = self._ascending or not self._waiting
        return True

    def _refusal(self, sequence: int, count: int, error: CaxtonError) -> Refusal:
        if error is not self._error:
            self._error, self._fields = error, to_fields(error)
        return Refusal(sequence, count, type(error).__name__, self._fields)


def is_loss(refusal: Refusal) -> bool:
    """True when the messages never came, rather than came and were refused."""
    return refusal.error == "NetworkError" and refusal.fields.get("problem") == LOST.problem


def _spanning(last: Refusal, new: Refusal) -> Refusal:
    """Return one refusal over both and all between them, of which nobody can say any more what became."""
    first = min(last.sequence, new.sequence)
    end = max(last.sequence + last.count, new.sequence + new.count)
    return Refusal(first, end - first, type(UNTOLD).__name__, to_fields(UNTOLD))
