"""A real Prometheus, Debian's, and its tool, on the metrics of a real runtime."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

import caxton
import caxton.testing
from caxton.acl.options import DeliveryOptions, Lane

DASHBOARD = Path(__file__).parents[3] / "deploy/grafana/dashboards/caxton.json"
ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
pytestmark = pytest.mark.skipif(
    None in {PROMETHEUS, PROMTOOL}, reason="Debian's package prometheus is not installed: scripts/system-packages"
)

# As in docs/metrics.md, with a job beside it that shows no token.
CONFIG = """
global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: caxton
    authorization: {{credentials_file: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
  - job_name: stranger
    static_configs: [{{targets: ["{target}"]}}]
"""

# One of each part of the metrics that is not there while a shard does not answer in time.
ASKED_OF_SHARDS = {
    "caxton_ledger_balanced",
    "caxton_dead_letters_limit",
    "caxton_conversations_archived",
    "caxton_agent_time_ratio",
}


class Prometheus:
    """One that runs, at a port that was free."""

    def __init__(self, process):
        self._process = psutil.Process(process.pid)
        self._http = httpx.Client(timeout=60.0)

    def _port(self):
        found = [one.laddr.port for one in self._process.net_connections() if one.status == psutil.CONN_LISTEN]
        return found[0] if found else None

    async def ask(self, path, until, meanwhile=None, **params):
        """Ask again and again until what is told is so, and return it. meanwhile: what is done before each time."""
        told = None

        async def is_so():
            nonlocal told
            if meanwhile is not None:
                await meanwhile()
            port = self._port()
            if port is None:
                return False
            answer = self._http.get(f"http://127.0.0.1:{port}/api/v1/{path}", params=params)
            if answer.status_code == 503:  # it starts
                return False
            assert answer.status_code == 200, answer.text
            told = answer.json()["data"]
            return until(told)

        await caxton.testing.eventually(is_so, timeout_s=30)
        return told

    async def query(self, text, meanwhile=None):
        """Return the values that a query has, once it has some, by their labels."""
        told = await self.ask("query", lambda told: told["result"], meanwhile, query=text)
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in told["result"]}

    def close(self):
        self._http.close()


@pytest.fixture(scope="module")
def served():
    """A runtime of two workers, with metrics, that echoes."""
    with caxton.testing.runtime(workers=2, options=["--metrics", "127.0.0.1:0"]) as runtime:
        with caxton.connect_sync(runtime.runtime_dir) as client:
            agents = [client.deploy(f"echo {number}", ECHO) for number in range(4)]
            for agent in agents:
                client.request(agent, b"x", timeout_s=60)
        yield runtime


@pytest.fixture(scope="module")
def target(served):
    """Where it is scraped, without the path."""
    url = next(event["metrics"] for event in served.events if event["event"] == "ready")
    return url.removeprefix("http://").removesuffix("/metrics")


@pytest.fixture(scope="module")
def token(served):
    """A token as docs/metrics.md makes one."""
    with caxton.connect_sync(served.runtime_dir) as client:
        return client.create_token("prometheus", "viewer").token


@pytest.fixture(scope="module")
def prometheus(target, token, tmp_path_factory):
    """Scrape it."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "token").write_text(token)
    (folder / "prometheus.yml").write_text(CONFIG.format(token=folder / "token", target=target))
    command = [PROMETHEUS, "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--web.listen-address", "127.0.0.1:0"], stdout=log, stderr=log)
    running = Prometheus(process)
    try:
        yield running
    finally:
        running.close()
        process.kill()
        process.wait()


async def test_it_scrapes_with_a_token_and_not_without(prometheus):
    """The job that shows one is up; the other is told why not, and Prometheus shows it."""

    def both_tried(told):
        return len(told["activeTargets"]) == 2 and all(
            one["lastError"] or one["health"] == "up" for one in told["activeTargets"]
        )

    told = await prometheus.ask(
        "targets", lambda told: both_tried(told) and any(one["health"] == "up" for one in told["activeTargets"])
    )
    found = {one["labels"]["job"]: one for one in told["activeTargets"]}

    assert (found["caxton"]["health"], found["caxton"]["lastError"]) == ("up", "")
    assert "401" in found["stranger"]["lastError"]


async def test_what_it_is_asked_it_knows_of_the_runtime(prometheus):
    """Counters, histograms and labels came through as they were meant."""
    assert min((await prometheus.query("caxton_agents_registered")).values()) >= 4
    assert min((await prometheus.query("sum(caxton_messages_processed_total)")).values()) >= 4
    rate = "sum(rate(caxton_gateway_requests_total{port='metrics',status='200'}[1m]))"
    assert [*(await prometheus.query(f"{rate} > 0"))] == [()]
    quantile = "histogram_quantile(0.99, caxton_message_processing_duration_seconds_bucket)"
    assert all(0 < value < 60 for value in (await prometheus.query(quantile)).values())
    assert len(await prometheus.query("caxton_worker_state == 1")) == 2


async def test_it_knows_what_each_metric_is(prometheus):
    """Its kind and its sentence, under the names of OpenMetrics, as which Prometheus asked for it."""
    told = await prometheus.ask("metadata", lambda told: told.keys() >= ASKED_OF_SHARDS)

    assert told["caxton_ledger_balanced"][0]["type"] == "gauge"
    kinds = {name: {one["type"] for one in what} for name, what in told.items() if name.startswith("caxton_")}
    assert all(len(kind) == 1 for kind in kinds.values())
    assert len(kinds) > 100


async def test_its_tool_finds_nothing_wrong(target, token):
    """`promtool check metrics` knows how metrics are to be named, and whether the text is well formed."""
    async with httpx.AsyncClient(timeout=60.0) as http:
        answer = await http.get(f"http://{target}/metrics", headers={"Authorization": f"Bearer {token}"})
    checking = await asyncio.create_subprocess_exec(
        PROMTOOL, "check", "metrics", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await checking.communicate(answer.content)

    assert (checking.returncode, said) == (0, b"")


async def test_every_query_of_the_dashboard_has_an_answer(served, prometheus):
    """While agents work, and one message has died; reasons of health and limits that are near there may be none."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = {target["expr"] for panel in panels for target in panel.get("targets", [])}
    durable = DeliveryOptions(reliability=Lane.DURABLE.reliability)

    async with served.connect() as client:
        gone, busy = await client.deploy("gone", ECHO), await client.deploy("busy", ECHO)
        await client.pause(gone)
        await client.send(gone, b"too late", options=durable)
        await client.remove(gone)

        async def work():
            await client.request(busy, b"x", timeout_s=60, options=durable)

        assert len(queries) > 30
        for query in sorted(queries):
            asked = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
            if "caxton_health_reasons" in query or "caxton_limit_used_ratio" in query:
                await prometheus.ask("query", lambda told: told["resultType"] == "vector", query=asked)
            else:
                assert await prometheus.query(asked, work), query
