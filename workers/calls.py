"""What clients ask of this shard beside messages: deploy, list, inspect, stop, remove. One call, one answer."""

import asyncio
from collections.abc import Callable

from caxton.errors import AgentNotFound, CaxtonError, ResourceExhausted, ShardUnavailable, to_fields
from caxton.wire.codec import CONTROL
from caxton.wire.control import (
    Agents,
    AgentView,
    Answer,
    Call,
    Deploy,
    Deployed,
    Done,
    Failed,
    Inspect,
    ListAgents,
    Request,
    Result,
    StopAgent,
)
from workers.peers import Peer
from workers.registry import Agent
from workers.rooms import Rooms

MAX_CALLS = 64


class Calls:
    """Answers calls, at most 64 at a time. draining: every call is refused."""

    def __init__(self, rooms: Rooms, group: asyncio.TaskGroup, wake: Callable[[], None]) -> None:
        self._registry = rooms.registry
        self._lifecycle = rooms.lifecycle
        self._peers = rooms.peers
        self._shard = rooms.shard
        self._group = group
        self._wake = wake
        self._under_way = 0
        self.draining = False

    def take(self, peer: Peer, call: Call) -> None:
        """Answer a call of this peer, at once or when what it asks for is stored."""
        if self.draining:
            self._answer(
                peer.number, call.call_id, failed(ShardUnavailable(self._shard, "draining: the runtime stops"))
            )
        elif self._under_way >= MAX_CALLS:
            self._answer(peer.number, call.call_id, failed(ResourceExhausted("calls at a time", MAX_CALLS)))
        else:
            self._under_way += 1
            self._group.create_task(self._serve(peer.number, call))

    async def _serve(self, number: int, call: Call) -> None:
        try:
            result = await self._result(call.request)
        except CaxtonError as error:
            result = failed(error)
        finally:
            self._under_way -= 1
            self._wake()  # what it caused, such as failures for what a stopped agent had waiting, goes with a pass
        self._answer(number, call.call_id, result)

    async def _result(self, request: Request) -> Result:
        if isinstance(request, Deploy):
            refused = await self._lifecycle.deploy(request.manifests)
            return Deployed({place: failed(error) for place, error in refused.items()})
        if isinstance(request, ListAgents):
            page, more = self._registry.page(request.after, request.limit)
            return Agents([view(agent, self._shard) for agent in page], more)
        if isinstance(request, Inspect):
            agent = self._registry.find(request.agent_id)
            if agent is None:
                raise AgentNotFound(f"{request.agent_id:016x}")
            return view(agent, self._shard)
        if isinstance(request, StopAgent):
            await self._lifecycle.stop(request.agent_id)
            return Done()
        refused = await self._lifecycle.remove(request.agent_ids)
        return Done({place: failed(error) for place, error in refused.items()})

    def _answer(self, number: int, call_id: int, result: Result) -> None:
        peer = self._peers.find(number)
        if peer is not None:  # a session that ended meanwhile wants no answer
            peer.tell(CONTROL.encode(Answer(self._peers.own, peer.mark, number, call_id, result)))


def failed(error: CaxtonError) -> Failed:
    """Return an error as it travels."""
    return Failed(type(error).__name__, to_fields(error))


def view(agent: Agent, shard: int) -> AgentView:
    """Return an agent as others may see it."""
    manifest, sandbox = agent.manifest, agent.sandbox
    counters = {**agent.counters, "run": agent.run}
    if sandbox is not None:
        counters["fuel"] = counters.get("fuel", 0) + sandbox.fuel_used
    limits = {name: getattr(manifest.limits, name) for name in manifest.limits.__struct_fields__}
    return AgentView(
        agent.agent_id,
        manifest.name,
        agent.state.value,
        shard,
        manifest.encoding.value,
        manifest.capabilities,
        limits,
        manifest.module,
        sandbox is not None,
        0 if agent.mailbox is None else agent.mailbox.depth,
        counters,
    )
