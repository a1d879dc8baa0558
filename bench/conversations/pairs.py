"""Requests in conversations: an endless load of batches, each message in a conversation or in none."""

import asyncio
import time
from collections.abc import Sequence

from msgspec.structs import replace

from bench.conversations.loads import Load
from bench.load.closed_loop import BATCH
from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import UuidSource


class Pairs:
    """Asks agents in batches of 256. Of a batch, two requests go to each agent, one after the other.

    Whatever the load, as many ids are drawn and messages are made in the same way, so that it takes no longer for one
    than for another. refused: requests without an answer.
    """

    def __init__(self, client: Client, messages: Sequence[Message], load: Load) -> None:
        self._client = client
        self._envelopes = [message.envelope for message in messages]
        self._requests = load.requests
        self._ids = UuidSource(0)
        # Of each agent: the conversation with it, and how many requests that may still have.
        self._talks = [(b"", 0)] * len(messages)
        self._at = 0
        self.refused = 0

    async def run(self, seconds: float, window: int) -> int:
        """Keep `window` batches under way for so long; returns how many requests were answered."""
        until_s = time.perf_counter() + seconds
        return sum(await asyncio.gather(*[self._ask(until_s) for _ in range(window)]))

    async def _ask(self, until_s: float) -> int:
        answered = 0
        while time.perf_counter() < until_s:
            results = await self._client.request_many(self._batch())
            errors = sum(isinstance(result, CaxtonError) for result in results)
            self.refused += errors
            answered += len(results) - errors
        return answered

    def _batch(self) -> list[Message]:
        batch: list[Message] = []
        envelopes, next_id, requests = self._envelopes, self._ids.next, self._requests
        for place in range(BATCH // 2):
            agent = (self._at + place) % len(envelopes)
            envelope, one, other = envelopes[agent], next_id(), next_id()
            if requests == 1:
                names: tuple[bytes | None, bytes | None] = one, other
            else:
                name, left = self._talks[agent]
                if not left:
                    name, left = one, requests
                self._talks[agent] = name, max(0, left - 2)
                names = (name, name) if requests else (None, None)
            batch += [Message.of(replace(envelope, conversation_id=name)) for name in names]
        self._at += BATCH // 2
        return batch
