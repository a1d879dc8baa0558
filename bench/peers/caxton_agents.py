"""Caxton: 1,000 echo agents in the sandbox of one worker, asked by one client under uvloop, on both lanes.

Messages one by one are `client.request`, a call each; batches are `client.request_many` of 256. Durable requests are
committed on their way in, with their answers. A contract net is `client.contract_net`: the program begins it, and the
bidders are carriers in the sandbox (`caxton/guests/carrier.c`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle

import caxton
from bench.conversations.bids import JOB
from bench.conversations.nets import deploy_bidders
from bench.guests.echo import deploy_echoes, requests_to, wake
from bench.load.closed_loop import BATCH, WrongAnswer, round_of
from bench.peers.form import BATCHED, CONTRACT_NET, FRAMES_OF_256, MANY, ONE_BY_ONE, Form, arguments, report
from bench.peers.loops import alone_in, new_runner, of_batches, of_tasks
from bench.peers.nets import AT_ONCE, BIDDERS
from bench.runtime import serving
from caxton.acl.options import DeliveryOptions, Lane
from caxton.client.client import Client
from caxton.client.interactions.contract_net import Outcome
from caxton.errors import CaxtonError
from caxton.ids import AgentId

AGENTS = 1_000
_DEADLINE_S = 30.0


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


class Negotiated:
    """The bidders as one client has them bid on one lane."""

    def __init__(self, client: Client, bidders: Sequence[AgentId], lane: Lane) -> None:
        self._client = client
        self._bidders = bidders
        self._options = DeliveryOptions(reliability=lane.reliability)

    async def negotiate(self, job: bytes) -> bytes:
        """Have the bidders bid for the job, and return it when it is done; raises WrongAnswer for any other outcome."""
        net = await self._client.contract_net(job, self._bidders, deadline_s=_DEADLINE_S, options=self._options)
        if (net.outcome, net.winner, len(net.proposals)) != (Outcome.AWARDED, self._bidders[0], BIDDERS):
            raise WrongAnswer(f"{net.outcome}, and {len(net.proposals)} proposals: {net.error}")
        return job


def main() -> None:
    """Start a runtime with one worker, and measure it."""
    content, seconds = arguments()
    with serving(1) as served, new_runner() as runner:
        stack = AsyncExitStack()
        client = runner.run(stack.enter_async_context(caxton.connect(served.runtime_dir)))
        agents = runner.run(_woken(client, len(content)))
        bidders = runner.run(deploy_bidders(client, BIDDERS))
        forms: list[Form] = []
        for lane in Lane:
            forms += _forms(runner, Asked(client, agents, lane, len(content)), lane, content)
        forms += [_net(runner, Negotiated(client, bidders, lane), lane) for lane in Lane]
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


def _net(runner: asyncio.Runner, bid: Negotiated, lane: Lane) -> Form:
    return Form(
        f"{CONTRACT_NET}, {lane.name.lower()}",
        of_tasks(runner, bid.negotiate, JOB),
        AT_ONCE,
        alone_in(runner, bid.negotiate, JOB),
        note="`contract_net`; each bidder is in a sandbox, and each message checked by its protocol",
    )


if __name__ == "__main__":
    main()
