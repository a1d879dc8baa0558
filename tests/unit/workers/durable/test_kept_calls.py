"""Where a message is, and what waits for an agent, as a worker tells it."""

import pytest

from caxton.acl.envelope import Rare
from caxton.agents.manifest import Encoding
from caxton.errors import AgentNotFound
from caxton.wire import kept
from caxton.wire.calls import Exchange
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer, Call
from caxton.wire.kept import FindMessage, ListKept
from workers.agents.registry import Hold
from workers.loop import kept_calls
from workers.loop.call_line import CallLine
from workers.loop.kept_calls import KeptCalls
from workers.sandbox.traps import Trap, TrapReason

OTHERS = 9 << 10 | 1


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def call(durable, ask):
    """A function that asks a shard."""
    return lambda request: ask(durable, KeptCalls(durable.parts, CallLine()).answer(request, lambda: None))


@pytest.fixture
def paused(durable):
    """An agent that handles nothing."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    return agent


def test_what_waits_is_listed_in_pages(durable, client, call, converse, paused, message, durable_message):
    """In the order of the ids, on both lanes, behind what an earlier page ended with: each once."""
    sent = [durable_message(client.number, paused.agent_id, content=b"ab") for _ in range(4)]
    client.send(*sent)
    converse(durable, client)
    volatile = message(client.number, paused.agent_id)
    durable.frame(client.number, [volatile])
    durable.settle()
    pages, after = [], bytes(16)
    while True:
        page = call(ListKept(paused.agent_id, after, 2))
        pages.append([m.envelope.message_id for m in page.messages])
        if not page.more:
            break
        after = pages[-1][-1]

    assert pages == [[m.message_id for m in some] for some in (sent[:2], sent[2:], [volatile])]
    (first, *_) = call(ListKept(paused.agent_id)).messages
    assert (first.state, first.content_bytes, first.message.content, first.attempts) == ("waiting", 2, b"", 0)
    assert paused.mailbox.lines()[0][0][0].content == b"ab", "who only looks takes nothing away"


def test_a_page_ends_before_it_is_too_large(durable, client, call, converse, paused, durable_message, monkeypatch):
    """By content only where that is asked for; one message always fits. A full page travels."""
    monkeypatch.setattr(kept_calls, "FULL_PAGE_BYTES", 5)
    client.send(*(durable_message(client.number, paused.agent_id, content=b"1234") for _ in range(3)))
    converse(durable, client)
    page = call(ListKept(paused.agent_id, with_content=True))

    assert ([m.message.content for m in page.messages], page.more) == ([b"1234"], True)
    assert len(call(ListKept(paused.agent_id)).messages) == 3
    assert CONTROL.decode(CONTROL.encode(Answer(1, bytes(16), 2, 3, page))).result == page


def test_an_agent_that_is_not_there_has_no_list(call):
    """It is an error, and not an empty page."""
    with pytest.raises(AgentNotFound):
        call(ListKept(OTHERS))


def found(call, message):
    """The state and the attempts of a message, None when it is not kept."""
    page = call(FindMessage(message.message_id, with_content=True))
    assert not page.more
    return next(((m.state, m.attempts, m.message.content) for m in page.messages), None)


def test_a_message_is_found_wherever_it_is(durable, client, call, converse, paused, durable_message):
    """Until it was handled: in a mailbox, behind a retry, on its way to another shard, among the dead letters."""
    agent, failing = durable.agent(2), durable.agent(3)

    def work(who, _given):
        if who is failing:
            raise Trap(TrapReason.UNREACHABLE, "x")

    durable.turns.work = work
    waits, done, again, dies = sent = [
        durable_message(client.number, to.agent_id, content=bytes([place]), rare=Rare(max_retries=retries))
        for place, (to, retries) in enumerate([(paused, 3), (agent, 3), (failing, 3), (failing, 0)])
    ]
    client.send(waits, done, dies, again)
    converse(durable, client)
    away = durable_message(agent.agent_id, OTHERS, content=b"away")
    durable.durable.routes.send([away], (0, 0), durable.routes.a_pass)
    assert found(call, away) == ("under_way", 0, b"away")
    durable.work()

    assert found(call, away) == ("under_way", 0, b"away")
    assert [found(call, message) for message in sent] == [
        ("waiting", 0, b"\0"),
        None,
        ("retrying", 1, b"\2"),
        ("dead", 1, b"\3"),
    ]
    (letter,) = call(FindMessage(dies.message_id)).messages
    assert (letter.dead_letter[:2], letter.retry_reasons, letter.message.content) == ("0-", ("agent_failed",), b"")


def test_what_a_program_was_given_is_found_there(durable, client, call, converse, ask, durable_message):
    """It has left the mailbox, and has not ended."""
    agent = durable.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    sent = durable_message(client.number, agent.agent_id)
    client.send(sent)
    converse(durable, client)
    ask(durable, durable.worker._attached.exchange(client.number, Exchange(agent.agent_id, [], 9, 0)))

    assert found(call, sent) == ("given", 0, b"x")


def test_the_requests_travel():
    """With every field, and without those that have defaults."""
    for request in (FindMessage(bytes(16), True), ListKept(5, b"a" * 16, kept.MAX_PAGE, True, 7), ListKept(5)):
        assert CONTROL.decode(CONTROL.encode(Call(1, bytes(16), 2, 3, request))).request == request


def test_what_waits_on_disk_is_listed_and_found_there(durable, call, durable_message, monkeypatch):
    """Behind what is in memory, page by page, each once; nothing is taken from its line."""
    monkeypatch.setattr("workers.queues.admission.OF_ONE_AT_REST", 4)
    agent, other = durable.agent(1), durable.agent(2)
    agent.hold(Hold.PAUSED)
    sent = [durable_message(other.agent_id, agent.agent_id, content=bytes([n])) for n in range(20)]
    for message in sent:
        durable.durable.routes.send([message], (0, 0), durable.routes.a_pass)
    durable.work()
    assert 0 < durable.durable.disk.messages < 20
    waits = durable.durable.disk.messages
    found, behind = [], (bytes(16), 3, True)
    while True:
        page = call(ListKept(agent.agent_id, *behind))
        found += [m.message.content for m in page.messages]
        if not page.more:
            break
        last = page.messages[-1]
        behind = last.envelope.message_id, 3, True, last.place

    assert found == [m.content for m in sent]
    assert [found_in(call, message) for message in sent] == ["waiting"] * 20
    assert durable.durable.disk.messages == waits


def found_in(call, message):
    return call(FindMessage(message.message_id)).messages[0].state
