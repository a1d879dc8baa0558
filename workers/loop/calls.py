"""What clients ask of this shard beside messages: deploy, list, inspect, stop, remove. One call, one answer."""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from time import monotonic_ns

from caxton.acl.envelope import MAX_CONTENT
from caxton.agents.limits import Limits
from caxton.agents.manifest import SHA256_BYTES, Encoding, Manifest
from caxton.agents.names import NamePattern
from caxton.errors import (
    AgentNotFound,
    CaxtonError,
    ResourceExhausted,
    SessionNotFound,
    ShardUnavailable,
    StorageError,
    StorageFull,
    Timeout,
    to_fields,
)
from caxton.ids import AgentId
from caxton.wire.audit import Entry
from caxton.wire.backup import CopyShard, CopyStep
from caxton.wire.busy import AskBusiest
from caxton.wire.call_graph import AskCallGraph, AskNames
from caxton.wire.calls import (
    Agents,
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
from caxton.wire.capability_calls import Advertise, ListCapabilities, ListCapable, LookUp
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer, Call
from caxton.wire.conversations import (
    AskConversationFigures,
    FindConversations,
    ListConversations,
    ResumeConversation,
)
from caxton.wire.delivery import AskSeal
from caxton.wire.kept import FindMessage, ListKept
from caxton.wire.records import ReadRecords
from caxton.wire.spans import LeaveSpans, ReadSpans
from caxton.wire.watching import EndWatch, ReadLog, Watch
from workers.agents.registry import Agent
from workers.loop.backup_calls import BackupCalls
from workers.loop.busy_calls import BusyCalls
from workers.loop.call_graph_calls import CallGraphCalls
from workers.loop.call_line import CallLine, Check, Wanted
from workers.loop.capability_calls import CapabilityCalls
from workers.loop.conversation_calls import ConversationCalls
from workers.loop.dead_letter_calls import DeadLetterCalls
from workers.loop.kept_calls import KeptCalls
from workers.loop.log_calls import LogCalls
from workers.loop.passes import Passes
from workers.loop.record_calls import RecordCalls
from workers.loop.shard import Shard
from workers.loop.span_calls import SpanCalls
from workers.loop.views import view
from workers.loop.watch_calls import WatchCalls
from workers.operations.attached import Attached
from workers.peers.peer import Peer
from workers.volatile.placing import DRAINING
from workers.worker_pass import NS_PER_MS

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
    Advertise,
    ResumeConversation,
)
# Each attached agent has one exchange that waits.
MAX_CALLS = 4_096
log = logging.getLogger("caxton.worker")


class Calls:
    """Answers calls, at most 4,096 at a time, of one session no more than it leaves to the others.

    under_way: those that are being answered. draining: all are refused.
    """

    def __init__(self, shard: Shard, attached: Attached, group: asyncio.TaskGroup, passes: Passes) -> None:
        self._attached = attached
        self._shard = shard
        self._journal = shard.durable.journal
        self._greetings = shard.durable.greetings
        reads = CallLine()
        self._dead_letters = DeadLetterCalls(shard, passes, reads)
        self._kept = KeptCalls(shard, reads)
        self._looks = CallLine()
        self._capabilities = CapabilityCalls(shard, passes, self._looks)
        self._busy, self._call_graph = BusyCalls(shard), CallGraphCalls(shard)
        self._spans = SpanCalls(shard)
        self._records = RecordCalls(shard)
        self._logs, self._watches = LogCalls(shard), WatchCalls(shard, passes.wake)
        self._conversations = ConversationCalls(shard, CallLine(), passes.wake)
        self._backups = BackupCalls(shard.store.database, group)
        shard.on_session_end = self._backups.session_ended
        self._stopping = False
        self._registry = shard.registry
        self._lifecycle = shard.lifecycle
        self._peers = shard.peers
        self._routes = shard.routes
        self._number = shard.number
        self._group = group
        self._wake = passes.wake
        self.under_way = 0
        self._of: Counter[int] = Counter()
        self._was_full = False
        self.draining = False

    def take(self, peer: Peer, call: Call) -> None:
        """Answer a call of this peer, at once or when what it asks for is stored."""
        if self.draining:
            self._answer(peer.number, call.call_id, failed(ShardUnavailable(self._number, DRAINING)))
        elif (own := self._of[peer.number]) >= (left := MAX_CALLS - self.under_way):
            self._was_full = self._was_full or not left
            whose, most = ("calls of one client at a time", own) if left else ("calls at a time", MAX_CALLS)
            self._answer(peer.number, call.call_id, failed(ResourceExhausted(whose, most)))
        else:
            self.under_way += 1
            self._of[peer.number] += 1
            self._group.create_task(self._serve(peer.number, peer.principal, call, monotonic_ns()))

    async def _serve(self, number: int, principal: str, call: Call, came_ns: int) -> None:
        try:
            self._check_disk(call.request)
            check = Wanted(number, lambda: self._check_wanted(number, call, came_ns))
            result = await self._result(number, principal, call.request, check)
        except CaxtonError as error:
            result = failed(error)
            if isinstance(error, StorageFull):
                self._journal.urgent = True  # a commit sees it too, and with that senders and health
        finally:
            self.under_way -= 1
            self._of[number] -= 1
            if not self._of[number]:
                del self._of[number]
            self._wake()  # what it caused, such as failures for what a stopped agent had waiting, goes with a pass
        self._answer(number, call.call_id, result)

    def to_tell(self) -> int:
        """Return how many are under way, for health: all that may, if one was refused for it since this was asked."""
        was_full, self._was_full = self._was_full, False
        return MAX_CALLS if was_full else self.under_way

    def _check_disk(self, request: Request) -> None:
        """Refuse at once what would have to be stored while there is no room. Raises StorageFull."""
        problem = self._greetings.closed
        if problem and isinstance(request, _CHANGES):
            raise StorageFull(f"shard {self._number}", problem)

    def _check_wanted(self, number: int, call: Call, came_ns: int) -> None:
        """Go on only for somebody who waits. Raises Timeout, SessionNotFound, ShardUnavailable."""
        if self.draining:
            raise ShardUnavailable(self._number, DRAINING)
        if self._peers.find(number) is None:
            raise SessionNotFound(str(AgentId(number)))
        if call.timeout_ms and monotonic_ns() - came_ns >= call.timeout_ms * NS_PER_MS:
            raise Timeout(f"{type(call.request).__name__} on shard {self._number}", call.timeout_ms / 1_000)

    def end(self) -> None:
        """Nothing is answered any more: let go of what is done for callers beside their calls."""
        self._backups.end()

    def stop_drained(self) -> None:
        """Let the draining agents that have nothing left stop."""
        if not self._stopping:
            self._stopping = True
            self._group.create_task(self._stop_drained())

    async def _stop_drained(self) -> None:
        try:
            async for agent_id in self._lifecycle.stop_drained():
                self._attached.arrived({agent_id})  # whoever waits for its messages is told
        except StorageError as error:
            log.warning("agents that were drained are not stopped yet: %s", error)  # the next tick tries again
        finally:
            self._stopping = False

    async def _result(self, session: int, principal: str, request: Request, check: Check) -> Result:  # noqa: C901, PLR0911, PLR0912 (a case for each kind)
        """Return what comes of a call. principal: for whom, as it was when the call came: its session may be over."""
        match request:
            case Deploy():
                refused = await self._lifecycle.deploy(request.manifests, principal)
                return Deployed({place: failed(error) for place, error in refused.items()})
            case ListAgents():
                async with self._looks.turn(check):
                    return self._listed(request)
            case Inspect():
                agent = self._registry.find(request.agent_id)
                if agent is None:
                    raise AgentNotFound(f"{request.agent_id:016x}")
                return view(agent, self._shard)
            case Attach():
                return view(await self._attach(session, principal, request), self._shard)
            case Exchange():
                return await self._attached.exchange(session, request)
            case AskSeal():
                return self._attached.seal(session, request)
            case StopAgent() | RemoveAgents() | PauseAgent() | ResumeAgent() | Detach():
                return await self._changed(session, principal, request)
            case ListCapable() | ListCapabilities() | LookUp() | Advertise():
                return await self._capabilities.answer(request, check, principal)
            case FindMessage() | ListKept():
                return await self._kept.answer(request, check)
            case FindConversations() | ListConversations() | AskConversationFigures() | ResumeConversation():
                return await self._conversations.answer(request, check)
            case ReadSpans() | LeaveSpans():
                return self._spans.answer(request)
            case ReadRecords():
                return self._records.answer(request)
            case AskBusiest():
                return await self._busy.answer(request, check)
            case AskCallGraph() | AskNames():
                return self._call_graph.answer(request)
            case ReadLog():
                return await self._logs.answer(session, request)
            case CopyShard() | CopyStep():
                return await self._backups.answer(session, request)
            case Watch() | EndWatch():
                return await self._watches.answer(session, request)
            case _:
                return await self._dead_letters.answer(request, check, principal)

    def _listed(self, request: ListAgents) -> Agents:
        pattern = None if request.name is None else NamePattern(request.name)
        among = [*map(NamePattern, request.among)]
        found, more, after = self._registry.page(request.after, request.limit, pattern, request.state, among)
        return Agents([view(agent, self._shard) for agent in found], more, after, len(self._registry.agents))

    async def _changed(
        self, session: int, principal: str, request: StopAgent | RemoveAgents | PauseAgent | ResumeAgent | Detach
    ) -> Result:
        """Change agents; answered when what follows from it is committed."""
        refused: dict[int, CaxtonError] = {}
        match request:
            case StopAgent():
                if request.drain:
                    await self._lifecycle.drain(request.agent_id, request.drain_ms, principal)
                else:
                    await self._lifecycle.stop(request.agent_id, principal)
                self._attached.arrived({request.agent_id})  # whoever waits for its messages is told
            case RemoveAgents():
                refused = await self._lifecycle.remove(request.agent_ids, principal)
                self._attached.arrived(set(request.agent_ids))
            case PauseAgent():
                await self._lifecycle.pause(request.agent_id, principal)
            case ResumeAgent():
                await self._lifecycle.resume(request.agent_id, principal)
            case Detach():
                self._attached.detach(session, request.agent_id)
                with suppress(StorageFull):  # it is detached, and whoever leaves cannot make room
                    await self._journal.stored_after(self._wake)
                return Done()
        await self._journal.stored_after(self._wake)
        return Done({place: failed(error) for place, error in refused.items()})

    async def _attach(self, session: int, principal: str, request: Attach) -> Agent:
        limits = Limits(mailbox_capacity=request.mailbox_capacity, max_message_bytes=MAX_CONTENT)
        no_module = bytes(SHA256_BYTES)
        manifest = Manifest(
            request.name,
            no_module,
            Encoding.ATTACHED,
            request.capabilities,
            limits,
            request.escalate_to,
            request.weight,
        )
        agent = await self._lifecycle.attachable(manifest, again=request.again, principal=principal)
        if self._peers.find(session) is None:  # it ended while this was stored: nobody is left who would detach it
            raise SessionNotFound(str(AgentId(session)))
        replaced = agent.replaced
        self._attached.attach(session, agent, request.group, replace=request.replace)
        if agent.replaced is not replaced:
            taken = Entry(self._routes.a_pass.wall_ms, "take_over", principal, request.name)
            self._journal.commit.audit.append(taken)
            self._journal.urgent = True
        text = f"agent {agent.label}: a program runs its turns"
        self._shard.watching.events.happened("agent_attached", text, agent.known)
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
