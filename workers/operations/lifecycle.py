"""Agents come, stop and go. What is stored is stored before it is answered, and before it takes effect."""

import logging
import time

from caxton.agents.lifecycle import AgentState, transition
from caxton.agents.manifest import Encoding, Manifest
from caxton.delivery.dead_letter import Reason
from caxton.errors import (
    AgentAlreadyRegistered,
    AgentNotFound,
    AgentNotRunning,
    AlreadyAttached,
    CaxtonError,
    DeploymentError,
    InvalidStateTransition,
    ModuleUnknown,
)
from caxton.ids import AgentId, AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from workers.agents.registry import Agent, Hold, Registry, state_of
from workers.durable.lane import DurableLane
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.sandbox.abi import check
from workers.sandbox.modules import ModuleMissing, Modules
from workers.turns.routes import Routes
from workers.turns.turn import Turns

MOST_CHECKED = 10_000
log = logging.getLogger("caxton.worker")
Refused = dict[int, CaxtonError]


class Lifecycle:
    """Deploys, pauses, stops and removes the agents of this shard.

    Messages that nobody will handle go back as failures, and become dead letters on the durable lane. draining: agents
    that stop when nothing waits for them any more. failed: agents that run no turns until somebody resumes them.
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
        self.draining: list[Agent] = []
        self.failed: dict[int, Agent] = {}
        self._shard = shard
        self._table = table
        self._coming: set[int] = set()
        self._checked: set[tuple[bytes, int]] = set()

    async def load(self) -> None:
        """Register what the shard's file holds."""
        for agent_id, manifest, state in await self._stored.load():
            agent = self._register(agent_id, manifest)
            if state is AgentState.STOPPED:
                agent.become(AgentState.STOPPED)
            elif state is AgentState.DRAINING:
                agent.become(AgentState.DRAINING)
                self.draining.append(agent)
            elif state is AgentState.PAUSED:
                agent.become(AgentState.PAUSED)
                agent.hold(Hold.PAUSED)
            elif state is AgentState.FAILED:
                self._become_failed(agent)

    async def deploy(self, manifests: list[Manifest]) -> Refused:
        """Register agents; returns why for each that was refused, by its place. Raises StorageError for all of them."""
        refused: Refused = {}
        coming: list[tuple[int, Manifest]] = []
        for place, manifest in enumerate(manifests):
            agent_id = self._names.id_of(manifest.name)
            try:
                self._check(agent_id, manifest)
            except CaxtonError as error:
                refused[place] = error
                continue
            self._coming.add(agent_id)
            coming.append((agent_id, manifest))
        try:
            if coming:
                await self._stored.add(coming, _now_ms())
            for agent_id, manifest in coming:
                self._register(agent_id, manifest)
        finally:
            self._coming.difference_update(agent_id for agent_id, _ in coming)
        return refused

    async def stop(self, agent_id: int, *, drain: bool = False) -> None:
        """Let an agent take nothing more, also after a restart; what waits is handled first (`drain`), or dies.

        Raises AgentNotFound, InvalidStateTransition.
        """
        agent = self._find(agent_id)
        transition(agent.label, agent.state, AgentState.DRAINING if drain else AgentState.STOPPED)
        if drain:
            await self._stored.set_state(agent_id, AgentState.DRAINING, _now_ms())
            agent.become(AgentState.DRAINING)
            agent.release(Hold.PAUSED)
            self._dispatcher.resume(agent)
            self.draining.append(agent)
            return
        await self._stop(agent)

    async def stop_drained(self) -> None:
        """Stop the draining agents that have nothing left. Raises StorageError; those that are left stay draining."""
        for agent in [agent for agent in self.draining if not agent.busy]:
            if agent.state is AgentState.DRAINING:
                await self._stop(agent)
            self.draining.remove(agent)

    async def pause(self, agent_id: int) -> None:
        """Run no turn of an agent until `resume`, also over restarts. Raises AgentNotFound, InvalidStateTransition."""
        agent = self._find(agent_id)
        transition(agent.label, agent.state, AgentState.PAUSED)
        await self._stored.set_state(agent_id, AgentState.PAUSED, _now_ms())
        agent.become(AgentState.PAUSED)
        agent.hold(Hold.PAUSED)

    async def resume(self, agent_id: int) -> None:
        """Let an agent that was paused, or that failed, run again. Raises AgentNotFound, InvalidStateTransition."""
        agent = self._find(agent_id)
        if agent.state not in {AgentState.FAILED, AgentState.PAUSED}:
            raise InvalidStateTransition(agent.label, state_of(agent), "running")
        await self._stored.set_state(agent_id, AgentState.RUNNING, _now_ms())
        if agent.state is AgentState.FAILED:
            agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        agent.release(Hold.PAUSED)
        agent.release(Hold.FAILED)
        self._durable.suspects.forgive_agent(agent_id)
        self.failed.pop(agent_id, None)
        self._dispatcher.resume(agent)

    async def fail(self, agent: Agent) -> None:
        """An agent takes its worker down again and again: it runs no more until somebody resumes it."""
        if agent.state is AgentState.RUNNING:
            log.error("agent %s has failed: workers died in its turns; what is sent to it waits", agent.label)
            await self._stored.set_state(agent.agent_id, AgentState.FAILED, _now_ms())
            self._become_failed(agent)

    async def attach(self, manifest: Manifest, session: int, *, again: bool = False) -> Agent:
        """Let a session run an agent's turns; it is registered if there is none of the name, unless it was `again`.

        Raises DeploymentError, AgentAlreadyRegistered for a sandboxed agent, AlreadyAttached for one that another
        session runs, AgentNotRunning for one that was stopped, AgentNotFound for one that was removed.
        """
        agent_id = self._names.id_of(manifest.name)
        agent = self._find(agent_id) if again else self._registry.find(agent_id)
        if agent is None:
            refused = await self.deploy([manifest])
            if refused:
                raise refused[0]
            agent = self._find(agent_id)
        if agent.manifest.encoding is not Encoding.ATTACHED:
            raise AgentAlreadyRegistered(manifest.name)
        if agent.attached not in {0, session}:
            raise AlreadyAttached(manifest.name)
        if agent.state is AgentState.STOPPED:
            raise AgentNotRunning(agent.label, "stopped")
        agent.attach(session)
        return agent

    async def _stop(self, agent: Agent) -> None:
        await self._stored.set_state(agent.agent_id, AgentState.STOPPED, _now_ms())
        agent.become(AgentState.STOPPED)
        self._empty(agent, "stopped")

    async def remove(self, agent_ids: list[int]) -> Refused:
        """Stop and forget agents; returns why for each that was not there, by its place. Raises StorageError."""
        refused: Refused = {}
        gone: list[int] = []
        for place, agent_id in enumerate(agent_ids):
            if self._registry.find(agent_id) is None:
                refused[place] = AgentNotFound(f"{agent_id:016x}")
            else:
                gone.append(agent_id)
        await self._stored.remove(gone)
        for agent_id in gone:
            agent = self._registry.remove(agent_id)
            if agent is not None:  # and not named twice, nor removed by somebody else meanwhile
                agent.close()
                self._empty(agent, "removed")
                self._durable.journal.commit.states[agent_id] = None
                self._durable.suspects.forgive_agent(agent_id)
        return refused

    def _register(self, agent_id: int, manifest: Manifest) -> Agent:
        agent = Agent(agent_id, manifest)
        agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        if manifest.encoding is Encoding.ATTACHED:
            agent.hold(Hold.ATTACHED)
        self._registry.add(agent)
        return agent

    def _check(self, agent_id: int, manifest: Manifest) -> None:
        name = manifest.name
        owner = self._table.shard_of(agent_id)
        if owner != self._shard:
            raise DeploymentError(name, f"it belongs to shard {owner}, and this is shard {self._shard}")
        if agent_id in self._coming or self._registry.find(agent_id) is not None:
            raise AgentAlreadyRegistered(name)
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
        if agent.mailbox is not None:
            self._pressure.room(agent, agent.mailbox)
        entries = self._dispatcher.discard(agent) + self._durable.retries.forget(agent) + agent.drawn_out()
        self._turns.close(agent)
        error = AgentNotRunning(agent.label, state)
        reason = Reason.AGENT_STOPPED if state == "stopped" else Reason.AGENT_REMOVED
        for message, _, _, _, delivery, _ in entries:
            if delivery is not None:
                self._durable.attempts.bury(message, error, delivery, reason=reason)
            else:
                self._routes.a_pass.counts["discarded"] += 1
                self._routes.fail(message, error)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
