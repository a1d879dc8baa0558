"""What a client asks about agents: deploy, list, inspect, pause, resume, stop, remove, attach."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, overload

from caxton.agents.limits import Limits
from caxton.client.attached.agent import DRAIN_S, AttachedAgent
from caxton.client.attached.turns import BatchHandler, EachHandler
from caxton.client.calls.deployments import Deployment, Deployments
from caxton.client.connection import CALL_TIMEOUT_S, Connection
from caxton.errors import CaxtonError, NetworkError, ValidationError, from_fields
from caxton.ids import AgentId
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
    ResumeAgent,
    StopAgent,
)

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
        wasm: Path | bytes,
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
        self, deployments: Sequence[Deployment], *, timeout_s: float = DEPLOY_TIMEOUT_S
    ) -> list[AgentId | CaxtonError]:
        """Deploy agents; returns the id of each, in order, or why it was refused."""
        session = self._open()
        if self._deployments is None:
            self._deployments = Deployments(session, self._open_line(), self._names)
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
        waits. The handler gets one `Delivered` after the other, or with batch=True a list of them; see
        `caxton.client.attached.turns` for what it may return. What a handler has ended and what it sent are committed
        together, up to `at_once` messages (1 to 256) at a time; when this process is killed before that, they are
        delivered again, with a delivery_count of 2 or more. A block that ends waits up to `drain_s` seconds for the
        handler that runs, and then cancels it.
        """
        if type(at_once) is not int or not 1 <= at_once <= MAX_DELIVERIES:
            raise ValidationError("at_once", f"{at_once!r:.80} is not a whole number from 1 to {MAX_DELIVERIES}")
        if isinstance(capabilities, str):  # which would come out as one capability for each letter
            raise ValidationError("capabilities", f"{capabilities!r:.80} is text; give a list of texts")
        if type(drain_s) not in {int, float} or not 0 <= drain_s <= LONGEST_DRAIN_S:
            raise ValidationError("drain_s", f"{drain_s!r:.80} is not a number of seconds from 0 to {LONGEST_DRAIN_S}")
        request = Attach(name, tuple(capabilities), mailbox_capacity)
        return AttachedAgent(self._open(), self.id_of(name), request, handler, at_once, batch=batch, drain_s=drain_s)

    async def agents(self) -> list[AgentView]:
        """Return every agent, by shard and name."""
        session = self._open()
        found: list[AgentView] = []
        for shard in range(session.shards):
            after, more = "", True
            while more:
                page = await session.call(shard, ListAgents(after), CALL_TIMEOUT_S)
                if not isinstance(page, Agents):
                    raise NetworkError(f"shard {shard}", "it answered something else than agents")
                found += page.agents
                more = page.more and bool(page.agents)
                after = page.agents[-1].name if page.agents else ""
        return found

    async def inspect(self, agent: AgentId | int | str) -> AgentView:
        """Return all about one agent."""
        agent_id = self.id_of(agent)
        result = await self._call(agent_id, Inspect(int(agent_id)))
        if not isinstance(result, AgentView):
            raise NetworkError(f"the shard of {agent_id}", "it answered something else than an agent")
        return result

    async def pause(self, agent: AgentId | int | str) -> None:
        """Let an agent run no turn until it is resumed; what is sent to it waits. Raises InvalidStateTransition."""
        agent_id = self.id_of(agent)
        await self._call(agent_id, PauseAgent(int(agent_id)))

    async def resume(self, agent: AgentId | int | str) -> None:
        """Let an agent that was paused, or that failed, run again. Raises InvalidStateTransition."""
        agent_id = self.id_of(agent)
        await self._call(agent_id, ResumeAgent(int(agent_id)))

    async def stop(self, agent: AgentId | int | str, *, drain: bool = False) -> None:
        """Let an agent take no more messages, also after a restart. Raises InvalidStateTransition.

        What waits for it is handled first (drain=True), or goes to the dead letters.
        """
        agent_id = self.id_of(agent)
        await self._call(agent_id, StopAgent(int(agent_id), drain))

    async def remove(self, agent: AgentId | int | str) -> None:
        """Stop and forget an agent; its name is free again, and what waits for it goes to the dead letters."""
        (result,) = await self.remove_many([agent])
        if result is not None:
            raise result

    async def remove_many(self, agents: Sequence[AgentId | int | str]) -> list[CaxtonError | None]:
        """Remove agents; returns None for each, in order, or why it was not removed."""
        session = self._open()
        results: list[CaxtonError | None] = [None] * len(agents)
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for place, agent in enumerate(agents):
            agent_id = self.id_of(agent)
            by_shard.setdefault(session.table.shard_of(agent_id), []).append((place, int(agent_id)))
        for shard, some in by_shard.items():
            for start in range(0, len(some), MAX_BATCH):
                page = some[start : start + MAX_BATCH]
                done = await session.call(shard, RemoveAgents([agent_id for _, agent_id in page]), CALL_TIMEOUT_S)
                if isinstance(done, Done):
                    for at, failed in done.refused.items():
                        results[page[at][0]] = from_fields(failed.error, failed.fields)
        return results
