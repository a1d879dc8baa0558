"""Caxton: 1,000 echo agents in the sandbox of one worker, asked by one client under uvloop, on both lanes.

Messages one by one are `client.request`, a call each; batches are `client.request_many` of 256. Durable requests are
committed on their way in, with their answers.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle

import caxton
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.closed_loop import BATCH, round_of
from bench.peers.form import BATCHED, FRAMES_OF_256, MANY, ONE_BY_ONE, Form, arguments, report
from bench.peers.loops import alone_in, new_runner, of_batches, of_tasks
from bench.runtime import serving
from caxton.acl.options import DeliveryOptions, Lane
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

AGENTS = 1_000


class Asked:
    """The agents as one client asks them on one lane, going round all of them in a shuffled order."""

    def __init__(self, client: Client, agents: Sequence[AgentId], lane: Lane, payload: int) -> None:
        requests = requests_to(agents, payload, lane)
        self._client = client
        self._options = DeliveryOptions(reliability=lane.reliability)
        self._next = cycle([request.receiver for request in requests])
        self._round = round_of(requests)
        self._agents = len(requests)
        self._at = 0

    async def ask(self, content: bytes) -> bytes:
        """Return the answer of the next agent; raises what `request` raises."""
        return (await self._client.request(next(self._next), content, options=self._options)).content

    async def ask_many(self, batch: Sequence[bytes]) -> list[bytes]:
        """Return the answers of the next 256 agents; raises the first error. The messages are made before."""
        messages = self._round[self._at : self._at + len(batch)]
        self._at = (self._at + len(batch)) % self._agents
        answers = []
        for reply in await self._client.request_many(messages):
            if isinstance(reply, CaxtonError):
                raise reply
            answers.append(reply.content)
        return answers


def main() -> None:
    """Start a runtime with one worker, and measure it."""
    content, seconds = arguments()
    with serving(1) as served, new_runner() as runner:
        stack = AsyncExitStack()
        client = runner.run(stack.enter_async_context(caxton.connect(served.runtime_dir)))
        agents = runner.run(_woken(client, len(content)))
        forms: list[Form] = []
        for lane in Lane:
            forms += _forms(runner, Asked(client, agents, lane, len(content)), lane, content)
        report(caxton.__version__, 2, forms, seconds)
        runner.run(stack.aclose())


async def _woken(client: Client, payload: int) -> list[AgentId]:
    agents = await deploy_echoes(client, AGENTS)
    await wake(client, requests_to(agents, payload))
    return agents


def _forms(runner: asyncio.Runner, asked: Asked, lane: Lane, content: bytes) -> list[Form]:
    name = lane.name.lower()
    return [
        Form(
            f"{ONE_BY_ONE}, {name}",
            of_tasks(runner, asked.ask, content),
            MANY,
            alone_in(runner, asked.ask, content),
            note="tasks that await `request`; each message runs in a sandbox",
        ),
        Form(
            f"{BATCHED}, {name}",
            of_batches(runner, asked.ask_many, content, BATCH),
            FRAMES_OF_256,
            note="`request_many` of 256; each message runs in a sandbox",
        ),
    ]


if __name__ == "__main__":
    main()
