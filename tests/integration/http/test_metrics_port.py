"""The port that Prometheus asks: who is let in, and what it is told."""

import asyncio
import os
import signal

import httpx
import pytest

import caxton
import caxton.testing

parser = pytest.importorskip("prometheus_client.parser", reason="the extra http is not installed")
openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")

AS_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
}


@pytest.fixture(scope="module")
def served():
    """A runtime of two workers that serves metrics, and no HTTP."""
    with caxton.testing.runtime(workers=2, options=["--metrics", "127.0.0.1:0"]) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def url(served):
    """Where it does."""
    return metrics_url(served).removesuffix("/metrics")


def metrics_url(runtime):
    return next(event["metrics"] for event in runtime.events if event["event"] == "ready")


def found_in(text):
    """Every sample of a text, by its name and its labels."""
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.items())] = sample.value
    return found


def test_whoever_has_a_token_is_told(asking):
    """A viewer for all agents, in the form that every release of Prometheus reads."""
    answer = asking("viewer").get("/metrics")
    found = found_in(answer.text)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {value for (name, *_), value in found.items() if name == "caxton_scrape_parts"} == {1}
    assert found["caxton_ledger_balanced",] == 1
    assert found["caxton_gateway_connections", ("port", "metrics")] >= 1
    assert found["caxton_gateway_resident_memory_bytes",] > 1 << 20


def test_open_metrics_for_whoever_asks_for_it(asking):
    """As Prometheus does; it has the same families."""
    answer = asking("viewer").get("/metrics", headers=AS_PROMETHEUS)
    told = {family.name for family in openmetrics.text_string_to_metric_families(answer.text)}

    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("# EOF\n")
    assert told >= {"caxton_messages_processed", "caxton_health_status", "caxton_gateway_requests"}


@pytest.mark.parametrize(
    ("role", "agents", "status", "code"),
    [(None, [], 401, "TokenMissing"), ("viewer", ["shop-*"], 403, "AccessDenied"), ("sender", [], 200, None)],
)
def test_nobody_else_is_told(asking, role, agents, status, code):
    """Without a token, or with one for some agents alone: metrics are about all of them."""
    answer = asking(role, *agents).get("/metrics")

    assert answer.status_code == status
    if code is not None:
        assert answer.json()["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"


def test_it_is_behind_the_same_door(asking):
    """Other hosts, paths and methods are problems here too; whether it is well is told to anybody."""
    viewer = asking("viewer")

    assert viewer.get("/metrics", headers={"Host": "elsewhere.example"}).json()["code"] == "UnknownHost"
    assert viewer.get("/v1/agents").json()["code"] == "NoSuchRoute"
    assert viewer.post("/metrics").json()["code"] == "MethodNotAllowed"
    assert asking().get("/ready").json() == {"ready": True}


def test_a_token_that_is_revoked_is_told_nothing_more(served, url):
    """Not even what was told within this second to somebody else."""
    with caxton.connect_sync(served.runtime_dir) as client, httpx.Client(base_url=url, timeout=60.0) as http:
        made = client.create_token("prometheus", "viewer")
        headers = {"Authorization": f"Bearer {made.token}"}
        assert http.get("/metrics", headers=headers).status_code == 200
        client.revoke_token(made.about.token_id)
        assert http.get("/metrics", headers=headers).json()["code"] == "TokenRefused"


def test_every_command_of_the_page_does_what_it_says(served, url, run_page):
    """Each ends well, and prints what stands behind it."""
    assert run_page("metrics", served, {"http://127.0.0.1:9090": url}) >= 2


async def test_a_shard_that_is_away_is_told_as_that():
    """What it alone knows is left out, and the rest is there."""
    options = ["--metrics", "127.0.0.1:0", "--metrics-open", "--restart-limit", "0"]
    async with caxton.testing.runtime(workers=2, options=options) as served, httpx.AsyncClient(timeout=60.0) as http:
        await served.kill_worker(1)
        found = found_in((await http.get(metrics_url(served))).text)

    assert found["caxton_scrape_parts", ("part", "ledger")] == 0
    assert ("caxton_ledger_balanced",) not in found
    assert found["caxton_worker_state", ("shard", "1"), ("state", "failed")] == 1
    assert found["caxton_worker_state", ("shard", "0"), ("state", "ready")] == 1


async def test_killed_it_is_back_at_both_ports():
    """With HTTP beside it one gateway serves both, and both sockets outlive it."""
    options = ["--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--metrics-open"]
    async with caxton.testing.runtime(options=options) as served, httpx.AsyncClient(timeout=60.0) as http:
        ready = await served.event("gateway_ready")
        seen = len(served.events)
        os.kill(ready["pid"], signal.SIGKILL)
        answers = await asyncio.gather(http.get(ready["metrics"]), http.get(f"{ready['http']}/health"))
        again = await served.event("gateway_ready", after=seen)
        found = found_in((await http.get(ready["metrics"])).text)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert (again["http"], again["metrics"]) == (ready["http"], ready["metrics"])
    assert found["caxton_gateway_requests_total", ("port", "http"), ("status", "200")] >= 1
