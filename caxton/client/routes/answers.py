"""Replies in: each finds the request it answers, or the inbox."""

from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.failure import read_report
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.routes.backlog import Entry
from caxton.client.routes.inbox import Inbox
from caxton.client.routes.unread import Unread
from caxton.errors import CaxtonError

# Durable requests that have ended and are remembered, at least; at most twice as many, and those of a frame or call.
ENDED_KEPT = 8_192
_FAILURE = int(Performative.FAILURE)


class Answers:
    """Requests that wait, by their reply_with; everything else goes to the inbox.

    counts: `answered`, `unasked` (to the inbox), `inbox_full` (dropped), `duplicate_answers` (a durable answer that
    came again), `after_the_end` (of a subscription or an auction, dropped).
    """

    def __init__(self) -> None:
        # reply_with → the request and who waits for its answer
        self.waiting: dict[bytes, Entry] = {}
        self.counts: Counter[str] = Counter()
        self.inbox = Inbox()
        # Durable requests that ended: the id of the answer, or None when the caller gave up. Two halves, so that
        # forgetting the oldest costs nothing.
        self._ended: dict[bytes, bytes | None] = {}
        self._ended_before: dict[bytes, bytes | None] = {}
        # Tokens of what is over, in the order in which it ended: what comes under them is not for the inbox.
        self._hushed: dict[bytes, None] = {}

    def take(self, messages: list[Envelope]) -> None:
        """Hand each volatile message to whoever waits for it."""
        find, of = self.waiting.pop, Message.of
        unasked = 0
        for envelope in messages:
            found = find(envelope.in_reply_to, None)  # type: ignore[arg-type] # None is nobody's token
            if found is None:
                unasked += 1
                self._keep(envelope)
                continue
            _, batch, place, _ = found
            failed = envelope.flags & AUTOMATIC and envelope.performative == _FAILURE
            batch.end(place, _error(envelope) if failed else of(envelope))
        self.counts["answered"] += len(messages) - unasked

    def take_durable(self, messages: list[Envelope], first: int, unread: Unread) -> None:
        """Hand over durable messages, numbered from `first`. What nobody asked for is `unread` until it is taken."""
        waiting, ended, of = self.waiting, self._ended, Message.of
        answered = 0
        for sequence, envelope in enumerate(messages, first):
            token = envelope.in_reply_to
            found = waiting.pop(token, None) if token is not None else None
            if found is None or token is None:
                self._take_unasked(envelope, sequence, unread)
                continue
            answered += 1
            ended[token] = envelope.message_id
            _, batch, place, _ = found
            batch.end(place, _error(envelope) if _is_failure(envelope) else of(envelope))
        self.counts["answered"] += answered
        self._forget_oldest()

    def fail_volatile(
        self, belongs: Callable[[int], bool], error: CaxtonError, unsent: AbstractSet[bytes] = frozenset()
    ) -> None:
        """End the volatile requests to agents that belong to a worker that ended; `unsent` wait for the next one."""
        gone = [
            token
            for token, (request, *_) in self.waiting.items()
            if not request.flags & DURABLE and belongs(request.receiver) and token not in unsent
        ]
        for token in gone:
            _, batch, place, _ = self.waiting.pop(token)
            batch.end(place, error)

    def fail_all(self, error: CaxtonError) -> None:
        """End every request, whatever its lane."""
        for _, batch, place, _ in self.waiting.values():
            batch.end(place, error)
        self.waiting.clear()

    def leave(
        self, kept: AbstractSet[bytes], is_known_again: Callable[[Envelope], bool], error: CaxtonError
    ) -> list[Entry]:
        """End every request that is neither `kept` nor may go again; returns those that may, oldest first."""
        again = [entry for token, entry in self.waiting.items() if token not in kept and is_known_again(entry[0])]
        tokens = {entry[0].message_id for entry in again} | kept
        for token in [token for token in self.waiting if token not in tokens]:
            _, batch, place, _ = self.waiting.pop(token)
            batch.end(place, error)
        return again

    def forget(self, requests: list[Entry]) -> None:
        """Stop waiting for replies to requests that ended otherwise; late ones go to the inbox."""
        for request, *_ in requests:
            found = self.waiting.pop(request.message_id, None)
            if found is not None and found[0].flags & DURABLE:
                self._ended[request.message_id] = None
        self._forget_oldest()

    def hush(self, token: bytes) -> None:
        """Drop what comes under this token from now on, counted as `after_the_end`."""
        self._hushed[token] = None
        if len(self._hushed) > ENDED_KEPT:
            del self._hushed[next(iter(self._hushed))]

    def _is_hushed(self, envelope: Envelope) -> bool:
        if not self._hushed or envelope.in_reply_to not in self._hushed:
            return False
        self.counts["after_the_end"] += 1
        return True

    def close(self) -> None:
        """Let whoever waits for the inbox go."""
        self.inbox.close()

    def _keep(self, envelope: Envelope) -> None:
        """Put a message in the inbox that nothing holds back: dropped and counted when there is no room."""
        if self._is_hushed(envelope):
            return
        if self.inbox.full:
            self.counts["inbox_full"] += 1
            self.inbox.drop(envelope)
            return
        self.counts["unasked"] += 1
        self.inbox.keep(envelope)

    def _take_unasked(self, envelope: Envelope, sequence: int, unread: Unread) -> None:
        """Keep a durable message that answers no request which waits.

        A late answer, and the runtime's word of a failure, go to the inbox without holding an acknowledgement back:
        the caller of the one gave up, the other's message stands in the dead letters, and perhaps nobody ever looks.
        So does all that comes while the inbox passes over it.
        """
        token = envelope.in_reply_to
        if self._is_hushed(envelope):
            return
        if token is not None and self._answer_to(token) == envelope.message_id:
            self.counts["duplicate_answers"] += 1
        elif _is_failure(envelope) or self.inbox.passes_over or (token is not None and self._is_remembered(token)):
            self._keep(envelope)
        else:
            self.counts["unasked"] += 1
            unread.keep(sequence)
            self.inbox.keep(envelope, unread)

    def _forget_oldest(self) -> None:
        if len(self._ended) >= ENDED_KEPT:
            self._ended, self._ended_before = {}, self._ended

    def _is_remembered(self, token: bytes) -> bool:
        return token in self._ended or token in self._ended_before

    def _answer_to(self, token: bytes) -> bytes | None:
        return self._ended[token] if token in self._ended else self._ended_before.get(token)


def _is_failure(envelope: Envelope) -> bool:
    return bool(envelope.flags & AUTOMATIC) and envelope.performative == _FAILURE


def _error(envelope: Envelope) -> CaxtonError:
    try:
        return read_report(envelope.content)
    except CaxtonError as error:
        return error
