"""Messages that are sampled, followed through a real runtime with two workers by the spans that they leave."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

import caxton
from caxton.errors import AgentNotFound, ValidationError
from caxton.testing import runtime as serve

GUESTS = Path(__file__).parents[1] / "guests"
OWN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DEADLINE_S = 30
CAXTON = [sys.executable, "-P", "-m", "caxton"]


def module(name):
    return bytes(wasmtime.wat2wasm((GUESTS / f"{name}.wat").read_text()))


@pytest.fixture(scope="module")
def runtime():
    with serve(workers=2) as served:
        yield served


@pytest.fixture
async def client(runtime):
    async with caxton.connect(runtime.runtime_dir, trace_sampling_ratio=1.0) as client:
        yield client


@pytest.fixture
async def echo(client):
    yield await client.deploy("echo", module("echo"))
    await client.remove("echo")


async def of_trace(client, trace, most):
    """The spans of a trace, once there are so many: what ended last is there when its pass is over."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            spans = [span for span in (await client.spans()).spans if span.trace_id == trace]
            if len(spans) >= most:
                return spans


def tree(spans):
    """Each span's name by that of its parent; every parent is there."""
    names = {span.span_id: span.name for span in spans}
    return sorted((names[span.parent_id] if span.parent_id else "", span.name) for span in spans)


async def test_a_request_leaves_its_way_and_its_turn(client, echo):
    """One tree, whose first turn also made the instance, with what was waited told apart; the reply names it."""
    reply = await client.request(echo, b"hello")
    trace = reply.trace_context[3:35]
    spans = await of_trace(client, trace, 3)
    assert tree(spans) == [
        ("", "message_routing"),
        ("message_process", "agent_spawn"),
        ("message_routing", "message_process"),
    ]
    (turn,) = (span for span in spans if span.name == "message_process")
    assert reply.trace_context[36:52] == turn.span_id
    assert turn.attributes["agent_id"] == str(echo)
    assert (turn.attributes["performative"], turn.attributes["lane"]) == ("request", "volatile")
    assert turn.attributes["messaging.message.body.size"] == 5
    assert turn.waited_ns >= 0
    assert turn.ended_ns >= turn.began_ns > 0


async def test_who_samples_nothing_leaves_nothing(runtime, echo):
    """Neither message nor answer has a trace context, and there is no span of it."""
    async with runtime.connect() as other:
        before = await other.spans()
        assert (await other.request(echo, b"hello")).trace_context is None
        assert (await other.spans(before.cursor)).spans == []
        assert not before.missing


async def test_the_applications_context_is_followed(client, echo):
    """A message that has one follows from the application's span; one that is not sampled leaves nothing."""
    (reply,) = await client.request_many([caxton.Message(echo, b"x", trace_context=OWN)])
    spans = await of_trace(client, OWN[3:35], 2)
    assert {span.parent_id for span in spans if span.name == "message_routing"} == {OWN[36:52]}
    assert reply.trace_context.startswith(OWN[:36])
    (reply,) = await client.request_many([caxton.Message(echo, b"x", trace_context=OWN[:-1] + "0")])
    assert reply.trace_context is None


@pytest.mark.parametrize("reliability", ["at_most_once", "at_least_once"])
async def test_what_a_turn_sends_is_in_its_trace(client, echo, reliability):
    """A program hands on what it is asked, with a message and with a question: all of it is one tree, on both lanes."""
    options = caxton.DeliveryOptions(reliability=reliability)
    asked = []

    async def hand_on(given):
        asked.append(await client.request(echo, given.message.content))
        return asked[-1].content

    async with client.attach("porter", hand_on):
        reply = await client.request("porter", b"bag", options=options)
    assert reply.content == b"bag"
    trace = reply.trace_context[3:35]
    assert asked[0].trace_context[3:35] == trace
    spans = await of_trace(client, trace, 4)
    assert ("message_process", "message_routing") in tree(spans)
    by_id = {span.span_id: span for span in spans}
    inner = next(s for s in spans if s.name == "message_routing" and s.attributes["agent_name"] == "echo")
    assert by_id[inner.parent_id].attributes["agent_name"] == "porter"
    assert reply.trace_context[36:52] == inner.parent_id


async def test_a_contract_net_is_one_tree(client):
    """From its own span to the turn that did the work, with what the plans call it."""

    class Seller:
        async def on_cfp(self, message):
            return message.reply(b"7", performative="propose")

        async def on_accept_proposal(self, message):
            return message.reply(b"done")

        async def on_reject_proposal(self, message):
            pass

    async with client.host(caxton.agent("anna")(Seller()), caxton.agent("bert")(Seller())):
        result = await client.contract_net(b"task", ["anna", "bert"])
        trace = result.result.trace_context[3:35]
        spans = await of_trace(client, trace, 9)
    assert [span.name for span in spans if span.parent_id is None] == ["contract_net_protocol"]
    assert len(tree(spans)) == 9
    (net,) = (span for span in spans if span.name == "contract_net_protocol")
    assert net.attributes == {
        "conversation_id": str(result.conversation_id),
        "initiator": net.attributes["initiator"],
        "participant_count": "2",
    }


async def test_a_deployment_leaves_its_span(client, echo):
    """With the agent's name and how it was done; one that was refused has failed."""
    (refused,) = await client.deploy_many([caxton.Deployment("echo", module("echo"))])
    spans = [span for span in (await client.spans()).spans if span.name == "agent_deploy"]
    assert spans[-2].attributes == {"deployment_id": str(echo), "agent_name": "echo", "strategy": "direct"}
    assert (spans[-1].outcome, spans[-1].attributes["deployment_id"]) == ("failed", "")
    assert isinstance(refused, caxton.errors.AgentAlreadyRegistered)


async def test_a_turn_that_fails_says_so(client):
    """And the failure is in the trace of what failed."""
    await client.deploy("faulty", module("faults"))
    with pytest.raises(caxton.errors.AgentFailure):
        await client.request("faulty", b"\x00")
    spans = [span for span in (await client.spans()).spans if span.attributes.get("agent_name") == "faulty"]
    assert [(s.name, s.outcome) for s in spans if s.name == "message_process"] == [("message_process", "failed")]
    await client.remove("faulty")


async def test_each_try_is_a_span_and_the_way_is_told_once(client):
    """Of a message that fails again and again: every id is one span's, and each turn is behind the way."""

    async def bad(_):
        raise RuntimeError

    async with client.attach("bad", bad):
        receipt = await client.send("bad", b"x", options=caxton.DeliveryOptions(max_retries=2))
        async with asyncio.timeout(DEADLINE_S):
            spans = []
            while sum(span.name == "message_process" for span in spans) < 3:
                told = (await client.spans()).spans
                spans = [span for span in told if span.attributes.get("message_id") == str(receipt.message_id)]
    assert sorted(span.name for span in spans) == ["message_process"] * 3 + ["message_routing"]
    assert len({span.span_id for span in spans}) == 4
    (way,) = (span for span in spans if span.name == "message_routing")
    assert {span.parent_id for span in spans if span is not way} == {way.span_id}
    await client.remove("bad")


async def test_deployments_are_told_whatever_their_names(client):
    """One that UTF-8 cannot carry is refused, and the others' results are there; each has a span of its own."""
    before = (await client.spans()).cursor
    names = ["one", "\ud800", "x" * 300, "two"]
    results = await client.deploy_many([caxton.Deployment(name, module("echo")) for name in names])
    spans = (await client.spans(before)).spans
    await client.remove_many(["one", "two"])

    assert [isinstance(result, caxton.AgentId) for result in results] == [True, False, False, True]
    assert [span.attributes["agent_name"] for span in spans] == ["one", "?", "x" * 255, "two"]
    assert len({span.span_id for span in spans}) == 4


async def test_an_unplaced_message_leaves_nothing(client):
    """Who is not there has no turn."""
    before = (await client.spans()).cursor
    with pytest.raises(AgentNotFound):
        await client.request("nobody", b"x")
    assert (await client.spans(before)).spans == []


async def test_spans_are_read_from_where_one_was(client, echo):
    """By the cursor of the answer before, as many as one asks for; anything else is no cursor."""
    start = (await client.spans()).cursor
    for _ in range(3):
        await client.request(echo, b"x")
    page = await client.spans(start, limit=2)
    rest = await client.spans(page.cursor)
    assert page.more
    assert len(page.spans) + len(rest.spans) == 7
    assert (await client.spans(rest.cursor)).spans == []
    for wrong in ({}, 0):
        with pytest.raises(ValidationError):
            await client.spans(wrong)
    with pytest.raises(ValidationError):
        await client.spans(limit=0)


def shell(runtime, *words, ratio="1"):
    """Run a command line that samples."""
    environment = os.environ | {
        "CAXTON_RUNTIME_DIR": str(runtime.runtime_dir),
        "CAXTON_TRACE_SAMPLING_RATIO": ratio,
    }
    return subprocess.run([*CAXTON, *words], env=environment, capture_output=True, text=True, check=False)


async def test_a_trace_is_a_tree_in_a_shell(runtime, client, echo):
    """Of a message that the command line sampled, for people and for programs; what is unknown is an error."""
    before = (await client.spans()).cursor
    assert shell(runtime, "message", "request", "echo", "hello").returncode == 0
    spans = (await client.spans(before)).spans
    message = spans[0].attributes["message_id"]
    told = shell(runtime, "trace", message)
    assert told.returncode == 0, told.stderr
    assert [line.split()[2] for line in told.stdout.splitlines()[1:]][:2] == ["message_routing:", "message_process:"]
    (one,) = json.loads(shell(runtime, "trace", message, "-o", "json").stdout)
    assert one["trace_id"] == spans[0].trace_id
    assert {span["span_id"] for span in one["spans"]} == {span.span_id for span in spans}
    unknown = shell(runtime, "trace", "f" * 32)
    assert unknown.returncode != 0
    assert "no span of" in unknown.stderr
    wrong = shell(runtime, "message", "request", "echo", "hello", ratio="2")
    assert wrong.returncode != 0
    assert "CAXTON_TRACE_SAMPLING_RATIO" in wrong.stderr
