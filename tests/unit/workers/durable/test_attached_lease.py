"""A program with messages of an attached agent that is not heard of for long."""

import pytest

from caxton.agents.manifest import Encoding
from caxton.errors import ProgramLost
from caxton.wire.calls import LEASE_S, Ended, Exchange
from workers.agents.registry import Hold


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def agent(durable, client):
    """An agent that the client has attached."""
    agent = durable.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    return agent


@pytest.fixture
def exchange(durable, client, agent, ask):
    """A function that exchanges: what ended, and what is kept."""

    def make(*ended, most=10, **fields):
        asked = Exchange(agent.agent_id, list(ended), most, 0, **fields)
        return ask(durable, durable.worker._attached.exchange(client.number, asked))

    return make


@pytest.fixture
def time_goes_by(durable, clocks):
    """A function that lets seconds pass, with the worker's ticks."""

    def wait(seconds):
        clocks.wait(seconds)
        durable.step()
        durable.worker._tick()
        durable.settle()

    return wait


def test_a_silent_program_loses_what_it_has(durable, client, agent, exchange, converse, durable_message, time_goes_by):
    """Its messages are given again, and their ends are refused once each, by name, when they come all the same."""
    for content in (b"1", b"2"):
        client.send(durable_message(client.number, agent.agent_id, content=content, timeout_ms=300_000))
    converse(durable, client)
    one, two = exchange().deliveries
    time_goes_by(LEASE_S)
    assert (agent.drawn, agent.counters["leases_ended"]) == ({}, 1)

    late = exchange(Ended(one.delivery), Ended(two.delivery))
    assert [failed.error for failed in late.not_sent] == ["LeaseEnded"] * 2
    assert [(given.message.content, given.attempts) for given in late.deliveries] == [(b"1", 2), (b"2", 2)]
    again = exchange(Ended(one.delivery), kept=[given.delivery for given in late.deliveries], seen=late.last)
    assert (again.not_sent, agent.counters["late"]) == ([], 2)
    assert durable.ledger().pending == 2


def test_each_exchange_begins_the_lease_anew(durable, client, agent, exchange, converse, durable_message, time_goes_by):
    """A program that is heard of keeps what it has, however long it takes."""
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    (given,) = exchange().deliveries
    for _ in range(3):
        time_goes_by(LEASE_S - 1)
        assert exchange(kept=[given.delivery], seen=given.delivery).deliveries == []
    assert exchange(Ended(given.delivery)).not_sent == []
    assert durable.ledger().pending == 0


def test_of_the_volatile_lane_it_fails(durable, client, agent, exchange, converse, durable_message, time_goes_by):
    """What may have been handled is given to nobody again on the volatile lane: its sender is told."""
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    volatile = durable_message(client.number, agent.agent_id, flags=0)
    durable.dispatcher.enqueue(agent, agent.mailbox, volatile, 0, 0, durable.durable.journal.now_ns, 0)
    assert len(exchange().deliveries) == 2
    told = []
    durable.worker._attached._giving._routes.fail = lambda message, error: told.append((message, error))
    time_goes_by(LEASE_S)
    ((message, error),) = told
    assert message is volatile
    assert isinstance(error, ProgramLost)
