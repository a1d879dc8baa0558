"""A shard of which the test is the clients and the guests, and what they say to each other in a conversation."""

import pytest

from caxton.ids import ConversationId
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.link_state import LinkState


class Talk:
    """Two clients, two agents, and a conversation, whose id is the first client's.

    guests: what an agent sends when it is given a message.
    """

    def __init__(self, shard, message):
        self.shard, self._message = shard, message
        self.client, self.other = shard.sessions[:2]
        self.agent, self.second = shard.agent(1), shard.agent(2)
        self.id = bytes(ConversationId.of_session(self.client, 1))
        self.guests = {}
        self.conversations = shard.durable.journal.conversations
        shard.turns.script = lambda agent, m: self.guests.get(agent, lambda _: [])(m)

    def make(self, sender, receiver, **fields):
        """A message in the conversation."""
        return self._message(sender, receiver, **({"conversation_id": self.id} | fields))

    def say(self, receiver, *, session=None, **fields):
        """Let a client speak to an agent; returns the name of the error that it gets, or None."""
        session = session or self.client
        receiver = getattr(receiver, "agent_id", receiver)
        self.shard.frame(session, [self.make(session, receiver, **fields)])
        self.shard.settle()
        peer = self.shard.peers.find(session)
        states = [s for s in map(CONTROL.decode, peer._control.frames) if isinstance(s, LinkState)]
        states += [f.state for f in map(DATA.decode, peer._data.frames) if f.state is not None]
        refusals = {r.sequence: r.error for state in states for r in state.refusals}
        return refusals.get(self.shard._emitted[session])

    def record(self, conversation=None):
        """What the shard knows of a conversation."""
        return self.conversations.table.find(conversation or self.id)

    def of(self, opener, conversation=None):
        """What the shard knows of the conversation that somebody opened under an id; None if he opened none."""
        opener = getattr(opener, "agent_id", opener)
        found = self.conversations.table.all_of(conversation or self.id)
        return next((record for record in found if record.initiator == opener), None)

    def answer(self, agent, **fields):
        """Let an agent answer whatever it is given, in the conversation."""
        self.guests[agent] = lambda m: [self.make(agent.agent_id, m.sender, **fields)]


@pytest.fixture
def talk(shard, message):
    """A conversation that nobody has begun."""
    return Talk(shard, message)


@pytest.fixture
def make_talk(make_shard, message):
    """A function that makes one on a shard with these options."""
    return lambda **options: Talk(make_shard(**options), message)
