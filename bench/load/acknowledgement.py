"""How long a durable send takes until it is acknowledged, and so committed: alone, and beside a load."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.load.closed_loop import BATCH, round_of
from bench.load.latencies import Latencies
from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError

ALONE = 200


async def alone(client: Client, message: Message) -> Latencies:
    """Send a message 200 times, each when the one before it is acknowledged; raises what `send` raises."""
    latencies = Latencies()
    for _ in range(ALONE):
        await _send([message], client, latencies)
    return latencies


class Acknowledged:
    """Batches of 256 sends, one after the other. count: messages that were acknowledged."""

    def __init__(self) -> None:
        self.latencies = Latencies()
        self.count = 0

    @asynccontextmanager
    async def beside(self, client: Client, messages: Sequence[Message]) -> AsyncIterator[None]:
        """Send the messages, going round them, while the block runs; its last batch is awaited.

        The block ends with the error of the first message that is not acknowledged.
        """
        ended = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_sending(client, messages, ended))
            try:
                yield
            finally:
                ended.set()

    async def _keep_sending(self, client: Client, messages: Sequence[Message], ended: asyncio.Event) -> None:
        at, all_round = 0, round_of(messages)
        while not ended.is_set():
            self.count += await _send(all_round[at : at + BATCH], client, self.latencies)
            at = (at + BATCH) % len(messages)


async def _send(batch: Sequence[Message], client: Client, latencies: Latencies) -> int:
    began_s = time.perf_counter()
    results: list[Receipt | CaxtonError] = await client.send_batch(batch)
    latencies.record(time.perf_counter() - began_s)
    for result in results:
        if isinstance(result, CaxtonError):
            raise result
    return len(batch)
