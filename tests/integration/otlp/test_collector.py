"""A contract net as OpenTelemetry's own collector was told of it."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
import wasmtime

import caxton

# The first test of a machine builds the collector.
pytestmark = pytest.mark.timeout(1_200)
DEADLINE_S = 60
# Logs what it is told, and answers with it.
LOG_GUEST = bytes(wasmtime.wat2wasm((Path(__file__).parents[2] / "guests" / "log.wat").read_text()))


class Seller:
    async def on_cfp(self, message):
        return message.reply(b"7", performative="propose")

    async def on_accept_proposal(self, message):
        return message.reply(b"done")

    async def on_reject_proposal(self, message):
        pass


@pytest.fixture
async def trace(exporting):
    """The trace of a contract net, in which a third, sandboxed agent has nothing to say."""
    async with (
        caxton.connect(exporting.runtime_dir, trace_sampling_ratio=1.0) as client,
        client.host(caxton.agent("anna")(Seller()), caxton.agent("bert")(Seller())),
    ):
        await client.deploy("log", LOG_GUEST)
        result = await client.contract_net(b"task", ["anna", "bert", "log"])
        await client.remove("log")
        return result.result.trace_context[3:35]


@pytest.fixture
def until(one_turn_of_the_loop):
    """Look again until something is there."""

    async def look(found):
        deadline_s = time.monotonic() + DEADLINE_S
        while not (there := found()):
            assert time.monotonic() < deadline_s
            await one_turn_of_the_loop()
        return there

    return look


async def test_the_spans_of_a_contract_net_are_one_tree(collector, trace, until):
    """Each but the first follows from one that came, and all are of the service caxton."""

    def found():
        spans = [span for span in collector.spans() if span["traceId"] == trace]
        return spans if len(spans) >= 12 else None

    spans = await until(found)
    ids = {span["spanId"] for span in spans}
    parents = [span.get("parentSpanId") for span in spans]

    assert [span["name"] for span in spans if not span.get("parentSpanId")] == ["contract_net_protocol"]
    assert {parent for parent in parents if parent} <= ids
    names = {"contract_net_protocol", "message_routing", "message_process", "agent_spawn"}
    assert {span["name"] for span in spans} == names
    told = {a["key"]: a["value"] for one in collector.requests("resourceSpans") for a in one["resource"]["attributes"]}
    assert told["service.name"] == {"stringValue": "caxton"}


async def test_metrics_are_those_that_prometheus_reads(collector, trace, until):
    """Under the names of docs/metrics.md, each of the kind that stands there, with a turn of the trace in a bucket."""
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    kinds = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))

    def found():
        traced = [one for one in collector.requests("resourceMetrics") if trace in json.dumps(one)]
        return traced and collector.metrics()

    metrics = await until(found)
    assert {*metrics} <= {*kinds}
    assert len(metrics) > 100
    fields = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
    assert [name for name, metric in metrics.items() if fields[kinds[name]] not in metric] == []
    (taken,) = metrics["caxton_sessions"]["gauge"]["dataPoints"]
    assert taken["asDouble" if "asDouble" in taken else "asInt"]
    told = metrics["caxton_message_processing_duration_seconds"]["histogram"]["dataPoints"][0]
    assert int(told["count"]) >= 1
    assert trace in {exemplar["traceId"] for exemplar in told["exemplars"]}


async def test_logs_are_those_of_guests_and_events_those_of_the_runtime(collector, trace, until):
    """A guest's line has the trace of its message; an event has its kind."""

    def found():
        return [one for one in collector.logs() if one.get("traceId") == trace]

    (line,) = await until(found)
    said = {one["key"]: one["value"] for one in line["attributes"]}
    assert line["body"] == {"stringValue": "log: task"}
    assert (line["severityText"], line["severityNumber"]) == ("info", 9)
    assert (said["agent_name"], said["caxton.logger"]) == ({"stringValue": "log"}, {"stringValue": "caxton.guest"})
    wanted = {"ready", "gateway_ready", "agent_deployed"}
    await until(lambda: wanted <= {one.get("eventName") for one in collector.logs()})


async def test_a_gateway_that_was_killed_tells_again_what_is_kept(collector, exporting, until):
    """Nothing is missing behind it, and an event that came twice is known by its cursor."""

    def cursors(kind):
        told = [a for one in collector.logs() if one.get("eventName") == kind for a in one["attributes"]]
        return [one["value"]["stringValue"] for one in told if one["key"] == "caxton.event.cursor"]

    await until(lambda: cursors("ready") and cursors("gateway_ready"))
    gateways = [event["pid"] for event in exporting.events if event["event"] == "gateway_ready"]
    os.kill(gateways[-1], signal.SIGKILL)
    await until(lambda: cursors("gateway_died"))
    await until(lambda: len(cursors("ready")) > 1)
    assert len({*cursors("ready")}) == 1
    await until(lambda: len({*cursors("gateway_ready")}) == len(gateways) + 1)
