"""Requests that say which trace they belong to, as W3C's trace context has it."""

import asyncio
import sys
from types import SimpleNamespace

import pytest

import caxton

PARENT = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def traces():
    """Traces that nobody has, one after the other."""
    numbers = iter(range(1, 1_000))
    return lambda: f"{0xABC << 100 | next(numbers):032x}"


@pytest.fixture
async def spans_of(served):
    """Read the spans of a trace, once there are as many of a name as are wanted."""

    async def read(trace, **wanted):
        async with caxton.connect(served.runtime_dir) as client, asyncio.timeout(60):
            while True:
                spans = [span for span in (await client.spans()).spans if span.trace_id == trace]
                names = [span.name for span in spans]
                if all(names.count(name) >= count for name, count in wanted.items()):
                    return spans

    return read


def form(name, module):
    return {"agent": (None, f'{{"name": "{name}"}}'), "wasm": (module.name, module.read_bytes())}


@pytest.fixture(scope="module")
def echo(asking, echo_wasm):
    """An agent that answers, by its name."""
    client = asking("admin")
    answer = client.post("/v1/agents", files=form("traced", echo_wasm))
    assert answer.status_code == 201, answer.text
    yield "traced"
    client.delete("/v1/agents/traced")


@pytest.fixture(scope="module")
def sender(asking):
    return asking("sender")


def said(client, path, body, *contexts):
    answer = client.post(path, json=body, headers=[("traceparent", context) for context in contexts])
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("path", "body", "count"),
    [
        ("/v1/messages", {"receiver_name": "traced", "content": "x"}, 1),
        ("/v1/messages/request", {"receiver_name": "traced", "content": "x"}, 1),
        ("/v1/messages/batch", {"messages": [{"receiver_name": "traced", "content": "x"}] * 3}, 3),
    ],
)
async def test_what_a_request_sends_follows_from_its_span(sender, echo, traces, spans_of, path, body, count):
    """Each message is routed below the caller's span, in the caller's trace."""
    trace = traces()
    said(sender, path, body, f"00-{trace}-{PARENT}-01")
    spans = await spans_of(trace, message_routing=count, message_process=count)

    below = [span for span in spans if span.parent_id == PARENT]
    assert [span.name for span in below] == ["message_routing"] * count


async def test_a_contract_net_follows_from_its_span(sender, echo, traces, spans_of):
    """It has a span of its own, below the caller's, and the rest is below that."""
    trace = traces()
    said(sender, "/v1/protocols/contract-net", {"to": [echo], "deadline_s": 5}, f"00-{trace}-{PARENT}-01")
    spans = await spans_of(trace, contract_net_protocol=1, message_routing=1)

    (net,) = [span for span in spans if span.name == "contract_net_protocol"]
    assert net.parent_id == PARENT
    assert PARENT not in {span.parent_id for span in spans if span is not net}


async def test_a_deployment_follows_from_its_span(asking, echo_wasm, traces, spans_of):
    """Who deploys in a trace finds it there."""
    trace, client = traces(), asking("admin")
    answer = client.post(
        "/v1/agents",
        files=form("traced-too", echo_wasm),
        headers={"traceparent": f"00-{trace}-{PARENT}-01"},
    )
    assert answer.status_code == 201, answer.text
    (span,) = await spans_of(trace, agent_deploy=1)
    assert (span.name, span.parent_id, span.attributes["agent_name"]) == ("agent_deploy", PARENT, "traced-too")
    client.delete("/v1/agents/traced-too")


async def test_a_message_keeps_the_context_that_it_has(sender, echo, traces, spans_of):
    """What a body says of one message goes before what the header says of all."""
    trace, other = traces(), traces()
    own = {"receiver_name": echo, "content": "x", "trace_context": f"00-{other}-{PARENT}-01"}
    plain = {"receiver_name": echo, "content": "x"}
    said(sender, "/v1/messages/batch", {"messages": [own, plain]}, f"00-{trace}-{PARENT}-01")

    assert len([s for s in await spans_of(other, message_process=1) if s.name == "message_routing"]) == 1
    assert len([s for s in await spans_of(trace, message_process=1) if s.name == "message_routing"]) == 1


@pytest.mark.parametrize(
    "contexts",
    [
        ("00-{trace}-b7ad6b7169203331-00",),
        ("00-{trace}-b7ad6b7169203331-01-more",),
        ("00-{trace}-0000000000000000-01",),
        ("ff-{trace}-b7ad6b7169203331-01",),
        ("00-{trace}-b7ad6b7169203331-01", "00-{trace}-b7ad6b7169203331-01"),
        ("00-{trace}-b7ad6b7169203331-01" * 500,),
        ("",),
    ],
)
async def test_what_is_malformed_or_not_sampled_is_no_error(sender, echo, traces, spans_of, contexts):
    """The request is answered as without it, and leaves nothing."""
    trace, later = traces(), traces()
    body = {"receiver_name": echo, "content": "x"}
    said(sender, "/v1/messages/request", body, *(context.format(trace=trace) for context in contexts))
    said(sender, "/v1/messages/request", body, f"cc-{later}-{PARENT}-01-what.the-future-says")

    assert await spans_of(later, message_process=1)
    assert await spans_of(trace) == []


async def test_a_context_is_of_one_request_alone(sender, echo, traces, spans_of):
    """On the same connection, right behind it and before it, others belong to no trace."""
    trace = traces()
    body = {"receiver_name": echo, "content": "x"}
    for context in (None, f"00-{trace}-{PARENT}-01", None):
        said(sender, "/v1/messages/request", body, *([] if context is None else [context]))
    spans = await spans_of(trace, message_process=1)
    assert len([span for span in spans if span.parent_id == PARENT]) == 1


async def test_a_client_on_another_machine_brings_the_applications_trace(
    url, token, echo, traces, spans_of, monkeypatch
):
    """Where the program has a current span, sampled or not; what it sends is below that one."""
    for sampled in (True, False):
        trace = traces()
        context = SimpleNamespace(
            is_valid=True,
            trace_id=int(trace, 16),
            span_id=int(PARENT, 16),
            trace_flags=SimpleNamespace(sampled=sampled),
        )
        span = SimpleNamespace(get_span_context=lambda context=context: context)
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace(get_current_span=lambda s=span: s))
        async with caxton.connect(url, token=token("sender")) as client:
            await client.request(echo, b"x")
        monkeypatch.undo()
        spans = await spans_of(trace, message_process=1) if sampled else await spans_of(trace)
        assert [one.parent_id for one in spans if one.name == "message_routing"] == [PARENT] * sampled
        assert bool(spans) is sampled
