"""Dead letters: list, show, send again, forget."""

from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import QueryParameter

from caxton.client.client import Client
from caxton.forms.letter_form import LetterForm
from caxton.gateway.body import read
from caxton.gateway.caller import Caller
from caxton.gateway.limits import MAX_PAGE
from caxton.gateway.parameters import PAGE, After, Limit, SomeAgent
from caxton.ids import AgentId
from caxton.tokens.role import Role

Ids = Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_PAGE)]


class LetterPage(msgspec.Struct, frozen=True):
    """Dead letters, shard by shard, the oldest first. next: what to give as `after` for the page behind it."""

    dead_letters: list[LetterForm]
    next: str | None


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters: those of these ids; or those to which all else fits; or everything.

    before: the moment of its death, in ms since 1970.
    """

    ids: Ids | None = None
    reason: str | None = None
    agent: str | None = None
    sender: str | None = None
    before: int | None = None
    everything: bool = False


class Requeued(msgspec.Struct, frozen=True):
    """message_ids: the new ids of messages that were sent again, by the dead letters that they were."""

    message_ids: dict[str, str]


class Purged(msgspec.Struct, frozen=True):
    """count: how many dead letters were there and are forgotten now."""

    count: int


@get("/v1/dead-letters", summary="List dead letters", tags=["dead letters"])
async def list_letters(
    caller: Caller,
    limit: Limit = PAGE,
    after: After = None,
    agent: SomeAgent = None,
    sender: Annotated[str | None, QueryParameter(max_length=1_000, description="Those of this sender.")] = None,
    reason: Annotated[str | None, QueryParameter(description="Those dead for this reason.")] = None,
    before: Annotated[int | None, QueryParameter(ge=0, description="Those dead before, in ms since 1970.")] = None,
) -> LetterPage:
    """Return dead letters without what they say. A token for some agents is to name one of them."""
    async with caller.client() as client:
        which = await _filter(
            caller, client, Role.VIEWER, Choice(reason=reason, agent=agent, sender=sender, before=before)
        )
        found = [letter async for letter in client.dead_letters(**which, limit=limit + 1, after=after)]
    forms = [LetterForm.of(letter, with_content=False) for letter in found[:limit]]
    return LetterPage(forms, forms[-1].id if len(found) > limit else None)


@get("/v1/dead-letters/{letter:str}", summary="Show a dead letter", tags=["dead letters"])
async def show_letter(caller: Caller, letter: str) -> LetterForm:
    """Return one dead letter, with what it says."""
    caller.grant.allows_some(Role.VIEWER)
    async with caller.client() as client:
        found = await client.dead_letter(letter)
        if not caller.grant.is_for_all:
            await caller.may_reach(client, found.message.receiver, Role.VIEWER)
    return LetterForm.of(found, with_content=True)


@post(
    "/v1/dead-letters/requeue",
    summary="Send dead letters again",
    tags=["dead letters"],
    status_code=200,
    opt={"body": Choice},
)
async def requeue_letters(caller: Caller, request: Request[Any, Any, Any]) -> Requeued:
    """Send them again, with no attempts; what is not there any more is passed over."""
    caller.grant.allows_some(Role.OPERATOR)
    choice = await read(request, Choice)
    async with caller.client() as client:
        which = await _filter(caller, client, Role.OPERATOR, choice)
        sent = await client.requeue(choice.ids, **which, everything=choice.everything)
    return Requeued({letter: str(message_id) for letter, message_id in sent.items()})


@post(
    "/v1/dead-letters/purge",
    summary="Forget dead letters",
    tags=["dead letters"],
    status_code=200,
    opt={"body": Choice},
)
async def purge_letters(caller: Caller, request: Request[Any, Any, Any]) -> Purged:
    """Forget them for good."""
    caller.grant.allows_some(Role.OPERATOR)
    choice = await read(request, Choice)
    async with caller.client() as client:
        which = await _filter(caller, client, Role.OPERATOR, choice)
        return Purged(await client.purge(choice.ids, **which, everything=choice.everything))


async def _filter(caller: Caller, client: Client, role: Role, choice: Choice) -> dict[str, Any]:
    """Return a filter as the client takes it, if this caller may do so to all that fits. Raises AccessDenied."""
    if choice.agent is None or choice.ids is not None:
        caller.may(role)
    agent = None if choice.agent is None else await _whose(caller, client, choice.agent, role)
    sender = None if choice.sender is None else _who(client, choice.sender)
    return {"reason": choice.reason, "agent": agent, "sender": sender, "before": choice.before}


async def _whose(caller: Caller, client: Client, text: str, role: Role) -> AgentId | str:
    """Return whose dead letters are meant: an agent that is gone has some, too."""
    return _who(client, text) if caller.grant.is_for_all else await caller.agent(client, text, role)


def _who(client: Client, text: str) -> AgentId:
    try:
        return AgentId.parse(text)
    except ValueError:
        return client.id_of(text)


ROUTES: list[Any] = [list_letters, show_letter, requeue_letters, purge_letters]
