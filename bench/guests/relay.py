"""Agents that pass a message on from worker to worker, and the requests that travel so."""

import random
from collections.abc import Sequence
from pathlib import Path

import wasmtime

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.agents.deployment import Deployment
from caxton.client.client import Client
from caxton.errors import CaxtonError, ConfigurationError
from caxton.ids import AgentId

_ID = 8
# What one byte can say of a content's length: the relay knows no other.
MAX_ROUTE_AND_PAYLOAD = 255
_SEED = 1


def most_payload(hops: int) -> int:
    """Return how many bytes of payload fit beside the route of so many hops; below 0 the route alone does not fit."""
    return MAX_ROUTE_AND_PAYLOAD - (hops + 1) * _ID


async def deploy_relays(client: Client, count: int) -> list[list[AgentId]]:
    """Deploy so many relays and return them by shard. Raises the error of the first that is refused.

    Raises ConfigurationError when a shard got none: then there are too few for a route through all of them.
    """
    wasm = bytes(wasmtime.wat2wasm(Path(__file__).with_name("relay.wat").read_text(encoding="utf-8")))
    results = await client.deploy_many(
        [Deployment(f"relay-{number}", wasm, encoding="msgpack") for number in range(count)]
    )
    for result in results:
        if isinstance(result, CaxtonError):
            raise result
    by_shard: dict[int, list[AgentId]] = {}
    for view in await client.agents():
        by_shard.setdefault(view.shard, []).append(AgentId(view.agent_id))
    workers = (await client.health()).workers
    if len(by_shard) < len(workers):
        raise ConfigurationError("--agents", f"{count} are not on every one of {len(workers)} shards", "take more")
    return list(by_shard.values())


def routed_requests(
    relays: Sequence[Sequence[AgentId]], session: AgentId, hops: int, payload: int, lane: Lane
) -> list[Message]:
    """Return a request for each relay to begin at: from it on, every hop leads to a relay of another shard.

    The last relay answers `session` with the payload. The order and the routes are the same for the same agents.
    """
    dice = random.Random(_SEED)
    options = DeliveryOptions(reliability=lane.reliability)
    messages = []
    for shard, its_own in enumerate(relays):
        for first in its_own:
            through = [dice.choice(relays[(shard + hop) % len(relays)]) for hop in range(1, hops + 1)]
            content = b"".join(int(to).to_bytes(_ID) for to in [*through, session]) + b"x" * payload
            messages.append(Message(first, content, performative=Performative.REQUEST, delivery_options=options))
    dice.shuffle(messages)
    return messages
