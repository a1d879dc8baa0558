"""What agents send to who asks by HTTP, and that no request waits for: live."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request, Response, get

from caxton.acl.message import Message
from caxton.forms.message_form import told_values
from caxton.gateway.caller import Caller
from caxton.gateway.door import REQUEST
from caxton.gateway.live_stream import LiveStream
from caxton.gateway.problem import as_json
from caxton.gateway.streaming import event, events_of
from caxton.tokens.role import Role


class Opened(msgspec.Struct, frozen=True):
    """From here on it is read. session: the id that agents see as the sender of what this token sends."""

    session: str


@get("/v1/inbox", summary="What agents send unasked", tags=["messages"], opt={"stream": True})
async def inbox(caller: Caller, request: Request[Any, Any, Any]) -> Response[Any]:
    """Return a stream of events: `open` first, then a `message` for each that is no answer to a request.

    A message counts as read when the gateway has handed it to this connection: what is on its way when that breaks is
    lost, and so is what comes while nobody reads. One stream reads for a token: a later one ends it with `problem`.
    """
    caller.grant.allows_some(Role.SENDER)
    async with caller.client():  # what is wrong is told before a stream begins
        pass
    request.scope[REQUEST].last()
    return LiveStream(_live(caller))


async def _live(caller: Caller) -> AsyncGenerator[bytes, None]:
    house = caller.house
    async with house.clients.reading(caller.grant.principal) as (client, messages):
        yield event("open", msgspec.json.encode(Opened(str(client.session_id))))
        told = events_of(messages, _event, house.stopping, lambda: house.access.check(caller.grant))
        async with aclosing(told):
            async for raw in told:
                yield raw


def _event(message: Message) -> bytes:
    return event("message", as_json(told_values(message)))


ROUTES: list[Any] = [inbox]
