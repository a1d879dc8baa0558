"""A shard that is away for long: agents that feed it begin nothing new, and go on when it is back."""

from itertools import pairwise

import msgspec
import pytest

from caxton.acl.message import Message
from caxton.acl.options import MAX_TIMEOUT_MS, DeliveryOptions
from caxton.errors import MessageExpired

MOST, ROOTS, WORDS = 400, 1_500, 4
# Ticks.
SECOND = 5
# What a mailbox holds, and more than a client has under way for one.
CAPACITY = 300
# Of a worker that is away for nearly as long as the timeouts allow: of roots, or of what volatile turns send.
AWAY_S = {"at_least_once": 280, "at_most_once": 25}


class Words:
    """A splitter on shard 0 sends words to a counter on shard 1; an echo on shard 0 answers by itself."""

    def __init__(self, make_runtime, encodings):
        self.split, self.failures, self.counted = 0, [], 0
        self.goes_there = lambda: True
        self.runtime = make_runtime(self.work, 2)
        table, names = self.runtime.table, self.runtime.names
        here, there = ([n for n in map(str, range(50)) if table.shard_of(names.id_of(n)) == shard] for shard in (0, 1))
        self.splitter = self.runtime.deploy(here[0], encodings.whole, CAPACITY)
        self.echo = self.runtime.deploy(here[1], encodings.whole, CAPACITY)
        self.counter = self.runtime.deploy(there[0], encodings.whole, CAPACITY)
        self.client = self.runtime.connect()
        self.tasks = []
        self.runtime.settle()

    def work(self, agent, given):
        asked = msgspec.msgpack.decode(given)
        messages = []
        if asked["performative"] == "failure":
            self.failures.append(asked)
        elif agent.agent_id == self.counter:
            self.counted += 1
        elif agent.agent_id == self.splitter:
            self.split += 1
            messages = [{"receiver": self.counter, "content": b"word"}] * WORDS if self.goes_there() else []
        elif asked.get("reply_with") is not None:
            messages = [{"content": b"reply"}]
        return msgspec.msgpack.encode({"messages": messages})

    def begin(self, receiver, count, reliability, timeout_ms=MAX_TIMEOUT_MS):
        options = DeliveryOptions(reliability=reliability, timeout_ms=timeout_ms)
        messages = [Message(receiver, b"line", delivery_options=options)] * count
        task = self.runtime.loop.create_task(self.client.send_batch(messages, timeout_s=MAX_TIMEOUT_MS / 1000))
        self.tasks.append(task)
        self.runtime.settle()
        return task

    def answers(self, agent_id, reliability):
        options = DeliveryOptions(reliability=reliability)
        asked = self.runtime.loop.create_task(self.client.request(agent_id, b"?", options=options))
        assert self.runtime.ticks(5, asked.done)
        return asked.result().content == b"reply"


@pytest.fixture
def words(make_runtime, encodings, monkeypatch):
    """With few that may wait for a shard."""
    monkeypatch.setattr("workers.durable.routes.MOST_UNREAD", MOST)
    monkeypatch.setattr("workers.queues.admission.OF_LINK", MOST)
    return Words(make_runtime, encodings)


@pytest.mark.parametrize("reliability", AWAY_S)
def test_nothing_is_refused_however_long_a_shard_is_away(words, reliability):
    """Agents that feed a shard that is away wait, others beside them answer, and all is done when it is back."""
    words.runtime.kill(1)
    sent = words.begin(words.splitter, ROOTS, reliability)
    words.runtime.ticks(AWAY_S[reliability] * SECOND)
    assert not sent.done()
    assert MOST // 2 <= words.split * WORDS < MOST
    assert words.answers(words.echo, reliability)
    words.runtime.start()
    assert words.runtime.ticks(300, lambda: sent.done() and words.counted == ROOTS * WORDS)
    assert sent.exception() is None
    assert words.failures == []


@pytest.mark.parametrize("reliability", AWAY_S)
def test_what_waits_longer_than_its_timeout_expires(words, reliability):
    """A root whose agent waits for a shard ends with its timeout, and its client is told; so nobody waits for ever."""
    words.runtime.kill(1)
    words.begin(words.splitter, CAPACITY // 2, reliability, timeout_ms=3_000)
    options = DeliveryOptions(reliability=reliability, timeout_ms=3_000)
    asked = words.runtime.loop.create_task(words.client.request(words.splitter, b"?", timeout_s=200, options=options))
    words.runtime.ticks(10 * SECOND, asked.done)
    assert isinstance(asked.exception(), MessageExpired)
    assert words.split < CAPACITY // 2


def test_an_agent_whose_roots_lead_elsewhere_by_now_goes_on(words):
    """Who waits for a shard tries again after a while, and has all its turns when the next roots do not go there."""
    words.runtime.kill(1)
    words.begin(words.splitter, CAPACITY // 2, "at_least_once")
    before = words.split
    assert words.runtime.shard.dispatcher.far.keeps_back(words.splitter)
    words.goes_there = lambda: False
    assert words.runtime.ticks(2, lambda: words.split == CAPACITY // 2)
    assert before < CAPACITY // 2


def test_who_feeds_a_shard_that_has_failed_begins_little(words):
    """Of a shard that never comes back the outbox does not fill: who goes on sending there tries ever more rarely."""
    words.runtime.kill(1)
    words.begin(words.splitter, CAPACITY // 2, "at_least_once")
    begun = [words.split]
    for _ in range(3):
        words.runtime.ticks(60 * SECOND)
        begun.append(words.split)
    rates = [after - before for before, after in pairwise(begun)]
    assert rates[0] > rates[1] >= rates[2]
    assert words.failures == []


def test_an_agent_that_waits_for_a_shard_is_removed(words):
    """Its roots are refused as of any agent that is gone, and nothing is kept of it."""
    words.runtime.kill(1)
    words.begin(words.splitter, CAPACITY // 2, "at_least_once")
    far, lifecycle = words.runtime.shard.dispatcher.far, words.runtime.shard.lifecycle
    assert words.splitter in far.crowded[1]
    gone = words.runtime.loop.create_task(lifecycle.remove([words.splitter]))
    words.runtime.ticks(5 * SECOND, gone.done)
    assert gone.exception() is None
    assert words.splitter not in far.crowded[1]
    assert words.answers(words.echo, "at_least_once")
