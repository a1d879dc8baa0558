"""How full the gateway is, as its supervisor is told."""

import asyncio
from types import SimpleNamespace

import pytest

from caxton.delivery.levels import Level
from caxton.gateway import shares as shares_module
from caxton.gateway.counts import Counts
from caxton.gateway.fullness import FULL_FOR_S, Fullness, Port
from caxton.gateway.limits import (
    MAX_ANSWERS_BYTES,
    MAX_BODIES_BYTES,
    MAX_OPEN_REQUESTS,
    MAX_OWN_STREAMS,
    MAX_REQUESTS,
    MAX_STREAMS,
)
from caxton.gateway.shares import Shares
from caxton.wire.gateway_tick import MOST_BYTES, MOST_NEAR, Tick


@pytest.fixture
def port():
    """A port with room for ten connections, and for ten principals of whom none is here."""
    counts = Counts()
    clients = SimpleNamespace(levels=lambda: [Level("principals", 0, 10)])
    return Port(counts, 10, Shares(counts), clients)


def told(near):
    return [(one.limit, one.have, one.most, one.whose, one.since_ms) for one in near]


@pytest.mark.parametrize(
    ("fields", "bound", "most"),
    [
        ({"connections": 10}, "connections", 10),
        ({"under_way": MAX_REQUESTS}, "requests", MAX_REQUESTS),
        ({"under_way": MAX_OPEN_REQUESTS, "open_under_way": MAX_OPEN_REQUESTS}, "open_requests", MAX_OPEN_REQUESTS),
        ({"under_way": MAX_STREAMS, "streams": MAX_STREAMS}, "streams", MAX_STREAMS),
        ({"body_bytes": MAX_BODIES_BYTES}, "body_bytes", MAX_BODIES_BYTES),
        ({"answer_bytes": MAX_ANSWERS_BYTES}, "answer_bytes", MAX_ANSWERS_BYTES),
    ],
)
def test_each_bound_of_a_port_is_told(port, fields, bound, most):
    """By the name of its port, while it is near."""
    fullness = Fullness({"http": port})
    assert fullness.look(0.0, 1) == []
    for name, value in fields.items():
        setattr(port.counts, name, value)
    assert told(fullness.look(1.0, 5)) == [(f"http_{bound}", most, most, "", 5)]
    for name in fields:
        setattr(port.counts, name, 0)
    assert fullness.look(2.0, 6) == []


def test_principals_and_shares_are_told(port):
    """Of a share it is told whose it is."""
    clients = SimpleNamespace(levels=lambda: [Level("principals", 9, 10)])
    fullness = Fullness({"metrics": port._replace(clients=clients)})
    share = port.shares.of("token:a")
    for _ in range(MAX_OWN_STREAMS):
        share.take_request()
        share.take_stream()
    near = told(fullness.look(0.0, 7))
    assert near == [
        ("metrics_token_streams", MAX_OWN_STREAMS, MAX_OWN_STREAMS, "token:a", 7),
        ("metrics_principals", 9, 10, "", 7),
    ]


def test_what_refused_is_full_for_a_while(port):
    """Though there is room again at the next look, and from when it first refused; then it is over."""
    fullness = Fullness({"http": port})
    port.counts.refuse("too many at once", "requests", 256)
    for now_s in (0.0, FULL_FOR_S / 2, FULL_FOR_S - 1):
        assert told(fullness.look(now_s, int(now_s))) == [("http_requests", 256, 256, "", 0)]
    assert fullness.look(FULL_FOR_S, 99) == []


async def test_a_share_that_refused_is_told_when_it_is_gone(port, monkeypatch):
    """Nothing is kept of who asks nothing, but whose share refused."""
    monkeypatch.setattr(shares_module, "MAX_OWN_REQUESTS", 1)
    fullness = Fullness({"http": port})
    share = port.shares.of("token:a")
    share.take_request()
    with pytest.raises(shares_module.ResourceExhausted):
        share.take_request()
    share.give_back(0, 0, is_stream=False)
    port.shares.forget_if_unused("token:a")

    assert told(fullness.look(0.0, 3)) == [("http_token_requests", 1, 1, "token:a", 3)]


def test_so_many_limits_are_told_and_no_more(port):
    """However many tokens there are; as a pipe takes it at once, and as it is read. What is kept of them goes."""
    fullness = Fullness({"http": port})
    for number in range(500):
        port.counts.refuse("too many streams of one token", "token_streams", 32, f"token:{number:026}")
    near = fullness.look(0.0, 1 << 41)

    assert (len(near), len(port.counts.full)) == (MOST_NEAR, 0)
    line = Tick(near).encode()
    assert len(line) <= MOST_BYTES
    assert Tick.decode(line[:-1]) == Tick(near)
    fullness.look(FULL_FOR_S, 0)
    assert fullness._refused == {}


async def test_a_door_says_which_bound_refused(door, monkeypatch, one_more):
    """So that what comes and goes between two looks is told."""
    monkeypatch.setattr("caxton.gateway.door.MAX_REQUESTS", 1)
    go, inside = asyncio.Event(), asyncio.Semaphore(0)

    async def waits(scope, receive, send):
        inside.release()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    asked = door(waits)
    async with asyncio.TaskGroup() as group:
        group.create_task(asked.ask())
        await inside.acquire()
        _, is_refused = await one_more(group, asked.ask(), inside)
        go.set()

    assert is_refused
    assert asked.counts.full == {("requests", ""): 1}
