"""Conversations and capabilities: who talks to whom, and who can do what."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from caxton.forms.conversation_form import ConversationForm
from caxton.gateway.caller import Caller
from caxton.gateway.parameters import PAGE, After, Limit, SomeAgent
from caxton.tokens.role import Role


class ConversationPage(msgspec.Struct, frozen=True):
    """Conversations, mostly as they began. next: what to give as `after` for the page behind it; null at the end."""

    conversations: list[ConversationForm]
    next: str | None


class CapabilityForm(msgspec.Struct, frozen=True):
    """One capability. agents: how many have it; healthy: how many of them are candidates for messages to it."""

    name: str
    agents: int
    healthy: int


class CapabilityPage(msgspec.Struct, frozen=True):
    """Capabilities in the order of the alphabet. next: what to give as `after` for the page behind it."""

    capabilities: list[CapabilityForm]
    next: str | None


@get("/v1/conversations", summary="List conversations", tags=["conversations"])
async def list_conversations(
    caller: Caller,
    limit: Limit = PAGE,
    after: After = None,
    agent: SomeAgent = None,
    in_state: Annotated[str | None, QueryParameter(name="state", description="Those in this state.")] = None,
) -> ConversationPage:
    """Return conversations without their histories; those that ended of late are among them."""
    caller.may(Role.VIEWER)
    async with caller.client() as client:
        member = None if agent is None else await caller.agent(client, agent, Role.VIEWER)
        found = [
            ConversationForm.of(view)
            async for view in client.conversations(agent=member, state=in_state, limit=limit + 1, after=after)
        ]
    return ConversationPage(found[:limit], found[limit - 1].id if len(found) > limit else None)


@get("/v1/conversations/{conversation:str}", summary="Show a conversation", tags=["conversations"])
async def show_conversation(caller: Caller, conversation: str) -> ConversationForm:
    """Return one conversation, with its last messages."""
    caller.may(Role.VIEWER)
    async with caller.client() as client:
        return ConversationForm.of(await client.conversation(conversation))


@get("/v1/capabilities", summary="List capabilities", tags=["capabilities"])
async def list_capabilities(caller: Caller, limit: Limit = PAGE, after: After = None) -> CapabilityPage:
    """Return what agents can do; /v1/agents?capability= has who."""
    caller.may(Role.VIEWER)
    found: list[CapabilityForm] = []
    async with caller.client() as client:
        async for view in client.capabilities(after=after or ""):
            if len(found) == limit:
                return CapabilityPage(found, found[-1].name)
            found.append(CapabilityForm(view.name, view.agents, view.healthy))
    return CapabilityPage(found, None)


ROUTES: list[Any] = [list_conversations, show_conversation, list_capabilities]
