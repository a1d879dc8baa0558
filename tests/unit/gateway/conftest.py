"""The gateway's parts in the test's own loop: a door before any application, and a server at a port that is free."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest

from caxton.errors import FailedTooOften, TokenMissing, TokenRefused
from caxton.gateway.access.notes import AccessNotes
from caxton.gateway.counts import Counts
from caxton.gateway.door import REQUEST, Door
from caxton.gateway.hosts import Hosts
from caxton.gateway.limits import MAX_CONNECTIONS


class Answer:
    def __init__(self, events):
        start = next(event for event in events if event["type"] == "http.response.start")
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = b"".join(event.get("body", b"") for event in events)

    @property
    def json(self):
        return json.loads(self.body)


class Granted(str):
    """What a token grants, as `reads` tells it."""

    __slots__ = ("principal",)

    def __new__(cls, token):
        made = super().__new__(cls, "granted")
        made.principal = f"token:{token.decode()}"
        return made


def known(headers, address):
    """Who says Bearer good, or other, may do everything."""
    given = headers.get(b"authorization", [])
    if not any(given):
        raise TokenMissing
    if given not in ([b"Bearer good"], [b"Bearer other"]):
        raise FailedTooOften(7.0) if address == "10.0.0.9" else TokenRefused
    return Granted(given[0])


async def reads(scope, receive, send):
    """Read the body, and answer with how long it was."""
    length, more = 0, True
    while more:
        event = await receive()
        length, more = length + len(event.get("body", b"")), event.get("more_body", False)
    body = json.dumps({"read": length, "grant": scope[REQUEST].grant}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Asked:
    """A door, and what goes through it without a network."""

    def __init__(self, app, timeout_s):
        self.counts, self.notes = Counts(), AccessNotes()
        self.door = Door(app, Hosts("127.0.0.1", 80, []), known, self.counts, self.notes, timeout_s)

    async def ask(self, path="/v1/x", body=(b"",), headers=(), host=b"localhost", token=b"Bearer good", **more):
        """Ask; the parts of a body come one after the other, and None stands for one that never comes.

        reading: an event before which nothing of the answer is read. leaving: one at which whoever asks hangs up.
        address: from where it is asked.
        """
        reading, leaving = more.get("reading"), more.get("leaving", asyncio.Event())
        parts = iter(body)

        async def receive():
            part = next(parts, b"over")
            if part == b"over":
                await leaving.wait()
                return {"type": "http.disconnect"}
            if part is None:
                await asyncio.get_running_loop().create_future()
            return {"type": "http.request", "body": part, "more_body": part != body[-1]}

        events = []

        async def send(event):
            events.append(event)
            if reading is not None:
                await reading.wait()

        told = [(b"host", host), (b"authorization", token), *headers]
        if any(body) and b"content-length" not in dict(headers):
            told.append((b"transfer-encoding", b"chunked"))
        scope = {"type": "http", "method": "POST", "path": path, "headers": [(n, v) for n, v in told if v]}
        scope["client"] = (more.get("address", "127.0.0.1"), 1)
        await self.door(scope, receive, send)
        return Answer(events) if events else None


@pytest.fixture
def door():
    """Make doors before an application: one that reads, unless told otherwise."""

    def make(app=reads, timeout_s=30.0):
        return Asked(app, timeout_s)

    return make


@pytest.fixture
def listening():
    """Serve an application at a port that is free, as the gateway does; yields the port, the counts and the server."""

    @asynccontextmanager
    async def serve(app, most=MAX_CONNECTIONS):
        from caxton.gateway.protocol import bounded  # noqa: PLC0415 (it needs the extra)
        from caxton.gateway.serving import Server, config  # noqa: PLC0415

        counts = Counts()
        taken = socket.create_server(("127.0.0.1", 0))
        server = Server(config(app, bounded(counts, most)))
        serving = asyncio.get_running_loop().create_task(server.serve([taken]))
        await server.answers.wait()
        try:
            yield taken.getsockname()[1], counts, server
        finally:
            server.stop()
            await serving

    return serve


@pytest.fixture
def one_more():
    """A function that asks beside others that are `inside`; it returns the task, and whether it ended outside."""

    async def ask(group, asking, inside):
        task, entered = group.create_task(asking), asyncio.get_running_loop().create_task(inside.acquire())
        await asyncio.wait({task, entered}, return_when=asyncio.FIRST_COMPLETED)
        entered.cancel()
        return task, task.done()

    return ask


@pytest.fixture
def others_go_on():
    """Let everything else that is ready run once."""

    async def turn():
        await asyncio.sleep(0)

    return turn
