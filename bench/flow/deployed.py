"""The agents of a graph in a runtime: neighbours on different workers, and awake before anything is measured."""

import asyncio
import itertools
import time
from collections.abc import Sequence

from bench.flow.crew import Crew
from bench.flow.graphs import Graph
from bench.flow.guests import content, encoding, module
from bench.flow.pulse import TURNS
from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.acl.performative import Performative
from caxton.agents.deployment import Deployment
from caxton.client.client import Client
from caxton.errors import CaxtonError, Timeout
from caxton.ids import AgentId
from caxton.placement.slot_table import SlotTable

_LOOK_PERIOD_S = 0.01
_WAKE_S = 30.0


async def deploy(client: Client, graph: Graph, workers: int) -> dict[str, AgentId]:
    """Deploy the agents of a graph, dealt out to the shards in turn, and return their ids.

    So neighbours are on two workers wherever there are two. Raises the error of the first that is refused.
    """
    table = SlotTable.even(workers)
    names = {
        agent: _name_on(number % workers, f"{graph.name}-{agent}", client, table)
        for number, agent in enumerate(graph.agents)
    }
    modules: dict[int, bytes] = {}  # agents that do the same are one object, and have one module
    deployments = []
    for name, agent in graph.agents.items():
        wasm = modules.get(id(agent)) or modules.setdefault(id(agent), module(agent, names))
        deployments.append(Deployment(names[name], wasm, encoding(agent)))
    for result in await client.deploy_many(deployments):
        if isinstance(result, CaxtonError):
            raise result
    return {agent: client.id_of(name) for agent, name in names.items()}


def _name_on(shard: int, name: str, client: Client, table: SlotTable) -> str:
    names = (f"{name}-{number}" for number in itertools.count())
    return next(name for name in names if table.shard_of(client.id_of(name)) == shard)


async def wake(client: Client, agents: Sequence[AgentId], crew: Crew) -> None:
    """Give every agent one turn in which it says nothing, so that its sandbox is made. Raises Timeout after 30 s."""
    before, options = crew.counters()[TURNS], DeliveryOptions(reliability=Lane.VOLATILE.reliability)
    for result in await client.send_batch(
        [Message(agent, content(0), performative=Performative.CANCEL, delivery_options=options) for agent in agents]
    ):
        if isinstance(result, CaxtonError):
            raise result
    give_up_s = time.monotonic() + _WAKE_S
    while crew.counters()[TURNS] - before < len(agents):
        if time.monotonic() >= give_up_s:
            raise Timeout("the first turns of the agents", _WAKE_S)
        await asyncio.sleep(_LOOK_PERIOD_S)
