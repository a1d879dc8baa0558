"""Replies in: each finds the request it answers, or the inbox."""

import asyncio
from collections import Counter, deque
from collections.abc import Set as AbstractSet
from typing import Any

from caxton.acl.envelope import AUTOMATIC, Envelope
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.batches import Batch
from caxton.client.shard_route import Entry
from caxton.errors import CaxtonError
from caxton.wire.failure import read_report

INBOX_CAPACITY = 10_000
_FAILURE = int(Performative.FAILURE)


class Answers:
    """Requests that wait, by their reply_with; and the inbox, of at most 10,000 messages, for everything else.

    counts: `answered`, `unasked` (to the inbox) and `inbox_full` (dropped).
    """

    def __init__(self) -> None:
        # reply_with → the batch, the place in it, and the shard that the request went to
        self.waiting: dict[bytes, tuple[Batch[Any], int, int]] = {}
        self.counts: Counter[str] = Counter()
        self._inbox: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    def take(self, messages: list[Envelope]) -> None:
        """Hand each message to whoever waits for it."""
        waiting, of = self.waiting, Message.of
        answered = 0
        for envelope in messages:
            found = waiting.pop(envelope.in_reply_to, None) if envelope.in_reply_to is not None else None
            if found is None:
                self._keep(of(envelope))
                continue
            answered += 1
            batch, place, _ = found
            if envelope.flags & AUTOMATIC and envelope.performative == _FAILURE:
                batch.end(place, _error(envelope))
            else:
                batch.end(place, of(envelope))
        self.counts["answered"] += answered

    def fail_shard(self, shard: int, error: CaxtonError, unsent: AbstractSet[bytes] = frozenset()) -> None:
        """End every request that went to a shard whose worker ended; `unsent` never left, and wait for the next one."""
        gone = [token for token, found in self.waiting.items() if found[2] == shard and token not in unsent]
        for token in gone:
            batch, place, _ = self.waiting.pop(token)
            batch.end(place, error)

    def forget(self, requests: list[Entry]) -> None:
        """Stop waiting for replies to requests that ended otherwise; late ones go to the inbox."""
        if len(self.waiting) == 0:
            return
        for envelope, _, _, _ in requests:
            self.waiting.pop(envelope.message_id, None)

    async def next(self) -> Message | None:
        """Return the next message of the inbox, waiting for one; None when the client is closed."""
        while not self._inbox and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.popleft() if self._inbox else None

    def close(self) -> None:
        """Let whoever waits for the inbox go."""
        self._closed = True
        self._arrived.set()

    def _keep(self, message: Message) -> None:
        if len(self._inbox) >= INBOX_CAPACITY:
            self.counts["inbox_full"] += 1
            return
        self.counts["unasked"] += 1
        self._inbox.append(message)
        self._arrived.set()


def _error(envelope: Envelope) -> CaxtonError:
    try:
        return read_report(envelope.content)
    except CaxtonError as error:
        return error
