"""Contract nets, many at once: the client's one call for each, and bidders in sandboxes."""

import asyncio
import time
from collections.abc import Sequence

from bench.conversations.bids import JOB, tariff_of
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.agents.deployment import Deployment
from caxton.client.client import Client
from caxton.client.interactions.contract_net import Outcome
from caxton.demo.carriers import CARRIER_WASM
from caxton.errors import CaxtonError
from caxton.ids import AgentId

# By how many bid: rounds under way at a time. More make no more of them in a second.
AT_ONCE = {10: 32, 100: 4}
# cfp and proposal of each bidder, accept-proposal or reject-proposal, and what the winner has done.
MESSAGES = {bidders: 3 * bidders + 1 for bidders in AT_ONCE}
_DEADLINE_S = 30.0


async def deploy_bidders(client: Client, count: int) -> list[AgentId]:
    """Deploy so many carriers, each of which bids for the job at a price of its own, and return their ids.

    Raises the error of the first that is refused.
    """
    deployments = [Deployment(f"bidder-{number}", CARRIER_WASM, encoding="msgpack") for number in range(count)]
    agents: list[AgentId] = []
    for result in await client.deploy_many(deployments):
        if isinstance(result, CaxtonError):
            raise result
        agents.append(result)
    tariffs = [Message(agent, tariff_of(place).content) for place, agent in enumerate(agents)]
    for sent in await client.send_batch(tariffs):
        if isinstance(sent, CaxtonError):
            raise sent
    return agents


class Nets:
    """Has the bidders bid in round after round. awarded, amiss: rounds that the cheapest won, and all others."""

    def __init__(self, client: Client, bidders: Sequence[AgentId], lane: Lane) -> None:
        self._client = client
        self._bidders = bidders
        self._options = DeliveryOptions(reliability=lane.reliability)
        self.awarded = self.amiss = 0

    async def run(self, seconds: float) -> int:
        """Keep rounds under way for so long; returns how many there were."""
        until_s = time.perf_counter() + seconds
        return sum(await asyncio.gather(*[self._negotiate(until_s) for _ in range(AT_ONCE[len(self._bidders)])]))

    async def _negotiate(self, until_s: float) -> int:
        rounds = 0
        while time.perf_counter() < until_s:
            result = await self._client.contract_net(JOB, self._bidders, deadline_s=_DEADLINE_S, options=self._options)
            rounds += 1
            fits = result.outcome is Outcome.AWARDED and result.winner == self._bidders[0]
            self.awarded += fits
            self.amiss += not fits
        return rounds
