"""The agents that are measured: many of the echo example, and the requests to them in an order that looks random."""

import random
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.agents.deployment import Deployment
from caxton.agents.limits import Limits
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

# The order of agents differs from that of their shards, and is the same in every run.
_SEED = 1


def echo_wasm() -> bytes:
    """Return the echo agent's module: it answers every message with what was in it."""
    return resources.files("caxton.guests").joinpath("echo.wasm").read_bytes()


def echo_path() -> Path:
    """Return where the echo agent's module is, for processes that are given a path."""
    return Path(str(resources.files("caxton.guests").joinpath("echo.wasm")))


async def deploy_echoes(client: Client, count: int, limits: Limits | None = None) -> list[AgentId]:
    """Deploy so many echo agents and return their ids; raises the error of the first that is refused."""
    wasm = echo_wasm()
    results = await client.deploy_many([Deployment(f"echo-{number}", wasm, limits=limits) for number in range(count)])
    agents = []
    for result in results:
        if isinstance(result, CaxtonError):
            raise result
        agents.append(result)
    return agents


def requests_to(agents: Sequence[AgentId], payload: int, lane: Lane = Lane.VOLATILE) -> list[Message]:
    """Return one request of `payload` bytes to each agent, shuffled."""
    content, options = b"x" * payload, DeliveryOptions(reliability=lane.reliability)
    messages = [
        Message(agent, content, performative=Performative.REQUEST, delivery_options=options) for agent in agents
    ]
    random.Random(_SEED).shuffle(messages)
    return messages


async def wake(client: Client, requests: Sequence[Message]) -> None:
    """Have each request answered once, so that every sandbox is made before anything is measured.

    Raises the error of the first that is not answered.
    """
    for reply in await client.request_many(requests):
        if isinstance(reply, CaxtonError):
            raise reply
