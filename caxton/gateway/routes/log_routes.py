"""What an agent logs: what is kept, and live."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter

from caxton.forms.line_form import LineForm
from caxton.gateway.caller import Caller
from caxton.gateway.door import REQUEST
from caxton.gateway.live_stream import LiveStream
from caxton.gateway.parameters import Agent
from caxton.gateway.streaming import MEDIA_TYPE, event, events_of
from caxton.ids import AgentId
from caxton.tokens.role import Role
from caxton.wire.watching import MAX_LOG_PAGE, LogLine


class Log(msgspec.Struct, frozen=True):
    """What an agent logged, oldest first."""

    lines: list[LineForm]


@get(
    "/v1/agents/{agent:str}/logs", summary="What an agent logged", tags=["agents"], opt={"answer": Log, "stream": True}
)
async def agent_logs(
    caller: Caller,
    request: Request[Any, Any, Any],
    agent: Agent,
    tail: Annotated[int | None, QueryParameter(ge=0, le=MAX_LOG_PAGE, description="Only the last so many.")] = None,
    since: Annotated[int | None, QueryParameter(ge=0, description="Only those since, in ms since 1970.")] = None,
    level: Annotated[str, QueryParameter(description="Only those of this level or a higher one.")] = "debug",
    *,
    follow: Annotated[bool, QueryParameter(description="Go on with what it logs from then on, as events.")] = False,
) -> Response[Any]:
    """Return the lines that are kept; with `follow`, or to who accepts text/event-stream, an event `line` for each.

    A stream has a comment each ten seconds when nothing is logged, and ends with the event `end` or `problem`.
    """
    asked: dict[str, Any] = {"tail": tail, "since": since, "level": level}
    async with caller.client() as client:
        found = await caller.agent(client, agent, Role.VIEWER)
        await client.inspect(found)
        if not follow and MEDIA_TYPE not in request.headers.get("accept", ""):
            return Response(Log([LineForm.of(line) async for line in client.logs(found, **asked)]))
    request.scope[REQUEST].last()
    return LiveStream(_live(caller, found, asked))


async def _live(caller: Caller, agent: AgentId | str, asked: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    house = caller.house
    async with caller.client() as client:
        lines = client.logs(agent, **asked, follow=True)
        told = events_of(lines, _event, house.stopping, lambda: house.access.check(caller.grant))
        async with aclosing(told):
            async for raw in told:
                yield raw


def _event(line: LogLine) -> bytes:
    return event("line", msgspec.json.encode(LineForm.of(line)))


ROUTES: list[Any] = [agent_logs]
