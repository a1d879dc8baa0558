"""What lasts: streams, and requests while the gateway is killed or the runtime stops."""

import json
import os
import signal
import threading
import time

import httpx
import pytest

import caxton
import caxton.testing

HELLO = {"receiver_name": "echo", "content": "hello"}


def events_in(response):
    """Yield the events of a stream, each with its data; signs of life are passed over."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@pytest.fixture(scope="module")
def logger(admin, wasm):
    """An agent that logs what it is sent."""
    files = {"agent": (None, '{"name": "logger"}'), "wasm": ("log.wasm", wasm("log"))}
    assert admin.post("/v1/agents", files=files).status_code == 201
    return "logger"


def test_lines_are_told_as_they_are_logged(admin, logger):
    """What there was, and what comes then; a plain request gets the same lines."""
    with admin.stream("GET", f"/v1/agents/{logger}/logs", params={"follow": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        found = events_in(response)
        admin.post("/v1/messages/request", json={"receiver_name": logger, "content": "one"})
        first = next(found)
        admin.post("/v1/messages/request", json={"receiver_name": logger, "content": "two"})
        second = next(found)
    kept = admin.get(f"/v1/agents/{logger}/logs").json()["lines"]

    assert [first[0], second[0]] == ["line", "line"]
    assert [first[1], second[1]] == kept[:2]
    assert {"number", "at", "level", "message_id", "text", "missed"} == first[1].keys()


def test_a_stream_ends_with_what_it_follows(admin, echo_wasm):
    """An agent that is removed is a problem, as the last event."""
    files = {"agent": (None, '{"name": "brief"}'), "wasm": ("echo.wasm", echo_wasm.read_bytes())}
    admin.post("/v1/agents", files=files)
    with admin.stream("GET", "/v1/agents/brief/logs", headers={"Accept": "text/event-stream"}) as response:
        admin.delete("/v1/agents/brief")
        name, problem = next(events_in(response))

    assert (name, problem["code"]) == ("problem", "AgentNotFound")
    assert admin.get("/v1/agents/brief/logs").status_code == 404


async def test_killed_under_requests_it_loses_nothing(echo_wasm):
    """Who asks sees answers or broken connections; the books balance, and what was acknowledged was done once."""
    async with caxton.testing.runtime(options=["--http", "127.0.0.1:0"]) as served, served.connect() as client:
        await client.deploy("echo", echo_wasm)
        made = await client.create_token("test", "sender")
        url = (await served.event("gateway_ready"))["url"]
        headers = {"Authorization": f"Bearer {made.token}"}
        ends = threading.Event()
        acknowledged, broken = [], []

        def send(number):
            with httpx.Client(base_url=url, headers=headers, timeout=60.0) as http:
                count = 0
                while not ends.is_set():
                    count += 1
                    try:
                        answer = http.post("/v1/messages", json=HELLO, headers={"Idempotency-Key": f"{number}-{count}"})
                        acknowledged.append(answer.json()["message_id"])
                    except httpx.TransportError as error:
                        broken.append(error)

        senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for sender in senders:
            sender.start()
        back_s = []
        for _ in range(3):
            enough = len(acknowledged) + 20
            await caxton.testing.eventually(lambda enough=enough: reached(acknowledged, enough))
            seen = len(served.events)
            gateway = next(e for e in reversed(served.events) if e["event"] == "gateway_ready")
            began_s = time.monotonic()
            os.kill(gateway["pid"], signal.SIGKILL)
            await served.event("gateway_ready", after=seen, url=url)
            back_s.append(time.monotonic() - began_s)
        ends.set()
        for sender in senders:
            sender.join()
        ledger, health = await client.ledger(), await client.health()

    assert ledger.balanced
    assert len(set(acknowledged)) == len(acknowledged) <= ledger.whole.processed
    assert len(broken) <= 3 * len(senders)
    assert health.status == "healthy"
    assert min(back_s) < 30


async def reached(found, enough):
    return len(found) >= enough


async def test_stopped_it_answers_what_it_was_asked(echo_wasm):
    """A stream ends as it should, and the runtime stops in good order while it is open."""
    async with caxton.testing.runtime(options=["--http", "127.0.0.1:0"]) as served:
        async with served.connect() as client:
            await client.deploy("echo", echo_wasm)
            made = await client.create_token("test", "viewer")
        url = (await served.event("gateway_ready"))["url"]
        async with (
            httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {made.token}"}, timeout=60.0) as http,
            http.stream("GET", "/v1/agents/echo/logs", params={"follow": True}) as response,
        ):
            lines = response.aiter_lines()
            assert await anext(lines) == ": still here"
            os.kill(served.pid, signal.SIGTERM)
            rest = [line async for line in lines]
        stopped = await served.event("stopped")

    assert rest[-3:] == ["event: end", "data: {}", ""]
    assert stopped["killed"] == []
    assert not any(event["event"] == "gateway_died" for event in served.events)


def test_events_are_told_page_by_page_and_live(admin, echo_wasm):
    """Each with a cursor, behind which a page and a stream go on."""
    files = {"agent": (None, '{"name": "eventful"}'), "wasm": ("echo.wasm", echo_wasm.read_bytes())}
    with admin.stream("GET", "/v1/events", params={"follow": True, "agent": "eventful"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        live = events_in(response)
        assert admin.post("/v1/agents", files=files).status_code == 201
        name, deployed = next(live)
        admin.delete("/v1/agents/eventful")
        _, removed = next(live)
    first = admin.get("/v1/events", params={"agent": "eventful", "limit": 1}).json()
    second = admin.get("/v1/events", params={"agent": "eventful", "after": first["next"]}).json()
    behind = {"Last-Event-ID": first["next"], "Accept": "text/event-stream"}
    with admin.stream("GET", "/v1/events", params={"agent": "eventful"}, headers=behind) as response:
        assert next(events_in(response)) == ("event", removed)

    assert (name, deployed["kind"], deployed["agent"]) == ("event", "agent_deployed", "eventful")
    assert (first["events"], second) == ([deployed], {"events": [removed], "next": None})


def test_a_token_for_some_agents_is_told_of_these(admin, asking, echo_wasm):
    """And of nothing else, page by page or live; not of tokens, workers or health."""
    for name in ("shown-1", "hidden-1"):
        files = {"agent": (None, json.dumps({"name": name})), "wasm": ("echo.wasm", echo_wasm.read_bytes())}
        assert admin.post("/v1/agents", files=files).status_code == 201
    with admin.stream("GET", "/v1/events", params={"follow": True, "agent": "hidden-1"}) as response:
        next(events_in(response))  # so that both are told
    some = asking("viewer", "shown-*")
    with some.stream("GET", "/v1/events", params={"follow": True}) as response:
        assert next(events_in(response))[1]["agent"] == "shown-1"
    told = some.get("/v1/events", params={"limit": 500}).json()["events"]

    assert {event["agent"] for event in told} == {"shown-1"}
    assert some.get("/v1/events", params={"agent": "hidden-1"}).json() == {"events": [], "next": None}
    assert some.get("/v1/events", params={"kind": "nothing"}).status_code == 422
