"""What a client asks about agents: deploy, list, inspect, pause, resume, stop, remove, attach."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, TypeVar, overload

from caxton.agents.limits import BOUNDS, Limits
from caxton.agents.manifest import MAX_NAME, capabilities_of, check_text
from caxton.client.attached.agent import DRAIN_S, AttachedAgent
from caxton.client.attached.turns import BatchHandler, EachHandler
from caxton.client.calls.arguments import as_typed, check_whole, listed, seconds
from caxton.client.calls.deployments import Deployment, Deployments, Module
from caxton.client.connection import Connection
from caxton.errors import CaxtonError, ValidationError, from_fields
from caxton.ids import AgentId
from caxton.printable import shown
from caxton.wire.calls import (
    MAX_BATCH,
    MAX_DELIVERIES,
    Agents,
    AgentView,
    Attach,
    Done,
    Inspect,
    ListAgents,
    PauseAgent,
    RemoveAgents,
    Request,
    ResumeAgent,
    StopAgent,
)

A = TypeVar("A")

DEPLOY_TIMEOUT_S = 60.0
# What an attached agent is given at a time when it is not said: enough that a commit is shared by many messages, few
# enough that little is handled again when its process is killed.
AT_ONCE = 64
LONGEST_DRAIN_S = 86_400


class AgentCalls(Connection):
    """Every call that names an agent raises AgentNotFound when there is none."""

    _deployments: Deployments | None = None

    def close(self) -> None:
        """End the session; calls that wait get NetworkError. Closing twice is fine."""
        self._deployments = None
        super().close()

    async def deploy(
        self,
        name: str,
        wasm: Module,
        *,
        encoding: str = "content",
        capabilities: Sequence[str] = (),
        limits: Limits | None = None,
        timeout_s: float = DEPLOY_TIMEOUT_S,
    ) -> AgentId:
        """Deploy one agent and return its id.

        Raises InvalidModule, AgentAlreadyRegistered, ValidationError, Unsupported; Timeout or NetworkError when it is
        unknown whether it was deployed.
        """
        deployment = Deployment(name, wasm, encoding, capabilities, limits)
        (result,) = await self.deploy_many([deployment], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def deploy_many(
        self, deployments: Iterable[Deployment], *, timeout_s: float = DEPLOY_TIMEOUT_S
    ) -> list[AgentId | CaxtonError]:
        """Deploy agents; returns the id of each, in order, or why it was refused."""
        runtime = self._reach()
        timeout_s = seconds(timeout_s)
        if self._deployments is None:
            self._deployments = Deployments(runtime)
        return await self._deployments.deploy(deployments, timeout_s)

    @overload
    def attach(
        self,
        name: str,
        handler: EachHandler,
        *,
        batch: Literal[False] = False,
        capabilities: Sequence[str] = (),
        mailbox_capacity: int = 1_000,
        at_once: int = AT_ONCE,
        drain_s: float = DRAIN_S,
    ) -> AttachedAgent: ...

    @overload
    def attach(
        self,
        name: str,
        handler: BatchHandler,
        *,
        batch: Literal[True],
        capabilities: Sequence[str] = (),
        mailbox_capacity: int = 1_000,
        at_once: int = AT_ONCE,
        drain_s: float = DRAIN_S,
    ) -> AttachedAgent: ...

    def attach(
        self,
        name: str,
        handler: EachHandler | BatchHandler,
        *,
        batch: bool = False,
        capabilities: Sequence[str] = (),
        mailbox_capacity: int = 1_000,
        at_once: int = AT_ONCE,
        drain_s: float = DRAIN_S,
    ) -> AttachedAgent:
        """Return an agent whose messages this process handles, unsandboxed, inside an `async with` block.

        The agent is registered if there is none of that name, and stays when the block ends: what is sent to it then
        waits. The handler gets one `Delivered` after the other, or with batch=True a list of them. It returns None, the
        content of an answer (bytes), or a list of messages that are sent as they are; with batch=True None, or a list
        with one of these for each. What a handler has ended and what it sent are committed
        together, up to `at_once` messages (1 to 256) at a time; when this process is killed before that, they are
        delivered again, with a delivery_count of 2 or more. A block that ends waits up to `drain_s` seconds for the
        handler that runs, and then cancels it.
        """
        check_text("name", name, MAX_NAME)
        if not callable(handler):
            raise ValidationError("handler", f"{shown(handler)} is not a function that takes what is delivered")
        check_whole("mailbox_capacity", mailbox_capacity, *BOUNDS["mailbox_capacity"])
        check_whole("at_once", at_once, 1, MAX_DELIVERIES)
        if type(drain_s) not in {int, float} or not 0 <= drain_s <= LONGEST_DRAIN_S:
            raise ValidationError("drain_s", f"{shown(drain_s)} is not a number of seconds from 0 to {LONGEST_DRAIN_S}")
        request = Attach(name, capabilities_of(capabilities), mailbox_capacity)
        return AttachedAgent(self._reach(), self.id_of(name), request, handler, at_once, batch=batch, drain_s=drain_s)

    async def agents(self) -> list[AgentView]:
        """Return every agent, by shard and name."""
        session = self._open()
        found: list[AgentView] = []
        for shard in range(session.shards):
            after, more = "", True
            while more:
                page = await self._call(shard, ListAgents(after), Agents)
                found += page.agents
                more = page.more and bool(page.agents)
                after = page.agents[-1].name if page.agents else ""
        return found

    async def inspect(self, agent: AgentId | int | str) -> AgentView:
        """Return all about one agent."""
        return await self._about(agent, Inspect, AgentView)

    async def pause(self, agent: AgentId | int | str) -> None:
        """Let an agent run no turn until it is resumed; what is sent to it waits. Raises InvalidStateTransition."""
        await self._about(agent, PauseAgent, Done)

    async def resume(self, agent: AgentId | int | str) -> None:
        """Let an agent that was paused, or that failed, run again. Raises InvalidStateTransition."""
        await self._about(agent, ResumeAgent, Done)

    async def stop(self, agent: AgentId | int | str, *, drain: bool = False) -> None:
        """Let an agent take no more messages, also after a restart. Raises InvalidStateTransition.

        What waits for it is handled first (drain=True), or goes to the dead letters.
        """
        await self._about(agent, partial(StopAgent, drain=bool(drain)), Done)

    async def remove(self, agent: AgentId | int | str) -> None:
        """Stop and forget an agent; its name is free again, and what waits for it goes to the dead letters."""
        (result,) = await self.remove_many([agent])
        if result is not None:
            raise result

    async def remove_many(self, agents: Iterable[AgentId | int | str]) -> list[CaxtonError | None]:
        """Remove agents; returns None for each, in order, or why it was not removed."""
        session = self._open()
        agents = listed(agents, AgentId, "agents")
        results: list[CaxtonError | None] = [None] * len(agents)
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for place, agent in enumerate(agents):
            agent_id = self.id_of(agent)
            by_shard.setdefault(session.table.shard_of(agent_id), []).append((place, int(agent_id)))
        for shard, some in by_shard.items():
            for start in range(0, len(some), MAX_BATCH):
                page = some[start : start + MAX_BATCH]
                done = await self._call(shard, RemoveAgents([agent_id for _, agent_id in page]), Done)
                for at, failed in done.refused.items():
                    place, number = page[at]
                    error = from_fields(failed.error, failed.fields)
                    results[place] = as_typed(error, agents[place], AgentId(number))
        return results

    async def _about(self, agent: AgentId | int | str, ask: Callable[[int], Request], answer: type[A]) -> A:
        """Ask the shard of an agent; an error has the name that the caller typed."""
        agent_id = self.id_of(agent)
        try:
            return await self._call(self._open().table.shard_of(agent_id), ask(int(agent_id)), answer)
        except CaxtonError as error:
            raise as_typed(error, agent, agent_id) from None
