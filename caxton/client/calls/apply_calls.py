"""Making agents what a system says: what is new is deployed, what differs is changed, and nothing else is touched."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace as with_fields
from typing import NamedTuple

import msgspec

from caxton.agents.deployment import Deployment
from caxton.agents.manifest import Manifest
from caxton.client.calls.agent_calls import DEPLOY_TIMEOUT_S
from caxton.client.calls.arguments import listed, seconds
from caxton.client.calls.capability_calls import CapabilityCalls
from caxton.client.calls.deployments import Modules, manifest_of
from caxton.client.calls.drain_calls import DrainCalls
from caxton.client.calls.plans import Action, Change, plan_of
from caxton.errors import AgentNotFound, CaxtonError, ConfigurationError, InvalidStateTransition, ValidationError
from caxton.manifests.reading import System
from caxton.printable import shown
from caxton.wire.calls import AgentView
from caxton.wire.capability_calls import Advertise

# Agents that are seen to at the same time, and deployed between two words about it.
_AT_ONCE = 64
_DEPLOYED_AT_ONCE = 500
# For how long an agent that is replaced or removed may finish what it has.
APPLY_DRAIN_TIMEOUT_S = 60.0


class _Planned(NamedTuple):
    """A change, and what is wanted: what is deployed and what is registered then; None where nobody is wanted."""

    change: Change
    deployment: Deployment | None = None
    manifest: Manifest | None = None


class ApplyCalls(DrainCalls, CapabilityCalls):
    """`plan` and `apply`."""

    async def plan(self, system: System, *, replace: bool = False, prune: bool = False) -> list[Change]:
        """Return what `apply` would do about each agent, and do nothing.

        Raises ValidationError and InvalidModule for a deployment that cannot be meant, and ValidationError for `prune`
        where the system has no name.
        """
        return [one.change for one in await self._planned(system, replace=replace, prune=prune)]

    async def apply(
        self,
        system: System,
        *,
        replace: bool = False,
        prune: bool = False,
        drain_timeout_s: float = APPLY_DRAIN_TIMEOUT_S,
    ) -> AsyncIterator[Change]:
        """Make agents what the system says, and yield each change when it was done, or with its `problem`.

        Agents that are not there are deployed. Capabilities, weight and version are changed in place. What else an
        agent is cannot change: with replace=True it is drained, removed and deployed anew, after its module was
        compiled; its state is forgotten, what is sent to it meanwhile is refused, and what it has not finished after
        `drain_timeout_s` is among the dead letters. prune: agents that were applied with the system's name and are not
        in it any more are drained and removed. Where one of these words is missing nothing is lost: ConfigurationError
        is raised before anything is done, and agents that are not wanted any more are left.

        Applying it again does nothing, and goes on where one ended in the middle. Raises what `plan` does.
        """
        drain_timeout_s = seconds(drain_timeout_s, "drain_timeout_s")
        planned = await self._planned(system, replace=replace, prune=prune)
        check_open([one.change for one in planned])

        # Why modules are refused, before anybody is taken away for one that is.
        refused = await self._compiled([one for one in planned if one.change.action is Action.REPLACE])

        async def anew(one: _Planned) -> Change:
            return await self._replace(one, refused, drain_timeout_s)

        async def away(one: _Planned) -> Change:
            left = await self._take_away(one.change.name, drain_timeout_s)
            return msgspec.structs.replace(one.change, dead_letters=left)

        for one in planned:
            if one.change.action in {Action.KEEP, Action.LEAVE}:
                yield one.change
        async for change in self._deploy_new([one for one in planned if one.change.action is Action.DEPLOY]):
            yield change
        for action, work in ((Action.UPDATE, self._update), (Action.REPLACE, anew), (Action.REMOVE, away)):
            some = [one for one in planned if one.change.action is action]
            for start in range(0, len(some), _AT_ONCE):
                for change in await _all_done(some[start : start + _AT_ONCE], work):
                    yield change

    async def _planned(self, system: System, *, replace: bool, prune: bool) -> list[_Planned]:
        if not isinstance(system, System):
            raise ValidationError("system", f"{shown(system)} is no System; `caxton.read_system` reads one")
        if prune and not system.name:
            raise ValidationError("prune", "a system without a name has no agents of its own; give it one")
        modules = Modules()
        deployments: list[Deployment] = []
        manifests: list[Manifest] = []
        for one in listed(system.agents, Deployment, "agents"):
            manifests.append(await manifest_of(one, modules, system.name))
            deployments.append(with_fields(one, system=system.name))
        names = dict.fromkeys(manifest.name for manifest in manifests)
        if len(names) < len(manifests):
            raise ValidationError("agents", "two of them have the same name")
        found = {view.name: view for view in await self.lookup(names) if isinstance(view, AgentView)}
        gone: list[str] = []
        if system.name:
            gone = [view.name async for view in self.agents() if view.system == system.name and view.name not in names]
        changes = plan_of(system.name, manifests, found, gone, replace=replace, prune=prune)
        wanted = [_Planned(*one) for one in zip(changes, deployments, manifests, strict=False)]
        return [*wanted, *map(_Planned, changes[len(wanted) :])]

    async def _deploy_new(self, some: Sequence[_Planned]) -> AsyncIterator[Change]:
        for start in range(0, len(some), _DEPLOYED_AT_ONCE):
            page = some[start : start + _DEPLOYED_AT_ONCE]
            results = await self.deploy_many([one.deployment for one in page if one.deployment is not None])
            for one, result in zip(page, results, strict=True):
                yield one.change.failed(result) if isinstance(result, CaxtonError) else one.change

    async def _update(self, one: _Planned) -> Change:
        if one.manifest is not None:
            view = await self.inspect(one.change.name)
            wanted = one.manifest.capabilities
            gone = tuple(name for name in view.capabilities if name not in wanted)
            labels = one.manifest.version, one.manifest.system
            request = Advertise(view.agent_id, wanted, gone, one.manifest.weight, None, *labels)
            await self._call(view.shard, request, AgentView)
        return one.change

    async def _compiled(self, some: Sequence[_Planned]) -> dict[tuple[bytes, int], CaxtonError | None]:
        """Have each module compiled, for each limit of memory; returns why it was not, None where it was."""
        answers: dict[tuple[bytes, int], CaxtonError | None] = {}
        for one in some:
            if one.deployment is not None and (kind := _kind(one)) not in answers:
                try:
                    await self._deploying().compile(one.deployment, DEPLOY_TIMEOUT_S)
                    answers[kind] = None
                except CaxtonError as error:
                    answers[kind] = error
        return answers

    async def _replace(
        self, one: _Planned, refused: dict[tuple[bytes, int], CaxtonError | None], drain_timeout_s: float
    ) -> Change:
        if (error := refused.get(_kind(one))) is not None:
            return one.change.failed(error)
        left = await self._take_away(one.change.name, drain_timeout_s)
        change = msgspec.structs.replace(one.change, dead_letters=left)
        (result,) = await self.deploy_many([one.deployment] if one.deployment is not None else [])
        return change.failed(result) if isinstance(result, CaxtonError) else change

    async def _take_away(self, name: str, timeout_s: float) -> int:
        """Drain and remove an agent; returns how many messages it left. One that has gone by itself is gone."""
        try:
            left = (await self.drain(name, timeout_s=timeout_s)).messages
        except InvalidStateTransition:  # it has stopped, or failed: it finishes nothing more
            left = (await self.inspect(name)).queued
        except AgentNotFound:
            return 0
        await self.remove(name)
        return left


def _kind(one: _Planned) -> tuple[bytes, int]:
    """Return what a module is compiled for."""
    return (b"", 0) if one.manifest is None else (one.manifest.module, one.manifest.limits.max_memory_bytes)


def check_open(changes: Sequence[Change]) -> None:
    """Raise ConfigurationError if one of these may not be done as it stands."""
    wanting = [change for change in changes if change.is_open]
    if not wanting:
        return
    first, more = wanting[0], f", and {len(wanting) - 1} more" if len(wanting) > 1 else ""
    if first.action is Action.REFUSE:
        problem = f"agent {first.name}: {first.problem}{more}"
        raise ConfigurationError("apply", problem, "choose another name, or remove that agent")
    raise ConfigurationError(
        "apply",
        f"agent {first.name} cannot be changed in place ({'; '.join(first.differs)}){more}",
        "with replace (--replace) it is drained, removed and deployed anew, and its state is forgotten",
    )


async def _all_done(some: Sequence[_Planned], work: Callable[[_Planned], Awaitable[Change]]) -> list[Change]:
    async def one_done(one: _Planned) -> Change:
        try:
            return await work(one)
        except CaxtonError as error:
            return one.change.failed(error)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one_done(one)) for one in some]
    return [task.result() for task in tasks]
