"""A closed loop: so many batches of requests are under way, and each that ends is followed by the next."""

import asyncio
import time
from collections.abc import Callable, Sequence

from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.errors import AgentFailure, CaxtonError, RoutingError

# As many as a full frame holds.
BATCH = 256


class WrongAnswer(AssertionError):
    """An agent answered with something else than it should: what is measured is not what was meant."""


def round_of(messages: Sequence[Message]) -> list[Message]:
    """Return the messages so often that a batch may begin at any of them."""
    return list(messages) * (1 + -(-BATCH // len(messages)))


class Load:
    """Sends batches of 256 requests, going round `messages` again and again, until `stop`.

    sent: requests made. answered: those that got their reply, or word of their agent's failure. refused: ended by an
    error that says they had no effect. unknown: ended otherwise, so they may have been lost. When `run` has returned,
    sent = answered + refused + unknown.

    `ended` is called with each batch's seconds, from the call to the completion of the whole batch. `answer` is what
    every message is answered with, None for agents that answer with what they were sent.
    """

    def __init__(
        self,
        client: Client,
        messages: Sequence[Message],
        window: int,
        ended: Callable[[float], None] | None = None,
        *,
        answer: bytes | None = None,
    ) -> None:
        self._client = client
        self._agents = len(messages)
        self._round = round_of(messages)
        self._answer = messages[0].content if answer is None else answer
        self._window = window
        self._ended = ended
        self._at = 0
        self._stopped = False
        self.sent = self.answered = self.refused = self.unknown = 0

    async def run(self) -> None:
        """Keep `window` batches under way until `stop`, and then wait for those."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._window):
                tasks.create_task(self._keep_asking())

    def stop(self) -> None:
        """Send nothing more; `run` returns when what is under way has ended."""
        self._stopped = True

    async def ask(self, batch: Sequence[Message]) -> int:
        """Send one batch, wait until every message of it has ended, and return how many were answered."""
        self.sent += len(batch)
        began_s = time.perf_counter()
        results = await self._client.request_many(batch)
        if self._ended is not None:
            self._ended(time.perf_counter() - began_s)
        errors = [result for result in results if isinstance(result, CaxtonError)]
        if errors:
            self._count(errors)
            await asyncio.sleep(0)  # a batch that is refused at once has waited for nothing
        elif isinstance(last := results[-1], Message) and last.content != self._answer:
            raise WrongAnswer(f"{len(last.content)} bytes that are not the answer")
        self.answered += len(batch) - len(errors)
        return len(batch) - len(errors)

    async def _keep_asking(self) -> None:
        while not self._stopped:
            batch = self._round[self._at : self._at + BATCH]
            self._at = (self._at + BATCH) % self._agents
            await self.ask(batch)

    def _count(self, errors: Sequence[CaxtonError]) -> None:
        for error in errors:
            if isinstance(error, AgentFailure):
                self.answered += 1
            elif isinstance(error, RoutingError):
                self.refused += 1
            else:
                self.unknown += 1
