"""Durable messages to a capability that came to nothing with one agent: they go to another, or to their end.

While it is not known who else there is, such a message is a dead letter with the reason `unresolved`: so it survives
whatever ends, counts against the shares that dead letters have, and is there for everybody to see.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import msgspec

from caxton.acl.envelope import Envelope
from caxton.delivery.dead_letter import Reason
from caxton.errors import CaxtonError, from_fields
from caxton.store.commit import DeadRow
from workers.agents.registry import Agent
from workers.capabilities.alternatives import Alternatives
from workers.commit.journal import Journal
from workers.durable.dead_letters import DeadLetters

_decode = msgspec.msgpack.Decoder(Envelope).decode


class Ending(NamedTuple):
    """How a message came to nothing. agent: who failed on it for good, and may have somebody to send it to."""

    error: CaxtonError
    attempts: int = 0
    retry_reasons: tuple[str, ...] = ()
    reason: Reason | None = None
    agent: Agent | None = None


class Sender(Protocol):
    """Who sends, and counts."""

    def send_on(self, message: Envelope, *, was_letter: bool = False) -> None:
        """Send a message to another agent that has its capability; it may have been a dead letter meanwhile."""

    def refusal(self, message: Envelope, receivers: int) -> CaxtonError | None:
        """Return why so many may not be sent one like it."""

    def send_to_each(self, message: Envelope, receivers: list[int], *, was_letter: bool = False) -> None:
        """Send each of these one like it, instead of it."""


class Redirects:
    """Owned by `Attempts`. sender, bury: given by the composition root."""

    sender: Sender
    bury: Callable[[Envelope, Ending], None]

    def __init__(self, journal: Journal, dead_letters: DeadLetters, alternatives: Alternatives) -> None:
        self.journal = journal
        self.dead_letters = dead_letters
        self._alternatives = alternatives

    def take(self, message: Envelope, ending: Ending) -> CaxtonError | None:
        """See that a message to a capability goes on, or may soon; returns the error that it ends with otherwise."""
        course = _Course(self, ending)
        error = self._alternatives.take(message, ending.error, course)
        if error is None and not course.went:
            course.number = self.dead_letters.bury(
                message, ending.error, ending.attempts, ending.retry_reasons, reason=Reason.UNRESOLVED
            )
        return error

    def resume(self, rows: Iterable[DeadRow]) -> None:
        """Look again for somebody for what the last worker left unresolved."""
        for row in rows:
            error = from_fields(row.error.error, row.error.fields)
            course = _Course(self, Ending(error, row.attempts, row.retry_reasons))
            course.number = row.number
            message = _decode(row.message)
            left = self._alternatives.take(message, error, course)
            if left is not None:
                course.give_up(message, left)


class _Course:
    """The way of one message: what `Alternatives` does with it. number: of its dead letter, once it has one."""

    __slots__ = ("_ending", "_redirects", "number", "went")

    def __init__(self, redirects: Redirects, ending: Ending) -> None:
        self._redirects = redirects
        self._ending = ending
        self.number: int | None = None
        self.went = False

    def send_on(self, message: Envelope) -> None:
        """Send it to another agent, unless somebody took its dead letter away meanwhile."""
        redirects = self._redirects
        self.went = True
        if self.number is None:
            redirects.journal.processed += 1
            redirects.sender.send_on(message)
        elif redirects.dead_letters.forget([self.number], "requeued"):
            redirects.sender.send_on(message, was_letter=True)

    def refusal(self, message: Envelope, receivers: int) -> CaxtonError | None:
        """Return why so many may not be sent one like it."""
        return self._redirects.sender.refusal(message, receivers)

    def send_to_each(self, message: Envelope, receivers: list[int]) -> None:
        """Send each of these one like it with one commit, unless somebody took its dead letter away meanwhile."""
        redirects = self._redirects
        self.went = True
        if self.number is None:
            redirects.journal.processed += 1
            redirects.sender.send_to_each(message, receivers)
        elif redirects.dead_letters.forget([self.number], "requeued"):
            redirects.sender.send_to_each(message, receivers, was_letter=True)

    def give_up(self, message: Envelope, error: CaxtonError) -> None:
        """Let it come to its end, unless somebody took its dead letter away meanwhile."""
        if self.number is not None and self._redirects.dead_letters.forget([self.number], "requeued"):
            self._redirects.bury(message, self._ending._replace(error=error))
