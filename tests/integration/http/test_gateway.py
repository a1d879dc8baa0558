"""The gateway's process: started with the runtime, killed, taken away."""

import os
import signal
import socket
import time
from contextlib import closing

import httpx
import pytest

import caxton.testing

BACK_S = 2.0


def test_it_says_whether_the_runtime_is_well(asked):
    """To anybody, and no more than that."""
    health, ready = asked.get("/health"), asked.get("/ready")

    assert (health.status_code, health.json()) == (200, {"status": "healthy"})
    assert (ready.status_code, ready.json()) == (200, {"ready": True})


@pytest.mark.parametrize("path", ["/v1", "/v1/agents", "/openapi.json", "/health/", "/health/router", "/health//"])
def test_nothing_else_answers_without_a_token(asked, path):
    """Also what there is not: who has no token learns nothing of it."""
    answer = asked.get(path)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="caxton"'
    assert answer.headers["content-type"] == "application/problem+json"


async def test_killed_it_is_back_at_the_same_address_and_nobody_is_refused(served, url):
    """Connections wait meanwhile, because the supervisor holds the socket."""
    pid = (await served.event("gateway_ready"))["pid"]
    seen = len(served.events)
    began_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)

    async with httpx.AsyncClient(base_url=url, timeout=60.0) as client:
        answer = await client.get("/ready")
    await served.event("gateway_ready", after=seen, url=url)

    assert answer.json() == {"ready": True}
    assert time.monotonic() - began_s < 30 * BACK_S  # the bench measures it
    died = next(event for event in served.events[seen:] if event["event"] == "gateway_died")
    assert died["how"] == "killed by SIGKILL"


async def test_a_taken_port_is_a_reason_of_health_and_no_loop():
    """The runtime serves all the same, and says which option to change."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        async with caxton.testing.runtime(options=["--http", address]) as served:
            health = await served.health()

    refused = [event for event in served.events if event["event"] == "gateway_refused"]
    assert [event["problem"] for event in refused] == [
        f"--http {address}: the port is taken; end who listens there, or serve with another --http"
    ]
    assert (health.status, [reason.name for reason in health.reasons]) == ("degraded", ["gateway_missing"])
    assert health.components["gateway"].status == "degraded"
