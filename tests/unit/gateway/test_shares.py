import asyncio

import pytest

from caxton.gateway import door as door_module
from caxton.gateway import shares
from caxton.gateway.door import REQUEST


class Waits:
    """An application that answers when it is let; of its requests, those that are inside are waited for."""

    def __init__(self, is_stream=False):
        self.go, self.inside, self.is_stream, self.ended = asyncio.Event(), asyncio.Semaphore(0), is_stream, 0

    async def __call__(self, scope, receive, send):
        while (await receive()).get("more_body", False):
            pass
        if self.is_stream:
            scope[REQUEST].last()
        self.inside.release()
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("limit", "reason", "body", "is_stream"),
    [
        ("MAX_OWN_REQUESTS", "too many at once of one token", b"", False),
        ("MAX_OWN_STREAMS", "too many streams of one token", b"", True),
        ("MAX_OWN_BODIES_BYTES", "bodies at once of one token", b"x", False),
    ],
)
async def test_one_token_has_so_much_and_no_more(door, one_more, monkeypatch, limit, reason, body, is_stream):
    """The next one of its own is refused and counted; others get through, and it does again when one has ended."""
    monkeypatch.setattr(shares, limit, 2)
    app = Waits(is_stream)
    asked = door(app)
    async with asyncio.TaskGroup() as group:
        first = [group.create_task(asked.ask(body=[body])) for _ in range(2)]
        for _ in first:
            await app.inside.acquire()
        third, is_refused = await one_more(group, asked.ask(body=[body]), app.inside)
        other = group.create_task(asked.ask(body=[body], token=b"Bearer other"))
        await app.inside.acquire()
        app.go.set()
    again = await asked.ask(body=[body])

    assert is_refused
    refused = third.result()
    assert (refused.status, refused.json["code"], refused.headers["retry-after"]) == (503, "ResourceExhausted", "1")
    assert asked.counts.refused == {reason: 1}
    assert [answer.status for answer in (*(task.result() for task in first), other.result(), again)] == [200] * 4


async def test_nothing_is_kept_of_who_asks_nothing(door):
    """A principal has a share as long as it has a request."""
    app = Waits()
    asked = door(app)
    async with asyncio.TaskGroup() as group:
        group.create_task(asked.ask())
        await app.inside.acquire()
        during = len(asked.door.shares)
        app.go.set()

    assert (during, len(asked.door.shares)) == (1, 0)


async def test_whether_it_is_well_is_told_where_there_are_too_many_requests(door, monkeypatch):
    """To anybody, and nothing else is."""
    monkeypatch.setattr(door_module, "MAX_REQUESTS", 1)
    app = Waits()
    asked = door(app)
    async with asyncio.TaskGroup() as group:
        group.create_task(asked.ask())
        await app.inside.acquire()
        refused = await asked.ask("/v1/x")
        well = group.create_task(asked.ask("/ready", token=b""))
        await app.inside.acquire()
        app.go.set()

    assert (refused.status, well.result().status) == (503, 200)


@pytest.mark.parametrize("body", [b"", b"x"])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_request_ends_whose_caller_hangs_up(door, body, is_stream):
    """Whether it had a body or not, lasts or not; what it took is given back."""
    app, leaving = Waits(is_stream), asyncio.Event()
    asked = door(app)
    async with asyncio.TaskGroup() as group:
        left = group.create_task(asked.ask(body=[body], leaving=leaving))
        await app.inside.acquire()
        leaving.set()

    assert (left.result(), app.ended) == (None, 1)
    assert (asked.counts.cut_off, asked.counts.hung_up) == ({}, 0 if is_stream else 1)
    assert (asked.counts.under_way, asked.counts.streams, asked.counts.body_bytes) == (0, 0, 0)


async def test_who_hangs_up_after_the_answer_is_nobody_s_concern(door):
    """The request has ended by itself."""
    leaving = asyncio.Event()
    leaving.set()

    async def answers(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        while (await receive())["type"] != "http.disconnect":
            pass

    asked = door(answers)
    answer = await asked.ask(leaving=leaving)

    assert (answer.status, asked.counts.cut_off) == (200, {})


async def test_so_many_ask_without_a_token_and_no_more(door, monkeypatch):
    """The next one is refused; they shut out nobody who has a token."""
    monkeypatch.setattr(door_module, "MAX_REQUESTS", 1)
    monkeypatch.setattr(door_module, "MAX_OPEN_REQUESTS", 2)
    app = Waits()
    asked = door(app)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(asked.ask("/health", token=b""))
            await app.inside.acquire()
        refused = await asked.ask("/health", token=b"")
        let_in = group.create_task(asked.ask("/v1/x"))
        await app.inside.acquire()
        app.go.set()

    assert (refused.status, refused.json["code"], let_in.result().status) == (503, "ResourceExhausted", 200)
    assert asked.counts.refused == {"too many at once without a token": 1}
    assert (asked.counts.under_way, asked.counts.open_under_way) == (0, 0)
