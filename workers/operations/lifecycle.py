"""Agents come, stop and go. What is stored is stored before it is answered, and before it takes effect."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from time import monotonic_ns

from caxton.agents.lifecycle import AgentState, transition
from caxton.agents.manifest import Encoding, Manifest
from caxton.agents.names import check_new_name
from caxton.delivery.dead_letter import Reason
from caxton.errors import (
    AgentAlreadyRegistered,
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    DeploymentError,
    InvalidStateTransition,
    ModuleUnknown,
    ResourceExhausted,
)
from caxton.ids import AgentId, AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from caxton.wire.audit import Entry
from caxton.wire.calls import DEFAULT_DRAIN_MS, MAX_DRAIN_MS
from workers.agents.registered_bytes import registered_bytes
from workers.agents.registry import Agent, Hold, Registry, state_of
from workers.durable.lane import DurableLane
from workers.operations.draining import Draining
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.sandbox.abi import check
from workers.sandbox.modules import ModuleMissing, Modules
from workers.turns.routes import Routes
from workers.turns.turn import Turns
from workers.watching.events import Events

# Agents of one shard: each takes a kilobyte or two of this process, whether or not anybody writes to it.
MOST_AGENTS = 1_000_000
# Modules that were checked against limits; beyond them they are checked again.
MOST_CHECKED = 10_000
# Durable messages of an agent that ends, beyond which they become dead letters page by page, while others go on.
MOST_AT_ONCE = 256
log = logging.getLogger("caxton.worker")
Refused = dict[int, CaxtonError]


class Lifecycle:
    """Deploys, pauses, stops and removes the agents of this shard.

    Messages that nobody will handle go back as failures, and become dead letters on the durable lane. draining: agents
    that stop when they have nothing left. failed: agents that run no turns until somebody resumes them.
    """

    def __init__(  # noqa: PLR0913 (what it opens and closes; the composition root is the only caller)
        self,
        *,
        registry: Registry,
        stored: StoredAgents,
        modules: Modules,
        names: AgentNames,
        turns: Turns,
        dispatcher: Dispatcher,
        routes: Routes,
        pressure: Pressure,
        durable: DurableLane,
        shard: int,
        table: SlotTable,
        removed: Callable[[int], None],
        events: Events,
    ) -> None:
        self._registry = registry
        self._stored = stored
        self._modules = modules
        self._names = names
        self._turns = turns
        self._dispatcher = dispatcher
        self._routes = routes
        self._pressure = pressure
        self._durable = durable
        self.draining = Draining(durable.journal.conversations.active_of)
        self.failed: dict[int, Agent] = {}
        self._shard = shard
        self._table = table
        self._removed = removed  # told of each agent that is removed
        self._events = events
        # Agents that are being stored, each with the end of that.
        self._coming: dict[int, asyncio.Event] = {}
        self._coming_bytes = 0
        self._checked: set[tuple[bytes, int]] = set()

    async def load(self) -> None:
        """Register what the shard's file holds."""
        until_ms, now_ms = await self._stored.draining(), _now_ms()
        for agent_id, manifest, state in await self._stored.load():
            agent = self._register(agent_id, manifest)
            if state is AgentState.STOPPED:
                agent.become(AgentState.STOPPED)
            elif state is AgentState.DRAINING:
                agent.become(AgentState.DRAINING)
                left_ms = until_ms.get(agent_id, now_ms + DEFAULT_DRAIN_MS) - now_ms
                self.draining.begin(agent, monotonic_ns(), min(max(0, left_ms), MAX_DRAIN_MS))
            elif state is AgentState.PAUSED:
                agent.become(AgentState.PAUSED)
                agent.hold(Hold.PAUSED)
            elif state is AgentState.FAILED:
                self._become_failed(agent)

    async def deploy(self, manifests: list[Manifest], principal: str = "") -> Refused:
        """Register agents; returns why for each that was refused, by its place. Raises StorageError for all of them."""
        refused: Refused = {}
        coming: list[tuple[int, Manifest]] = []
        stored = asyncio.Event()
        for place, manifest in enumerate(manifests):
            agent_id = self._names.id_of(manifest.name)
            try:
                self._check(agent_id, manifest)
            except CaxtonError as error:
                refused[place] = error
                continue
            self._coming[agent_id] = stored
            self._coming_bytes += registered_bytes(manifest)
            coming.append((agent_id, manifest))
        try:
            if coming:
                now_ms = _now_ms()
                told = [Entry(now_ms, "deploy", principal, manifest.name) for _, manifest in coming]
                await self._stored.add(coming, now_ms, audit=told)
            for agent_id, manifest in coming:
                self._happened(self._register(agent_id, manifest), _comes_as(manifest))
        finally:
            for agent_id, manifest in coming:
                del self._coming[agent_id]
                self._coming_bytes -= registered_bytes(manifest)
            stored.set()
        return refused

    async def stop(self, agent_id: int, principal: str = "") -> None:
        """Let an agent take nothing more, also after a restart; what waits for it dies.

        Raises AgentNotFound, InvalidStateTransition.
        """
        agent = self._find(agent_id)
        transition(agent.label, agent.state, AgentState.STOPPED)
        await self._stop(agent, [_told("stop", principal, agent)])
        self._happened(agent, "stopped")

    async def drain(self, agent_id: int, timeout_ms: int = DEFAULT_DRAIN_MS, principal: str = "") -> None:
        """Let an agent take nothing new, also after a restart, and stop it when it has finished what it has.

        It has a part in its conversations until then. At the timeout it is stopped as it is; one that drains already
        has this one from now on. Raises AgentNotFound, InvalidStateTransition.
        """
        agent = self._find(agent_id)
        if agent.state is not AgentState.DRAINING:
            transition(agent.label, agent.state, AgentState.DRAINING)
        now_ms = _now_ms()
        told = [_told("drain", principal, agent)]
        await self._stored.drain(agent_id, now_ms, now_ms + timeout_ms, told)
        if agent.state is not AgentState.DRAINING:
            agent.become(AgentState.DRAINING)
        agent.release(Hold.PAUSED)
        self._dispatcher.resume(agent)
        self.draining.begin(agent, monotonic_ns(), timeout_ms)
        self._happened(agent, "draining", timeout_ms=timeout_ms)

    async def stop_drained(self) -> AsyncIterator[int]:
        """Stop the draining agents that have nothing left, or no more time; gives each, by its id, when it is stopped.

        What was open then is counted with each. Raises StorageError; those that are left stay draining.
        """
        for agent, messages, conversations in self.draining.over(monotonic_ns()):
            if agent.state is AgentState.DRAINING and self._registry.find(agent.agent_id) is agent:
                if messages or conversations:
                    agent.count("messages_left", messages)
                    agent.count("conversations_left", conversations)
                    log.warning(
                        "agent %s was to drain longer than it may: %d conversations and %d messages were left",
                        agent.label,
                        conversations,
                        messages,
                    )
                await self._stop(agent)
                self._happened(agent, "drained", messages_left=messages, conversations_left=conversations)
                yield agent.agent_id
            else:
                self.draining.forget(agent.agent_id)

    async def pause(self, agent_id: int, principal: str = "") -> None:
        """Run no turn of an agent until `resume`, also over restarts. Raises AgentNotFound, InvalidStateTransition."""
        agent = self._find(agent_id)
        transition(agent.label, agent.state, AgentState.PAUSED)
        told = [_told("pause", principal, agent)]
        await self._stored.set_state(agent_id, AgentState.PAUSED, _now_ms(), told)
        agent.become(AgentState.PAUSED)
        agent.hold(Hold.PAUSED)
        self._happened(agent, "paused")

    async def resume(self, agent_id: int, principal: str = "") -> None:
        """Let an agent that was paused, or that failed, run again. Raises AgentNotFound, InvalidStateTransition.

        Whoever resumes it has seen to what it failed on: where its breaker is open it need not wait until that closes.
        """
        agent = self._find(agent_id)
        if agent.state not in {AgentState.FAILED, AgentState.PAUSED}:
            raise InvalidStateTransition(agent.label, state_of(agent), "running")
        told = [_told("resume", principal, agent)]
        await self._stored.set_state(agent_id, AgentState.RUNNING, _now_ms(), told)
        if agent.state is AgentState.FAILED:
            agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        agent.release(Hold.PAUSED)
        agent.release(Hold.FAILED)
        self._durable.attempts.close_breaker(agent)
        self._durable.suspects.forgive_agent(agent_id)
        self.failed.pop(agent_id, None)
        self._dispatcher.resume(agent)
        self._happened(agent, "resumed")

    async def fail(self, agent: Agent) -> None:
        """An agent takes its worker down again and again: it runs no more until somebody resumes it."""
        if agent.state is AgentState.RUNNING:
            log.error("agent %s has failed: workers died in its turns; what is sent to it waits", agent.label)
            await self._stored.set_state(agent.agent_id, AgentState.FAILED, _now_ms())
            self._become_failed(agent)
            self._happened(agent, "failed", "error")

    async def attachable(self, manifest: Manifest, *, again: bool, principal: str = "") -> Agent:
        """Return an agent whose turns clients may run; it is registered if there is none, unless it was `again`.

        Raises DeploymentError, AgentAlreadyRegistered for a sandboxed agent, AgentNotRunning for one that was stopped,
        AgentNotFound for one that was removed.
        """
        agent_id = self._names.id_of(manifest.name)
        if agent_id in self._coming:
            await self._coming[agent_id].wait()
        agent = self._find(agent_id) if again else self._registry.find(agent_id)
        if agent is None:
            refused = await self.deploy([manifest], principal)
            if refused:
                raise refused[0]
            agent = self._find(agent_id)
        if agent.manifest.encoding is not Encoding.ATTACHED:
            raise AgentAlreadyRegistered(manifest.name)
        if agent.state is AgentState.STOPPED:
            raise AgentNotRunning(agent.label, "stopped")
        return agent

    async def _stop(self, agent: Agent, told: Sequence[Entry] = ()) -> None:
        await self._stored.set_state(agent.agent_id, AgentState.STOPPED, _now_ms(), told)
        agent.become(AgentState.STOPPED)
        self._empty(agent, "stopped")

    async def remove(self, agent_ids: list[int], principal: str = "") -> Refused:
        """Stop and forget agents; returns why for each that was not there, by its place. Raises StorageError."""
        refused: Refused = {}
        gone: list[int] = []
        told: list[Entry] = []
        for place, agent_id in enumerate(agent_ids):
            agent = self._registry.find(agent_id)
            if agent is None:
                refused[place] = AgentNotFound(f"{agent_id:016x}")
            else:
                gone.append(agent_id)
                told.append(_told("remove", principal, agent))
        await self._stored.remove(gone, told)
        for agent_id in gone:
            agent = self._registry.remove(agent_id)
            if agent is not None:  # and not named twice, nor removed by somebody else meanwhile
                agent.close()
                self._empty(agent, "removed")
                self._durable.journal.states.forget(agent)
                self._durable.journal.commit.states[agent_id] = None
                self._durable.journal.absences.changed[agent_id] = None
                self._durable.suspects.forgive_agent(agent_id)
                self._removed(agent_id)
                self._happened(agent, "removed")
        return refused

    def _happened(self, agent: Agent, what: str, severity: str = "info", **fields: int) -> None:
        self._events.happened(f"agent_{what}", f"agent {agent.label}: {what}", agent.known, severity, **fields)

    def _register(self, agent_id: int, manifest: Manifest) -> Agent:
        agent = Agent(agent_id, manifest, self._durable.journal.absences)
        agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        if manifest.encoding is Encoding.ATTACHED:
            agent.hold(Hold.ATTACHED)
        self._registry.add(agent)
        return agent

    def _check(self, agent_id: int, manifest: Manifest) -> None:
        name = manifest.name
        check_new_name(name)
        owner = self._table.shard_of(agent_id)
        if owner != self._shard:
            raise DeploymentError(name, f"it belongs to shard {owner}, and this is shard {self._shard}")
        if agent_id in self._coming or self._registry.find(agent_id) is not None:
            raise AgentAlreadyRegistered(name)
        if len(self._registry.agents) + len(self._coming) >= MOST_AGENTS:
            raise ResourceExhausted(f"agents on shard {self._shard}", MOST_AGENTS)
        self._registry.check_room(self._coming_bytes + registered_bytes(manifest))
        if self._durable.disk.is_ending(agent_id):  # or its successor would get what was meant for it, after a crash
            problem = "what waited for the agent of this name that was removed is becoming dead letters; try again soon"
            raise DeploymentError(name, problem)
        if manifest.encoding is Encoding.ATTACHED:
            return
        if not self._modules.touch(manifest.module):
            raise ModuleUnknown(name, f"its module {manifest.module.hex()} is not in the cache")
        kind = (manifest.module, manifest.limits.max_memory_bytes)
        if kind not in self._checked:
            try:
                check(self._modules.load(manifest.module), name, manifest.limits)
            except ModuleMissing as missing:
                raise ModuleUnknown(name, f"its module {missing} is not in the cache") from None
            if len(self._checked) >= MOST_CHECKED:
                self._checked.clear()
            self._checked.add(kind)

    def _find(self, agent_id: int) -> Agent:
        agent = self._registry.find(agent_id)
        if agent is None:
            raise AgentNotFound(str(AgentId(agent_id)) if agent_id else "0")
        return agent

    def _become_failed(self, agent: Agent) -> None:
        agent.become(AgentState.FAILED)
        agent.hold(Hold.FAILED)
        self.failed[agent.agent_id] = agent

    def _empty(self, agent: Agent, state: str) -> None:
        self.failed.pop(agent.agent_id, None)
        self.draining.forget(agent.agent_id)
        if agent.mailbox is not None:
            self._pressure.room(agent, agent.mailbox)
        given = list(agent.drawn_out().values())
        entries = self._dispatcher.discard(agent) + self._durable.retries.forget(agent) + given
        self._turns.close(agent)
        error = AgentNotRunning(agent.label, state)
        reason = Reason.AGENT_STOPPED if state == "stopped" else Reason.AGENT_REMOVED
        waiting = [entry[4] for entry in entries if entry[4] is not None]
        later = waiting if len(waiting) > MOST_AT_ONCE else []
        rest = self._durable.disk.end(agent.agent_id, error, reason, later)
        for delivery in rest if later else waiting:
            self._durable.attempts.bury(delivery.message, error, delivery, reason=reason)
        for message, _, _, _, its_delivery, _ in entries:
            if its_delivery is None:
                self._routes.a_pass.counts["discarded"] += 1
                self._routes.fail(message, error)


def _told(action: str, principal: str, agent: Agent) -> Entry:
    return Entry(_now_ms(), action, principal, agent.manifest.name)


def _comes_as(manifest: Manifest) -> str:
    return "registered" if manifest.encoding is Encoding.ATTACHED else "deployed"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
