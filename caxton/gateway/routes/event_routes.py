"""What happened in the runtime: what is kept, and live."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter

from caxton.client.client import Client
from caxton.errors import ParseError
from caxton.forms.events import EventForm
from caxton.gateway.access.grant import Grant
from caxton.gateway.caller import Caller
from caxton.gateway.door import REQUEST
from caxton.gateway.live_stream import LiveStream
from caxton.gateway.parameters import PAGE, After, Limit, SomeAgent
from caxton.gateway.streaming import MEDIA_TYPE, closing, event, events_of
from caxton.ids import AgentId
from caxton.tokens.role import Role
from caxton.wire.events import MAX_KINDS, EventView

MISSED = "events_missed"


class Events(msgspec.Struct, frozen=True):
    """What happened, oldest first. next: what `after` takes for the next page, None when this is the last one."""

    events: list[EventForm]
    next: str | None


@get("/v1/events", summary="What happened", tags=["runtime"], opt={"answer": Events, "stream": True})
async def events(  # noqa: PLR0913 (a query parameter each)
    caller: Caller,
    request: Request[Any, Any, Any],
    kind: Annotated[
        list[str] | None,
        QueryParameter(max_items=MAX_KINDS, description="Only these kinds; may be repeated."),
    ] = None,
    agent: SomeAgent = None,
    since: Annotated[int | None, QueryParameter(ge=0, description="Only those since, in ms since 1970.")] = None,
    after: After = None,
    limit: Limit = PAGE,
    *,
    follow: Annotated[bool, QueryParameter(description="Go on with what happens from then on, as events.")] = False,
) -> Response[Any]:
    """Return what is kept of this run; with `follow`, or to who accepts text/event-stream, an event `event` for each.

    The id of each is its cursor: a stream goes on behind `Last-Event-ID`. It has a comment each ten seconds when
    nothing happens, and ends with the event `end` or `problem`. A token for some agents is told of these alone.
    """
    caller.grant.allows_some(Role.VIEWER)
    live = follow or MEDIA_TYPE in request.headers.get("accept", "")
    place = (request.headers.get("last-event-id") if live else None) or after or ""
    asked: dict[str, Any] = {"kinds": kind or (), "since": since, "after": place}
    async with caller.client() as client:
        asked["agent"] = None if agent is None else _id_of(client, agent)
        if not live:
            return Response(await _page(client, caller.grant, asked, limit))
    request.scope[REQUEST].last()
    return LiveStream(_live(caller, asked))


def _id_of(client: Client, text: str) -> AgentId:
    """Return the id of an agent, which may be gone."""
    try:
        return AgentId.parse(text)
    except ParseError:
        return client.id_of(text)


async def _page(client: Client, grant: Grant, asked: dict[str, Any], limit: int) -> Events:
    found: list[EventForm] = []
    last = ""
    async with closing(_shown(client.events(**asked), grant)) as shown:
        async for one in shown:
            if len(found) == limit:
                return Events(found, last)
            found.append(EventForm.of(one))
            last = one.cursor or last
    return Events(found, None)


async def _live(caller: Caller, asked: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    house, grant = caller.house, caller.grant
    async with caller.client() as client:
        found = _shown(client.events(**asked, follow=True), grant)
        async with aclosing(events_of(found, _event, house.stopping, lambda: house.access.check(grant))) as told:
            async for raw in told:
                yield raw


async def _shown(found: AsyncIterator[EventView], grant: Grant) -> AsyncIterator[EventView]:
    """Yield those that a token may see: one for some agents those of these, and that others are missing."""
    async with closing(found):
        async for one in found:
            if grant.is_for_all or one.kind == MISSED or (one.agent and grant.covers(one.agent)):
                yield one


def _event(one: EventView) -> bytes:
    named = f"id: {one.cursor}\n".encode() if one.cursor else b""
    return named + event("event", msgspec.json.encode(EventForm.of(one)))


ROUTES: list[Any] = [events]
