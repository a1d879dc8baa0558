"""What a shard answers whoever watches: every message once and in order, and nothing that a crash would undo."""

import asyncio

import pytest

from caxton.agents.manifest import Encoding
from caxton.errors import AgentNotFound, StorageFull
from caxton.ids import ConversationId
from caxton.wire.calls import Done
from caxton.wire.watching import MAX_WATCH_WAIT_MS, EndWatch, Watch
from workers.loop import watch_calls
from workers.loop.watch_calls import WatchCalls

WATCHING = 77


class Watched:
    """A shard with an agent that somebody watches. say: a frame of the volatile lane."""

    def __init__(self, durable, ask, message, turn):
        self.turn = turn
        self.shard, self._ask, self.message = durable, ask, message
        self.agent = durable.agent(1, encoding=Encoding.CONTENT)
        self.session = durable.sessions[0]
        self.calls = WatchCalls(durable.parts, durable.settle)
        durable.turns.work = lambda _agent, given: given
        self.page, self.number = None, 0

    def begin(self, **asked):
        self.asked = {"agent": self.agent.agent_id} | asked
        self.page, self.number = None, self.number + 1
        self.page = self.ask()

    def request(self, **more):
        page = self.page
        behind = {} if page is None else {"incarnation": page.incarnation, "watch": page.watch, "after": page.last}
        return Watch(self.number, **(self.asked | behind | more))

    def ask(self, **more):
        return self._ask(self.shard, self.calls.answer(WATCHING, self.request(**more)))

    def next(self):
        """Who said something to whom since the last time."""
        self.page = self.ask()
        return [(one.envelope.sender, one.envelope.receiver) for one in self.page.messages]

    def say(self, count=1, **fields):
        made = [
            self.message(self.session, self.agent.agent_id, **({"reply_with": bytes(16)} | fields))
            for _ in range(count)
        ]
        self.shard.frame(self.session, made)
        self.shard.settle()


@pytest.fixture
def watched(durable, ask, message, one_turn_of_the_loop):
    return Watched(durable, ask, message, one_turn_of_the_loop)


def test_a_watch_begins_with_its_first_answer(watched):
    """What went by before is not shown; from then on all is, and each once."""
    watched.say()
    watched.begin()
    assert watched.page.messages == []
    watched.say()
    there, back = (watched.session, watched.agent.agent_id), (watched.agent.agent_id, watched.session)
    assert watched.next() == [there, back]
    assert watched.next() == []


def test_answers_that_take_the_short_way_are_shown_too(watched):
    """Many at once, each behind what it answers."""
    watched.begin()
    watched.say(5)
    there, back = (watched.session, watched.agent.agent_id), (watched.agent.agent_id, watched.session)
    assert sorted(watched.next()) == sorted([there, back] * 5)
    assert len(watched.shard.emitted(watched.session)) == 5


def test_a_conversation_is_shown(watched):
    """What is said in another one, or in none, is not."""
    conversation = bytes(ConversationId.of_session(watched.session, 1))
    watched.begin(agent=0, conversation=conversation)
    watched.say()
    watched.say(conversation_id=conversation)
    assert len(watched.next()) == 2


def test_what_is_durable_is_shown_when_it_is_committed(watched, durable, make_far, converse, durable_message):
    """An answer waits for the commit; what that makes of the message is in it, too."""
    client = make_far(watched.session, durable)
    watched.begin()
    client.send(durable_message(watched.session, watched.agent.agent_id, reply_with=bytes(16)))
    client.push()
    durable.settle()
    done = durable.worker._committer.done
    assert len(watched.next()) == 2
    assert durable.worker._committer.done > done
    converse(durable, client)


def test_what_finds_no_room_on_the_disk_is_not_shown(watched, durable, make_far, durable_message, monkeypatch):
    """What came before it is; the rest is asked for again."""
    client = make_far(watched.session, durable)
    watched.begin()
    watched.say()
    client.send(durable_message(watched.session, watched.agent.agent_id))
    client.push()
    durable.settle()
    commit = durable.store.commit

    async def full(_):
        raise StorageFull("shard-0.db", "no room")

    monkeypatch.setattr(durable.store, "commit", full)
    monkeypatch.setattr("workers.commit.committer.RETRY_S", 0.0)
    monkeypatch.setattr(watch_calls, "COMMIT_TIMEOUT_S", 0.0)

    async def ask():
        task = asyncio.get_running_loop().create_task(durable.worker._committer.commit())
        page = await watched.calls.answer(WATCHING, watched.request())
        durable.store.commit = commit
        await task
        return page

    page = watched.shard.runner.run(ask())
    assert [one.is_durable for one in page.messages] == [False, False]
    watched.page = page
    monkeypatch.setattr(watch_calls, "COMMIT_TIMEOUT_S", 60.0)
    assert len(watched.next()) == 1


def test_a_message_that_is_refused_is_shown_with_its_reason(watched):
    """Behind itself."""
    watched.begin()
    watched.say(content=b"x" * (watched.agent.max_content + 1))
    came, refused = watched.ask().messages
    assert came.error == ""
    assert "bytes" in refused.error
    assert came.envelope.message_id == refused.envelope.message_id


def test_an_answer_waits_for_a_message(watched):
    """And no longer than until one comes, or the watch ends."""

    async def both(event):
        async with asyncio.TaskGroup() as group:
            waits = watched.shard.parts.watching.waits
            task = group.create_task(watched.calls.answer(WATCHING, watched.request(wait_ms=MAX_WATCH_WAIT_MS)))
            while not waits:
                assert not task.done()
                await watched.turn()
            await event()
        return task.result()

    async def say():
        watched.shard.parts.watching.watchers.came([watched.message(5, watched.agent.agent_id)], 5, from_client=True)

    async def end():
        assert await watched.calls.answer(WATCHING, EndWatch(watched.number)) == Done()

    watched.begin()
    assert len(watched.shard.runner.run(both(say)).messages) == 1
    watched.begin()
    assert watched.shard.runner.run(both(end)).messages == []
    assert len(watched.shard.parts.watching.watchers) == 1


def test_nobody_watches_who_is_not_there(watched):
    """Nor an agent that is removed."""
    with pytest.raises(AgentNotFound):
        watched.begin(agent=9 << 10)
    watched.begin()
    watched.shard.runner.run(watched.shard.lifecycle.remove([watched.agent.agent_id]))
    with pytest.raises(AgentNotFound):
        watched.ask()
