"""Agents: list, show, pause, resume, drain, stop, remove."""

from typing import Annotated, Any

import msgspec
from litestar import delete, get, post
from litestar.params import QueryParameter

from caxton.client.calls.agent_calls import DRAIN_TIMEOUT_S, LONGEST_DRAIN_S
from caxton.client.calls.agent_listing import AgentListing
from caxton.errors import ValidationError
from caxton.forms.agent_form import AgentForm
from caxton.gateway.caller import Caller
from caxton.gateway.parameters import PAGE, After, Agent, Limit
from caxton.tokens.role import Role


class AgentPage(msgspec.Struct, frozen=True):
    """Agents in the order of their names. next: what to give as `after` for the page behind it; null at the end."""

    agents: list[AgentForm]
    next: str | None


@get("/v1/agents", summary="List agents", tags=["agents"])
async def list_agents(
    caller: Caller,
    limit: Limit = PAGE,
    after: After = None,
    name: Annotated[
        str | None, QueryParameter(max_length=200, description="Those whose name fits; * is any text.")
    ] = None,
    in_state: Annotated[str | None, QueryParameter(name="state", description="Those in this state.")] = None,
    capability: Annotated[
        list[str] | None, QueryParameter(max_items=32, description="Those that have all of these.")
    ] = None,
) -> AgentPage:
    """Return those that the token is for, in the order of their names."""
    caller.grant.allows_some(Role.VIEWER)
    if capability and (name or in_state):
        raise ValidationError("capability", "it goes with no name and no state")
    async with caller.client() as client:
        listing: AgentListing
        if capability:
            listing = client.find(*capability, limit=limit + 1, after=after or "")
        else:
            listing = client.agents(name=name, state=in_state, limit=limit + 1, after=after or "")
        found = await (listing if caller.grant.is_for_all else listing.only(caller.grant.patterns))
    forms = [AgentForm.of(view) for view in found[:limit]]
    return AgentPage(forms, forms[-1].name if len(found) > limit else None)


@get("/v1/agents/{agent:str}", summary="Show an agent", tags=["agents"])
async def show_agent(caller: Caller, agent: Agent) -> AgentForm:
    """Return all about one agent, as it is now."""
    async with caller.client() as client:
        return AgentForm.of(await client.inspect(await caller.agent(client, agent, Role.VIEWER)))


@delete("/v1/agents/{agent:str}", summary="Remove an agent", tags=["agents"])
async def remove_agent(caller: Caller, agent: Agent) -> None:
    """Stop and forget it: its name is free again, and what waits for it goes to the dead letters."""
    async with caller.client() as client:
        await client.remove(await caller.agent(client, agent, Role.ADMIN))


@post("/v1/agents/{agent:str}/pause", summary="Pause an agent", tags=["agents"], status_code=204)
async def pause_agent(caller: Caller, agent: Agent) -> None:
    """Let it run no turn until it is resumed; what is sent to it waits."""
    async with caller.client() as client:
        await client.pause(await caller.agent(client, agent, Role.OPERATOR))


@post("/v1/agents/{agent:str}/resume", summary="Resume an agent", tags=["agents"], status_code=204)
async def resume_agent(caller: Caller, agent: Agent) -> None:
    """Let one that was paused, or that failed, run again."""
    async with caller.client() as client:
        await client.resume(await caller.agent(client, agent, Role.OPERATOR))


@post("/v1/agents/{agent:str}/stop", summary="Stop an agent", tags=["agents"], status_code=204)
async def stop_agent(caller: Caller, agent: Agent) -> None:
    """Let it take no more messages; what waits for it goes to the dead letters."""
    async with caller.client() as client:
        await client.stop(await caller.agent(client, agent, Role.OPERATOR))


@post("/v1/agents/{agent:str}/drain", summary="Begin to drain an agent", tags=["agents"], status_code=202)
async def drain_agent(
    caller: Caller,
    agent: Agent,
    timeout_s: Annotated[float, QueryParameter(gt=0, le=LONGEST_DRAIN_S, description="For so long.")] = DRAIN_TIMEOUT_S,
) -> AgentForm:
    """Let it finish what it has and take nothing new; its `state` and `drains_for_ms` say how far it is."""
    async with caller.client() as client:
        found = await caller.agent(client, agent, Role.OPERATOR)
        await client.stop(found, drain=True, timeout_s=timeout_s)
        return AgentForm.of(await client.inspect(found))


ROUTES: list[Any] = [list_agents, show_agent, remove_agent, pause_agent, resume_agent, stop_agent, drain_agent]
