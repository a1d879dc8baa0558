"""What clients ask of this shard beside messages: deploy, list, inspect, stop, remove. One call, one answer."""

import asyncio
import logging
from contextlib import suppress

from caxton.acl.envelope import MAX_CONTENT
from caxton.agents.limits import Limits
from caxton.agents.manifest import SHA256_BYTES, Encoding, Manifest
from caxton.errors import (
    AgentNotFound,
    CaxtonError,
    ResourceExhausted,
    SessionNotFound,
    ShardUnavailable,
    StorageError,
    StorageFull,
    to_fields,
)
from caxton.ids import AgentId
from caxton.wire.calls import (
    Agents,
    AgentView,
    Attach,
    Deploy,
    Deployed,
    Detach,
    Done,
    Exchange,
    Failed,
    Inspect,
    ListAgents,
    PauseAgent,
    PurgeDeadLetters,
    RemoveAgents,
    Request,
    RequeueDeadLetters,
    Result,
    ResumeAgent,
    StopAgent,
)
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer, Call
from workers.agents.registry import Agent, state_of
from workers.loop.dead_letter_calls import DeadLetterCalls
from workers.loop.passes import Passes
from workers.loop.shard import Shard
from workers.operations.attached import Attached
from workers.peers.peer import Peer
from workers.volatile.placing import DRAINING

# What would have to be stored; all else is answered also while the disk is full.
_CHANGES = (
    Deploy,
    Attach,
    StopAgent,
    RemoveAgents,
    PauseAgent,
    ResumeAgent,
    RequeueDeadLetters,
    PurgeDeadLetters,
)
# Each attached agent has one exchange that waits.
MAX_CALLS = 4_096
log = logging.getLogger("caxton.worker")


class Calls:
    """Answers calls, at most 4,096 at a time. under_way: those that are being answered. draining: all are refused."""

    def __init__(self, shard: Shard, attached: Attached, group: asyncio.TaskGroup, passes: Passes) -> None:
        self._attached = attached
        self._journal = shard.durable.journal
        self._greetings = shard.durable.greetings
        self._dead_letters = DeadLetterCalls(shard, passes)
        self._stopping = False
        self._registry = shard.registry
        self._lifecycle = shard.lifecycle
        self._peers = shard.peers
        self._routes = shard.routes
        self._number = shard.number
        self._group = group
        self._wake = passes.wake
        self.under_way = 0
        self.draining = False

    def take(self, peer: Peer, call: Call) -> None:
        """Answer a call of this peer, at once or when what it asks for is stored."""
        if self.draining:
            self._answer(peer.number, call.call_id, failed(ShardUnavailable(self._number, DRAINING)))
        elif self.under_way >= MAX_CALLS:
            self._answer(peer.number, call.call_id, failed(ResourceExhausted("calls at a time", MAX_CALLS)))
        else:
            self.under_way += 1
            self._group.create_task(self._serve(peer.number, call))

    async def _serve(self, number: int, call: Call) -> None:
        try:
            self._check_disk(call.request)
            result = await self._result(number, call.request)
        except CaxtonError as error:
            result = failed(error)
            if isinstance(error, StorageFull):
                self._journal.urgent = True  # a commit sees it too, and with that senders and health
        finally:
            self.under_way -= 1
            self._wake()  # what it caused, such as failures for what a stopped agent had waiting, goes with a pass
        self._answer(number, call.call_id, result)

    def _check_disk(self, request: Request) -> None:
        """Refuse at once what would have to be stored while there is no room. Raises StorageFull."""
        problem = self._greetings.closed
        if problem and isinstance(request, _CHANGES):
            raise StorageFull(f"shard {self._number}", problem)

    def stop_drained(self) -> None:
        """Let the draining agents that have nothing left stop."""
        if not self._stopping:
            self._stopping = True
            self._group.create_task(self._stop_drained())

    async def _stop_drained(self) -> None:
        try:
            await self._lifecycle.stop_drained()
        except StorageError as error:
            log.warning("agents that were drained are not stopped yet: %s", error)  # the next tick tries again
        finally:
            self._stopping = False

    async def _result(self, session: int, request: Request) -> Result:  # noqa: PLR0911 (a case for each kind)
        match request:
            case Deploy():
                refused = await self._lifecycle.deploy(request.manifests)
                return Deployed({place: failed(error) for place, error in refused.items()})
            case ListAgents():
                page, more = self._registry.page(request.after, request.limit)
                return Agents([view(agent, self._number) for agent in page], more)
            case Inspect():
                agent = self._registry.find(request.agent_id)
                if agent is None:
                    raise AgentNotFound(f"{request.agent_id:016x}")
                return view(agent, self._number)
            case Attach():
                return view(await self._attach(session, request), self._number)
            case Exchange():
                return await self._attached.exchange(session, request)
            case StopAgent() | RemoveAgents() | PauseAgent() | ResumeAgent() | Detach():
                return await self._changed(session, request)
            case _:
                return await self._dead_letters.answer(request)

    async def _changed(
        self, session: int, request: StopAgent | RemoveAgents | PauseAgent | ResumeAgent | Detach
    ) -> Result:
        """Change agents; answered when what follows from it is committed."""
        refused: dict[int, CaxtonError] = {}
        match request:
            case StopAgent():
                await self._lifecycle.stop(request.agent_id, drain=request.drain)
                self._attached.arrived({request.agent_id})  # whoever waits for its messages is told
            case RemoveAgents():
                refused = await self._lifecycle.remove(request.agent_ids)
                self._attached.arrived(set(request.agent_ids))
            case PauseAgent():
                await self._lifecycle.pause(request.agent_id)
            case ResumeAgent():
                await self._lifecycle.resume(request.agent_id)
            case Detach():
                self._attached.detach(session, request.agent_id)
                with suppress(StorageFull):  # it is detached, and whoever leaves cannot make room
                    await self._journal.stored_after(self._wake)
                return Done()
        await self._journal.stored_after(self._wake)
        return Done({place: failed(error) for place, error in refused.items()})

    async def _attach(self, session: int, request: Attach) -> Agent:
        limits = Limits(mailbox_capacity=request.mailbox_capacity, max_message_bytes=MAX_CONTENT)
        no_module = bytes(SHA256_BYTES)
        manifest = Manifest(request.name, no_module, Encoding.ATTACHED, request.capabilities, limits)
        agent = await self._lifecycle.attach(manifest, session, again=request.again)
        if self._peers.find(session) is None:  # it ended while this was stored: nobody is left who would detach it
            agent.attach(0)
            raise SessionNotFound(str(AgentId(session)))
        return agent

    def _answer(self, number: int, call_id: int, result: Result) -> None:
        peer = self._peers.find(number)
        if peer is None:
            return  # a session that ended meanwhile wants no answer
        if not peer.answer(CONTROL.encode(Answer(self._peers.own, peer.mark, number, call_id, result))):
            self._routes.a_pass.counts["unanswered"] += 1


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
        state_of(agent),
        shard,
        manifest.encoding.value,
        manifest.capabilities,
        limits,
        manifest.module,
        sandbox is not None,
        0 if agent.mailbox is None else agent.mailbox.depth,
        counters,
    )
