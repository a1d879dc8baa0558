"""A contract net as OpenTelemetry's own collector was told of it."""

import time

import pytest

import caxton

# The first test of a machine builds the collector.
pytestmark = pytest.mark.timeout(1_200)
DEADLINE_S = 60


class Seller:
    async def on_cfp(self, message):
        return message.reply(b"7", performative="propose")

    async def on_accept_proposal(self, message):
        return message.reply(b"done")

    async def on_reject_proposal(self, message):
        pass


@pytest.fixture
async def trace(exporting):
    """The trace of a contract net."""
    async with (
        caxton.connect(exporting.runtime_dir, trace_sampling_ratio=1.0) as client,
        client.host(caxton.agent("anna")(Seller()), caxton.agent("bert")(Seller())),
    ):
        result = await client.contract_net(b"task", ["anna", "bert"])
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
        return spans if len(spans) >= 9 else None

    spans = await until(found)
    ids = {span["spanId"] for span in spans}
    parents = [span.get("parentSpanId") for span in spans]

    assert [span["name"] for span in spans if not span.get("parentSpanId")] == ["contract_net_protocol"]
    assert {parent for parent in parents if parent} <= ids
    assert {span["name"] for span in spans} == {"contract_net_protocol", "message_routing", "message_process"}
    told = {a["key"]: a["value"] for one in collector.requests("resourceSpans") for a in one["resource"]["attributes"]}
    assert told["service.name"] == {"stringValue": "caxton"}
