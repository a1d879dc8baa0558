"""Agents, from another machine: deploy, list, inspect, pause, resume, drain, stop, remove, and what they log."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec

from caxton.acl.capability import Capability, check_capability
from caxton.agents.deployment import Deployment
from caxton.agents.manifest import Manifest
from caxton.client.calls.agent_calls import DEPLOY_TIMEOUT_S, DRAIN_TIMEOUT_S
from caxton.client.calls.agent_listing import AgentListing
from caxton.client.calls.arguments import listed, seconds, since_1970_ms
from caxton.client.calls.capability_calls import CapabilityCalls
from caxton.client.calls.deployments import Modules, manifest_of
from caxton.client.calls.drain_calls import DrainCalls
from caxton.client.calls.log_calls import LogCalls, LogLevel
from caxton.client.connection import Agent
from caxton.errors import CaxtonError, NetworkError, ResourceExhausted, Timeout
from caxton.forms.agent_form import AgentForm
from caxton.forms.line_form import LineForm
from caxton.ids import AgentId
from caxton.remote.connection import PAGE, RemoteConnection
from caxton.remote.pages import Cursor
from caxton.wire.calls import Agents, AgentView, ListAgents
from caxton.wire.capability_calls import CapabilityView
from caxton.wire.watching import LogLine

# Agents that are asked about, or deployed, at the same time.
_AT_ONCE = 8
_MAX_TAIL = 1_000


class _Log(msgspec.Struct, frozen=True):
    lines: list[LineForm]


class _Capability(msgspec.Struct, frozen=True):
    name: str
    agents: int
    healthy: int


class _Capabilities(msgspec.Struct, frozen=True):
    capabilities: list[_Capability]
    next: str | None


class RemoteAgents(RemoteConnection, DrainCalls, CapabilityCalls, LogCalls):
    """Every call raises what the one of the same name of `caxton.Client` does.

    Besides, AccessError where a token does not let its holder do it.
    """

    async def deploy_many(
        self, deployments: Iterable[Deployment], *, timeout_s: float = DEPLOY_TIMEOUT_S
    ) -> list[AgentId | CaxtonError]:
        """Deploy agents, each with a request of its own that carries its module."""
        modules, within_s = Modules(), seconds(timeout_s)
        room = asyncio.Semaphore(_AT_ONCE)

        async def deploy(deployment: Deployment) -> AgentId | CaxtonError:
            try:
                async with room:
                    return await self._deploy(await manifest_of(deployment, modules), modules, within_s)
            except (Timeout, NetworkError):
                raise
            except CaxtonError as error:
                return error

        return await asyncio.gather(*map(deploy, listed(deployments, Deployment, "deployments")))

    async def _deploy(self, manifest: Manifest, modules: Modules, timeout_s: float) -> AgentId:
        about = {
            "name": manifest.name,
            "encoding": manifest.encoding.value,
            "capabilities": manifest.capabilities,
            "limits": manifest.limits,
            "escalate_to": manifest.escalate_to,
            "weight": manifest.weight,
            "version": manifest.version,
            "system": manifest.system,
        }
        files = {
            "agent": (None, msgspec.json.encode(about), "application/json"),
            "wasm": ("module.wasm", await modules.content(manifest), "application/wasm"),
        }
        line = self._gateway()
        raw = await line.ask("POST", "/v1/agents", files=files, timeout_s=timeout_s)
        return self._known(line.read(raw, AgentForm).view()).id

    def agents(
        self, *, name: str | None = None, state: str | None = None, limit: int | None = None, after: str = ""
    ) -> AgentListing:
        """Return agents in the order of their names; `total` is not told from another machine."""
        self._gateway()
        return AgentListing(self._list_agents, 1, name, state, limit, after)

    def find(self, *names: str, limit: int | None = None, after: str = "") -> AgentListing:
        """Return the agents that have all of these capabilities, in the order of their names."""
        self._gateway()
        wanted = Capability(*names).names

        async def ask(_: int, request: ListAgents) -> Agents:
            return await self._page(request, {"capability": wanted})

        return AgentListing(ask, 1, None, None, limit, after)

    async def _list_agents(self, shard: int, request: ListAgents) -> Agents:  # noqa: ARG002 (there is one list)
        return await self._page(request, {"name": request.name, "state": request.state})

    async def _page(self, request: ListAgents, params: dict[str, object]) -> Agents:
        found: list[AgentView] = []
        async for view in self._agent_pages(params, request.limit, request.after):
            found.append(view)
            if len(found) == request.limit:
                break
        if found and found[-1].name <= request.after:
            raise NetworkError(self._address.url, "its list of agents is not in the order of their names")
        return Agents(found, len(found) == request.limit, found[-1].name if found else "")

    async def inspect(self, agent: Agent) -> AgentView:
        """Return all about one agent, as it is now."""
        path = await self._path(agent)
        return self._known((await self._gateway().get(path, AgentForm)).view())

    async def lookup(self, agents: Iterable[Agent]) -> list[AgentView | CaxtonError]:
        """Return all about each of these agents, in order, or AgentNotFound where there is none."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def look(agent: Agent) -> AgentView | CaxtonError:
            try:
                async with room:
                    return await self.inspect(agent)
            except (Timeout, NetworkError):
                raise
            except CaxtonError as error:
                return error

        return await asyncio.gather(*map(look, listed(agents, AgentId, "agents")))

    async def pause(self, agent: Agent) -> None:
        """Let an agent run no turn until it is resumed."""
        await self._gateway().post(await self._path(agent) + "/pause", type(None))

    async def resume(self, agent: Agent) -> None:
        """Let an agent that was paused, or that failed, run again."""
        await self._gateway().post(await self._path(agent) + "/resume", type(None))

    async def stop(self, agent: Agent, *, drain: bool = False, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Let an agent take no more messages; drain=True: it finishes what it has first."""
        within_s = seconds(timeout_s)
        path = await self._path(agent)
        if drain:
            await self._gateway().post(path + "/drain", AgentForm, params={"timeout_s": within_s or 0.001})
        else:
            await self._gateway().post(path + "/stop", type(None))

    async def remove_many(self, agents: Iterable[Agent]) -> list[CaxtonError | None]:
        """Remove agents; returns None for each, in order, or why it was not removed."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def remove(agent: Agent) -> CaxtonError | None:
            try:
                async with room:
                    await self._gateway().ask("DELETE", await self._path(agent))
            except (Timeout, NetworkError):
                raise
            except CaxtonError as error:
                return error
            return None

        return await asyncio.gather(*map(remove, listed(agents, AgentId, "agents")))

    async def _looked_at(self, agent: Agent, until_s: float) -> AgentView | None:
        """Return an agent that drains, or None while its worker, or the gateway, is being restarted."""
        try:
            return await self.inspect(agent)
        except (ResourceExhausted, NetworkError, Timeout):
            if asyncio.get_running_loop().time() > until_s:
                raise
            return None

    async def capabilities(self, *, after: str = "") -> AsyncIterator[CapabilityView]:
        """Yield the capabilities that agents have, in the order of the alphabet, each with how many have it."""
        if after:
            check_capability(after)
        cursor, more = Cursor(self._address.url, after or None), True
        while more:
            asked = {"limit": PAGE, "after": cursor.after}
            page = await self._gateway().get("/v1/capabilities", _Capabilities, asked)
            for one in page.capabilities:
                yield CapabilityView(one.name, one.agents, one.healthy)
            more = cursor.turn(len(page.capabilities), page.next)

    async def logs(
        self,
        agent: Agent,
        *,
        tail: int | None = None,
        since: int | datetime | None = None,
        level: LogLevel = "debug",
        follow: bool = False,
    ) -> AsyncIterator[LogLine]:
        """Yield what a sandboxed agent logged, oldest first, and with `follow` what it logs from then on.

        Following ends with NetworkError when the gateway ends.
        """
        params = {
            "tail": None if tail is None else min(tail, _MAX_TAIL),
            "since": None if since is None else since_1970_ms("since", since),
            "level": level,
        }
        path, line = await self._path(agent) + "/logs", self._gateway()
        if not follow:
            for form in (await line.get(path, _Log, params)).lines:
                yield form.line()
            return
        async for name, data in line.events(path, {**params, "follow": "true"}):
            if name == "line":
                yield line.read(data, LineForm).line()
