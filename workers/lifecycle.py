"""Agents come, stop and go. What is stored is stored before it is answered, and before it takes effect."""

import time

from caxton.agents.lifecycle import AgentState, transition
from caxton.agents.manifest import Manifest
from caxton.errors import (
    AgentAlreadyRegistered,
    AgentNotFound,
    AgentNotRunning,
    CaxtonError,
    DeploymentError,
    ModuleUnknown,
)
from caxton.ids import AgentId, AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.store.agents import StoredAgents
from workers.dispatcher import Dispatcher
from workers.parking import Parking
from workers.pressure import Pressure
from workers.registry import Agent, Registry
from workers.routes import Routes
from workers.sandbox.abi import check
from workers.sandbox.modules import ModuleMissing, Modules
from workers.turn import Turns

MOST_CHECKED = 10_000
Refused = dict[int, CaxtonError]


class Lifecycle:
    """Deploys, stops and removes the agents of this shard. Messages that nobody will handle go back as failures."""

    def __init__(  # noqa: PLR0913 (the rooms it opens and closes; the composition root is the only caller)
        self,
        *,
        registry: Registry,
        stored: StoredAgents,
        modules: Modules,
        names: AgentNames,
        turns: Turns,
        dispatcher: Dispatcher,
        parking: Parking,
        routes: Routes,
        pressure: Pressure,
        shard: int,
        table: SlotTable,
    ) -> None:
        self._registry = registry
        self._stored = stored
        self._modules = modules
        self._names = names
        self._turns = turns
        self._dispatcher = dispatcher
        self._parking = parking
        self._routes = routes
        self._pressure = pressure
        self._shard = shard
        self._table = table
        self._coming: set[int] = set()
        self._checked: set[tuple[bytes, int]] = set()

    async def load(self, charged: int = 0) -> None:
        """Register what the shard's file holds. `charged`: the agent in whose turn the last worker died, or 0."""
        for agent_id, manifest, state in await self._stored.load():
            agent = self._register(agent_id, manifest)
            if state is AgentState.STOPPED:
                agent.become(AgentState.STOPPED)
            if agent_id == charged:
                agent.count("deaths")

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

    async def stop(self, agent_id: int) -> None:
        """Let an agent take nothing more, also after a restart. Raises AgentNotFound, InvalidStateTransition."""
        agent = self._find(agent_id)
        transition(agent.label, agent.state, AgentState.DRAINING)
        await self._stored.set_state(agent_id, AgentState.STOPPED, _now_ms())
        agent.become(AgentState.DRAINING)
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
                agent.takes = False
                self._empty(agent, "removed")
        return refused

    def _register(self, agent_id: int, manifest: Manifest) -> Agent:
        agent = Agent(agent_id, manifest)
        agent.become(AgentState.LOADED)
        agent.become(AgentState.RUNNING)
        self._registry.add(agent)
        return agent

    def _check(self, agent_id: int, manifest: Manifest) -> None:
        name = manifest.name
        owner = self._table.shard_of(agent_id)
        if owner != self._shard:
            raise DeploymentError(name, f"it belongs to shard {owner}, and this is shard {self._shard}")
        if agent_id in self._coming or self._registry.find(agent_id) is not None:
            raise AgentAlreadyRegistered(name)
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

    def _empty(self, agent: Agent, state: str) -> None:
        if agent.mailbox is not None:
            self._pressure.room(agent, agent.mailbox)
        waiting = [entry[0] for entry in self._dispatcher.discard(agent)]
        unsent = self._parking.forget(agent)
        self._turns.close(agent)
        self._routes.a_pass.counts["discarded"] += len(waiting) + len(unsent)
        for message in waiting:
            self._routes.fail(message, AgentNotRunning(agent.label, state))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
