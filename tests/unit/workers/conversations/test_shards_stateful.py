"""Conversations over several shards, with messages that are lost, late and repeated: what each shard makes of them."""

import re
from collections import Counter, defaultdict
from itertools import count

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec import structs

from caxton.acl.envelope import AUTOMATIC, Envelope, Opening, Rare
from caxton.acl.failure import END_PROTOCOL, report
from caxton.acl.performative import Performative
from caxton.config.conversations import ConversationSettings
from caxton.conversations.view import join_all
from caxton.delivery.served_time import ServedTime
from caxton.errors import ConversationStopped, NotAParticipant
from caxton.ids import SESSION_BIT, ConversationId
from caxton.store.commit import Commit
from workers.conversations.conversations import Conversations
from workers.conversations.log import ConversationLog
from workers.conversations.openings import of_same, opener_of
from workers.conversations.protocols import ProtocolRules

SHARDS, AGENTS, HISTORY = 3, 4, 4
OPENER, OTHER = SESSION_BIT | 1, SESSION_BIT | 2
START_MS = 1_767_225_600_000
# One that its client made, and one of which nobody can tell who did.
IDS = (bytes(ConversationId.of_session(OPENER, START_MS)), bytes(range(16)))
ACTS = {
    "R": Performative.REQUEST,
    "r": Performative.REFUSE,
    "a": Performative.AGREE,
    "n": Performative.INFORM,
    "f": Performative.FAILURE,
    "C": Performative.CFP,
    "p": Performative.PROPOSE,
    "k": Performative.ACCEPT_PROPOSAL,
    "j": Performative.REJECT_PROPOSAL,
}
# What may be said on a line, from its beginning: who opened it (i) or the other (o), and what.
LEGAL = {
    "fipa-request": re.compile("iR(or|(oa)?(on|of)?)"),
    "fipa-propose": re.compile("ip(oj|ok)?"),
    "fipa-contract-net": re.compile("iC(or|op(ij|ik(on|of)?)?)?"),
}
# Within the hour for which what has ended is known.
KNOWN_MS = 3_500_000
PHASES = (Phase.reuse, Phase.generate, Phase.shrink)
AGENT, CLIENT = st.integers(0, AGENTS - 1), st.sampled_from([OPENER, OTHER])
SAID = st.sampled_from([(p, act) for p in (None, *LEGAL) for act in ACTS])
# Mostly what may come next, so that lines come to their ends.
ANSWERS = st.sampled_from(["n", "a", "r", "f", "p", "j", "k", "C", "R"])
WHICH = st.integers(0, 50)


class Talks(RuleBasedStateMachine):
    """Two clients, of whom one uses the other's ids, four agents of three shards, and who is told what by whom.

    A conversation is (who opened it, id). said: by conversation and shard, what is counted there, in order. members:
    who wrote or was written to. lines: by agent, other party and conversation, protocol and what was said.
    """

    def __init__(self):
        super().__init__()
        self.wall_ms, self.numbers, self.ids = START_MS, count(1), count(1)
        self.shards = [self.shard(number) for number in range(SHARDS)]
        self.said, self.members = defaultdict(lambda: defaultdict(list)), defaultdict(set)
        self.lines = defaultdict(lambda: [None, None, ""])
        # Messages between shards, and those that agents were given, each with the conversation that it is of.
        self.flight, self.given = [], []
        self.is_over = False

    def shard(self, number):
        made = Conversations(
            ConversationSettings(conversation_history=HISTORY),
            ServedTime(),
            ConversationLog(lambda: next(self.numbers)),
            lambda agent: agent % SHARDS == number,
            ProtocolRules(),
        )
        made.wall_ms = self.wall_ms
        return made

    @staticmethod
    def agent(number):
        """Its shard is what is left of it by three."""
        return (number + 1) * SHARDS * 100 + number % SHARDS

    def message(self, sender, receiver, conversation, protocol=None, act="n", **fields):
        rare = fields.pop("rare", None) or (Rare(protocol=protocol) if protocol else None)
        return Envelope(
            next(self.ids).to_bytes(16, "big"),
            int(ACTS[act]),
            sender,
            receiver,
            b"x",
            None,
            None,
            conversation,
            self.wall_ms,
            rare=rare,
            **fields,
        )

    def counts(self, shard, conversation):
        known = shard.table.all_of(conversation)
        return Counter({(record.initiator, conversation): record.messages for record in known})

    def watched(self, number, whose, message, work):
        """Do something on a shard: it counts a message in the conversation that it is of, or in none."""
        shard = self.shards[number]
        before = self.counts(shard, whose[1])
        result = work(shard)
        new = self.counts(shard, whose[1]) - before
        assert set(new) <= {whose}, "nobody's message counts in another's conversation"
        self.said[whose][number] += [message.message_id] * new[whose]
        return result, bool(new)

    def say_on_line(self, agent, other, whose, message, act, *, sent):
        protocol = None if message.rare is None else message.rare.protocol
        if protocol not in LEGAL:
            return
        line = self.lines[agent, other, whose]
        if line[0] is None:
            line[:2] = protocol, sent
        assert line[0] == protocol
        line[2] += ("i" if sent == line[1] else "o") + act
        assert LEGAL[protocol].fullmatch(line[2]), f"{line[2]} was let through in {protocol}"

    def place(self, message, whose, act):
        """Give a message to an agent, if it may have it."""
        agent = message.receiver
        error, counted = self.watched(agent % SHARDS, whose, message, lambda shard: shard.take(message))
        assert counted == (error is None)
        if error is None:
            self.members[whose] |= {message.sender, agent}
            self.given.append((message, whose))
            self.say_on_line(agent, message.sender, whose, message, act, sent=False)
        return error

    def came_to_nothing(self, message, whose, error, *, is_refusing=False):
        """Its sender's shard is told, and so is the sender."""
        if message.sender >= SESSION_BIT:
            return
        number = message.sender % SHARDS
        word = structs.replace(
            self.message(message.receiver, message.sender, whose[1], act="f"),
            flags=AUTOMATIC,
            in_reply_to=message.message_id,
            rare=of_same(None, opener_of(message)),
            content=report(error),
        )
        self.shards[number].came_to_nothing(message)
        self.shards[number].is_refusing = is_refusing
        self.watched(number, whose, word, lambda shard: shard.take(word))
        self.shards[number].is_refusing = False

    @rule(client=CLIENT, which=st.sampled_from([0, 1, 1]), agent=AGENT, said=SAID, turns=st.sampled_from([0, 0, 2, 4]))
    def a_client_speaks(self, client, which, agent, said, turns):
        (protocol, act), conversation = said, IDS[which]
        rare = Rare(protocol=protocol, conversation=Opening(turns=turns)) if turns else None
        message = self.message(client, self.agent(agent), conversation, protocol, act, rare=rare)
        error = self.place(message, (client, conversation), act)
        assert not (isinstance(error, NotAParticipant) and (client == OPENER or conversation == IDS[1]))

    @rule(which=WHICH, to=st.sampled_from([*range(AGENTS), -1, -1, -1]), act=ANSWERS, follows=st.booleans())
    def an_agent_speaks(self, which, to, act, follows):
        """It handles one of the last messages, once more or for the first time, and answers or writes to another."""
        if not self.given:
            return
        handled, whose = self.given[-1 - which % len(self.given)]
        agent, receiver = handled.receiver, handled.sender if to < 0 else self.agent(to)
        if receiver == agent:
            return
        protocol = handled.rare.protocol if follows and handled.rare is not None else None
        message = self.message(agent, receiver, whose[1], protocol, act)
        refused, counted = self.watched(agent % SHARDS, whose, message, lambda shard: shard.send([message], handled))
        assert not counted
        if refused:
            self.came_to_nothing(message, whose, refused[0][1], is_refusing=True)
            return
        self.members[whose] |= {agent}
        self.say_on_line(agent, receiver, whose, message, act, sent=True)
        if receiver >= SESSION_BIT:
            self.watched(agent % SHARDS, whose, message, lambda shard: shard.leave([message]))
        else:
            self.flight.append((message, whose, act))

    @rule(which=WHICH)
    def a_message_arrives(self, which):
        if self.flight:
            message, whose, act = self.flight.pop(which % len(self.flight))
            error = self.place(message, whose, act)
            if error is not None:
                self.came_to_nothing(message, whose, error)

    @rule(which=WHICH, is_told=st.booleans())
    def a_message_is_lost(self, which, is_told):
        if self.flight:
            message, whose, _ = self.flight.pop(which % len(self.flight))
            if is_told:
                self.came_to_nothing(message, whose, ConversationStopped("it", "failed", "turns", 1))

    @rule(which=WHICH)
    def a_message_comes_twice(self, which):
        if self.flight:
            message, whose, act = self.flight[which % len(self.flight)]
            self.flight.append((structs.replace(message), whose, act))

    @rule(seconds=st.sampled_from([1, 20, 60, 600]))
    def time_goes_by(self, seconds):
        if self.wall_ms + seconds * 1_000 > START_MS + KNOWN_MS and not self.is_over:
            return  # what ended is forgotten an hour later
        self.wall_ms += seconds * 1_000
        for number, shard in enumerate(self.shards):
            shard._served.now_ms += seconds * 1_000
            shard.wall_ms = self.wall_ms
            shard.tick(Commit())
            self.tell(number)

    def tell(self, number):
        """Tell who takes part of ends and deadlines, as the runtime does; words to other shards arrive at once."""
        shard = self.shards[number]
        untold, shard.untold = shard.untold, []
        for record, error in untold:
            whose = record.initiator, record.conversation_id
            rare = Rare(protocol=END_PROTOCOL, conversation=Opening(initiator=record.initiator))
            for party in [one for one in record.parties if one < SESSION_BIT]:
                word = self.message(party, party, whose[1], act="f", rare=rare, flags=AUTOMATIC)
                word.content = report(error)
                told, _ = self.watched(party % SHARDS, whose, word, lambda at, word=word: at.take(word))
                assert told is not None or party in self.members[whose], "who is told took part"
        overdue, shard.rules.overdue = shard.rules.overdue, []
        for record, agent, other, about, error in overdue:
            whose = record.initiator, record.conversation_id
            word = self.message(other, agent, whose[1], act="f", rare=of_same(None, record.initiator), flags=AUTOMATIC)
            word.in_reply_to, word.content = about, report(error)
            self.watched(number, whose, word, lambda at, word=word: at.take(word))

    @invariant()
    def what_is_told_is_what_happened(self):
        """Joined, shards know all that is counted of each conversation, who takes part, and what was said last."""
        for number in range(SHARDS):
            self.tell(number)
        found = defaultdict(list)
        for number, shard in enumerate(self.shards):
            for conversation in IDS:
                for record in shard.table.all_of(conversation):
                    found[record.initiator, conversation].append(
                        record.view(number, 0, history=True, is_archived=record.key not in shard.table.live)
                    )
        assert {whose for whose, views in found.items() if sum(v.messages for v in views)} == {
            whose for whose, said in self.said.items() if any(said.values())
        }
        for whose, views in found.items():
            view, said = join_all(views), self.said[whose]
            assert view.messages == sum(map(len, said.values()))
            assert set(view.members) >= self.members[whose] | {whose[0]}
            for one in views:
                last = [summary.message_id for summary in one.history]
                assert last == said[one.shards[0]][-len(last) or HISTORY :]
                assert len(last) == min(HISTORY, len(said[one.shards[0]]))

    def teardown(self):
        """Every conversation ends."""
        self.is_over = True
        known = [record for shard in self.shards for one in IDS for record in shard.table.all_of(one)]
        self.time_goes_by(86_400)
        assert [len(shard.table.live) for shard in self.shards] == [0] * SHARDS
        assert all(record.state.is_end for record in known)
        self.time_goes_by(86_400)
        assert [shard.table.all_of(one) for shard in self.shards for one in IDS] == [[]] * len(IDS) * SHARDS


@pytest.mark.hypothesis
def test_shards_agree_whatever_is_lost_late_or_repeated():
    """No message that does not fit is let through, every conversation ends, and what is told of it is what happened."""
    run_state_machine_as_test(Talks, settings=settings(stateful_step_count=60, phases=PHASES))
