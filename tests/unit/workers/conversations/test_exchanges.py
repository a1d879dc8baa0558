"""A conversation that has only begun is an exchange; whoever asks cannot tell it from a record."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Opening, Rare
from caxton.acl.performative import Performative as Act
from caxton.config.conversations import ConversationSettings
from caxton.conversations import delta
from caxton.conversations.exchange import MOST_EXCHANGED, Exchange
from caxton.conversations.record import FIRST_PLACES, Record
from caxton.conversations.state import State
from caxton.conversations.summary import SMALL
from caxton.ids import SESSION_BIT, ConversationId
from caxton.store.commit import Commit
from workers.commit.journal import Journal
from workers.worker_pass import Pass

CLIENT, OTHER = SESSION_BIT | 1, SESSION_BIT | 2
AGENT, SECOND = 1 << 10, 2 << 10
MS = 1_000_000
# The id of a conversation that is the client's, and one that anybody may use.
OWN, FREE = bytes(ConversationId.of_session(CLIENT, 1)), b"b" * 16
ALL_AGENTS = {AGENT, SECOND}


class Shard:
    """Conversations of one shard, driven by hand. as_records: whether all are records from the beginning.

    closely: whether no message in one passes as one more.
    """

    def __init__(self, *, as_records=False, closely=False, history=32, owns=ALL_AGENTS.__contains__):
        settings = ConversationSettings(conversation_history=history, conversation_timeout_s=300)
        self.journal = Journal(1, settings, owns)
        self.conversations = self.journal.conversations
        if as_records:
            self.conversations._exchanges._are_open = False
        if closely:
            self.conversations._checks.is_one_more = lambda *_: False
        self.table = self.conversations.table
        self.conversations.rules.has_left = lambda client: client in self.gone
        self.rows, self.gone = [], set()
        self.number = 0
        self.at(0)

    def at(self, ms):
        """It is so late."""
        self.journal.begin(Pass(ms * MS, 1_000_000 + ms))

    def say(self, sender, receiver, talk=OWN, **fields):
        """Somebody says something; returns the name of the error that it gets, or None."""
        self.number += 1
        fields = {"content": b"x", "created_at": self.number, "performative": 7} | fields
        message_id = self.number.to_bytes(16, "big")
        message = Envelope(message_id, sender=sender, receiver=receiver, conversation_id=talk, **fields)
        if sender < SESSION_BIT:
            refused = self.conversations.send([message])
            if refused:
                return type(refused[0][1]).__name__
        if receiver >= SESSION_BIT:
            return self.conversations.leave([message])
        error = self.conversations.take(message)
        return None if error is None else type(error).__name__

    def commit(self):
        """Let the file know."""
        commit = Commit()
        self.conversations.log.close(commit)
        self.rows += [delta.decode(row.records) for row in commit.conversations]

    def tick(self):
        """Let what is over expire; returns what agents are told of it, but for the conversation."""
        self.conversations.tick(Commit())
        overdue, self.conversations.rules.overdue = self.conversations.rules.overdue, []
        return [(one.agent, one.other, one.about, str(one.error), one.performative, one.cause) for one in overdue]

    def leave(self):
        """The client is gone."""
        self.gone.add(CLIENT)
        self.conversations.rules.left(CLIENT)

    def fail(self, talk, ago):
        """Nothing came of a message, of which the client that sent it is told as of the agent's word."""
        message_id = max(1, self.number - ago).to_bytes(16, "big")
        self.conversations.came_to_nothing(Envelope(message_id, 7, CLIENT, AGENT, b"x", conversation_id=talk))

    def view(self, talk=OWN):
        """What a client is told of a conversation."""
        return next(iter(self.views(talk)), None)

    def views(self, talk):
        """What is known of all conversations of an id."""
        expires_at = self.conversations.expires_at
        return [one.view(0, expires_at(one), history=True, is_archived=False) for one in self.table.all_of(talk)]

    def read(self):
        """What a successor would know, by the names of conversations."""
        views = {}
        for record in delta.folded(self.rows, 32):
            views[record.conversation_id, record.initiator] = record.view(
                0, record.due_ms, history=True, is_archived=False
            )
        return views

    def read_lines(self):
        """What a successor would know of lines and turns."""
        records = delta.folded(self.rows, 32)
        return {(one.initiator, one.key): (one.turns, one.lines and one.lines.to_store()) for one in records}

    @property
    def seen(self):
        """What can be seen of it while nobody looks closer."""
        live, archived = [
            {key: (one.state, one.messages, dict(one.parties), one.is_open) for key, one in kept.items()}
            for kept in (self.table.live, self.table.archived)
        ]
        active = {agent: self.conversations.active_of(agent) for agent in ALL_AGENTS}
        return live, archived, active, dict(self.conversations.counts)

    def lines(self, talk):
        """Where the lines of conversations of an id stand."""
        return [(one.turns, one.lines and one.lines.to_store()) for one in self.table.all_of(talk)]


PARTIES = st.sampled_from([(CLIENT, AGENT)] * 3 + [(AGENT, CLIENT)] * 3 + [(CLIENT, SECOND), (AGENT, OTHER)])
PARTIES |= st.sampled_from([(OTHER, AGENT), (AGENT, SECOND), (SECOND, AGENT)])
FIELDS = st.sampled_from(
    [{}] * 6
    + [{"content": b"y" * SMALL}, {"content": b"y" * (SMALL + 1)}, {"flags": DURABLE}, {"flags": DURABLE}]
    + [{"rare": Rare(protocol="their-own")}, {"rare": Rare(conversation=Opening(turns=3))}, {"flags": AUTOMATIC}]
    + [{"in_reply_to": bytes(16)}]
)
TALKS = st.sampled_from([OWN] * 3 + [FREE])
SAYS = st.tuples(st.just("say"), TALKS, PARTIES, FIELDS)
DOES = st.tuples(st.sampled_from(["commit", "views", "tick", "tick", "crowd", "resume"]), TALKS)
LATER = st.tuples(st.just("later"), st.sampled_from([1, 100_000, 299_999]))
STEPS = SAYS | SAYS | DOES | LATER


OPENINGS = {"fipa-request": Act.REQUEST, "fipa-subscribe": Act.SUBSCRIBE, "fipa-propose": Act.PROPOSE}
OPENINGS["fipa-contract-net"] = Act.CFP
ANSWERS = {
    "fipa-request": [Act.AGREE, Act.INFORM, Act.REFUSE, Act.FAILURE],
    "fipa-subscribe": [Act.AGREE, Act.INFORM, Act.INFORM, Act.FAILURE],
    "fipa-propose": [Act.ACCEPT_PROPOSAL, Act.REJECT_PROPOSAL],
    "fipa-contract-net": [Act.PROPOSE, Act.PROPOSE, Act.REFUSE, Act.INFORM],
}
RARE = st.sampled_from(
    [{"reply_by": ms} for ms in (1_002_500, 1_002_500, 1_299_000, 5)]
    + [{"reply_to": OTHER}, {"reply_to": CLIENT}, {"conversation": Opening(turns=2)}, {"conversation": Opening()}]
    + [{"language": "en"}, {"protocol": "fipa-nothing"}, {"protocol": "fipa-contract-net"}, {"max_hops": 9}]
)


@st.composite
def talks(draw):
    """Two talk by a protocol, with what has its place there mostly; time goes by, and there is more to it at times."""
    protocol, flags = draw(st.sampled_from([*OPENINGS, "fipa-request"])), draw(st.sampled_from([0, DURABLE]))

    def says(sender, receiver, act, **rare):
        fields = {"performative": int(act), "flags": flags, "rare": Rare(**{"protocol": protocol} | rare)}
        return "say", OWN, (sender, receiver), fields

    answer = st.builds(says, st.just(AGENT), st.just(CLIENT), st.sampled_from(ANSWERS[protocol]))
    aside = st.sampled_from([Act.CANCEL, Act.NOT_UNDERSTOOD, OPENINGS[protocol], Act.ACCEPT_PROPOSAL])
    more = st.one_of(
        st.builds(says, st.just(CLIENT), st.just(AGENT), aside),
        st.builds(lambda rare: says(CLIENT, AGENT, OPENINGS[protocol], **rare), RARE),
        st.builds(says, st.sampled_from([AGENT, OTHER, CLIENT]), st.sampled_from([SECOND, AGENT]), aside),
        st.tuples(st.just("say"), TALKS, PARTIES, FIELDS | st.just({"flags": flags})),
        st.builds(lambda said, which: (*said[:3], said[3] | {"in_reply_to": which}), answer, IDS),
        st.builds(lambda said, which: (*said[:3], {"flags": AUTOMATIC | flags, "in_reply_to": which}), answer, IDS),
    )
    later = st.tuples(st.just("later"), st.sampled_from([1, 2_500, 5_000, 5_000, 30_000, 299_999]))
    does = st.sampled_from([("commit", OWN), ("tick", OWN), ("tick", OWN), ("crowd", OWN), ("resume", OWN)])
    looks = st.sampled_from([("views", OWN), ("lines", OWN), ("leave", OWN), ("fail", OWN, 0), ("fail", OWN, 1)])
    first = says(CLIENT, AGENT, OPENINGS[protocol], **draw(st.just({}) | RARE))
    return [first, *draw(st.lists(st.one_of(answer, answer, later, later, does, does, more, looks), max_size=12))]


NUMBERS = [number.to_bytes(16, "big") for number in range(1, 5)]
IDS = st.sampled_from(NUMBERS)


def take(shard, step, now_ms):
    match step:
        case "say", talk, (sender, receiver), fields:
            return shard.say(sender, receiver, talk, **fields)
        case "crowd", _:
            while shard.table.live:  # whose are the most is another matter: an exchange weighs less
                shard.table.make_room(shard.journal.served.now_ms)
            return None
        case "resume", talk:
            record = shard.table.find(talk)
            return record and shard.conversations.resume(record, 300)
        case "later", _:
            return shard.at(now_ms)
        case ("views" | "lines" | "fail") as name, *given:
            return getattr(shard, name)(*given)
        case name, _:
            return getattr(shard, name)()


@given(st.lists(STEPS, max_size=30))
def test_nobody_can_tell_an_exchange_from_a_record(steps):
    """Whatever is said and done: the same is refused, the same is told, and the file knows the same of it."""
    compare(steps)


@given(talks())
def test_nor_where_the_two_go_by_a_protocol(steps):
    """The same is also what each line has come to, what lapses, and who is told."""
    compare(steps)


def by_protocol(sender, receiver, act, protocol="fipa-request", flags=0, **rare):
    """A step: somebody says something that names a protocol."""
    fields = {"performative": int(act), "flags": flags, "rare": Rare(**{"protocol": protocol} | rare)}
    return "say", OWN, (sender, receiver), fields


def later(ms):
    return ("later", ms), ("tick", OWN)


NET = "fipa-contract-net"
ASKS, INFORMS = by_protocol(CLIENT, AGENT, Act.REQUEST), by_protocol(AGENT, CLIENT, Act.INFORM)
ASKS_SOON = by_protocol(CLIENT, AGENT, Act.REQUEST, reply_by=1_002_500)
TO_STORE = [by_protocol(CLIENT, AGENT, Act.REQUEST, flags=DURABLE)]
TO_STORE += [by_protocol(AGENT, CLIENT, act, flags=DURABLE) for act in (Act.AGREE, Act.INFORM)]
CALLS, *CALLED = [
    by_protocol(CLIENT, AGENT, Act.CFP, NET, DURABLE),
    by_protocol(CLIENT, SECOND, Act.CFP, NET, DURABLE),
    by_protocol(AGENT, CLIENT, Act.PROPOSE, NET, DURABLE),
    by_protocol(SECOND, CLIENT, Act.REFUSE, NET, DURABLE),
    by_protocol(CLIENT, AGENT, Act.ACCEPT_PROPOSAL, NET, DURABLE),
    by_protocol(AGENT, CLIENT, Act.INFORM, NET, DURABLE),
]
STORE, LOOK, CROWD = ("commit", OWN), ("views", OWN), ("crowd", OWN)


@pytest.mark.parametrize(
    "steps",
    [
        [ASKS, INFORMS, *later(4_999), *later(1)],
        [ASKS, INFORMS, LOOK, *later(4_999), *later(1)],
        [ASKS, INFORMS, CROWD, *later(5_000)],
        [ASKS, INFORMS, CROWD, ("resume", OWN), *later(5_000)],
        [ASKS, INFORMS, *later(5_000), ("resume", OWN), *later(5_000)],
        [ASKS, *later(300_000)],
        [ASKS_SOON, *later(2_499), *later(1)],
        [ASKS_SOON, LOOK, *later(2_500)],
        [ASKS_SOON, INFORMS, *later(2_500), *later(2_500)],
        [ASKS, by_protocol(CLIENT, AGENT, Act.CANCEL, reply_by=1_002_500), *later(2_500)],
        [by_protocol(CLIENT, AGENT, Act.REQUEST, reply_to=OTHER), INFORMS, ("lines", OWN)],
        [ASKS, by_protocol(AGENT, CLIENT, Act.INFORM, conversation=Opening(initiator=OTHER))],
        [ASKS, ("leave", OWN), *later(1)],
        [ASKS, ("leave", OWN), LOOK, *later(1)],
        [ASKS, INFORMS, ("leave", OWN), *later(1)],
        [ASKS, ("fail", OWN, 0), *later(5_000)],
        [ASKS, INFORMS, by_protocol(CLIENT, SECOND, Act.REQUEST), *later(5_000)],
        [ASKS, ("say", OWN, (AGENT, CLIENT), {"flags": AUTOMATIC, "in_reply_to": NUMBERS[0]})],
        [TO_STORE[0], STORE, TO_STORE[1], STORE, TO_STORE[2], STORE],
        [ASKS, by_protocol(AGENT, SECOND, Act.REQUEST), INFORMS, *later(5_000)],
        [TO_STORE[0], STORE, TO_STORE[1], STORE, TO_STORE[2], STORE, *later(5_000), STORE],
        [TO_STORE[0], STORE, LOOK, TO_STORE[1], STORE],
        [TO_STORE[0], STORE, TO_STORE[1], STORE, TO_STORE[2], LOOK, STORE],
        [TO_STORE[0], TO_STORE[1], STORE, *later(300_000), STORE],
        [CALLED[0], ("say", OWN, (CLIENT, AGENT), {"flags": DURABLE}), CALLS, ("lines", OWN)],
        [by_protocol(CLIENT, AGENT, Act.REQUEST, conversation=Opening(turns=1)), INFORMS, ASKS],
        *[[CALLS, *CALLED[:many], STORE, *later(5_000)] for many in range(1, 6)],
    ],
)
def test_a_line_is_the_same_in_both(steps):
    """What each of these looks at: when it ends, what lapses, who is told, and what a successor would know."""
    compare(steps)


def compare(steps):
    """Do all of it to exchanges and to records, and to records of which each message is looked at closely."""
    shards, now_ms = [Shard(), Shard(as_records=True), Shard(as_records=True, closely=True)], 0
    for step in steps:
        now_ms += step[1] if step[0] == "later" else 0
        one, other, third = [(take(shard, step, now_ms), shard.seen) for shard in shards]
        assert one == other == third, step
    for shard in shards:
        shard.commit()
    for other in shards[1:]:
        same(shards[0], other)


def same(one, other):
    """What both know, and what their files do."""
    assert one.read() == other.read()
    assert one.read_lines() == other.read_lines()
    assert [one.views(talk) for talk in (OWN, FREE)] == [other.views(talk) for talk in (OWN, FREE)]
    assert [one.lines(talk) for talk in (OWN, FREE)] == [other.lines(talk) for talk in (OWN, FREE)]
    for what in ("created", "durations_ms", "messages"):
        assert getattr(one.table, what) == getattr(other.table, what)
    for table in (one.table, other.table):
        for kept, size in ((table.live, table.size), (table.archived, table.archived_size)):
            assert sum(each.weight for each in kept.values()) == sum(each.weighed for each in kept.values()) == size


@pytest.fixture
def shard():
    return Shard()


def kept(shard, talk=OWN):
    return shard.table.live[talk]


def test_what_two_say_to_each_other_is_an_exchange(shard):
    """Until there is one message more than it has room for; and it is in the table as what it is then."""
    for _ in range(MOST_EXCHANGED // 2):
        assert shard.say(CLIENT, AGENT) is None
        shard.say(AGENT, CLIENT)
    assert type(kept(shard)) is Exchange
    assert shard.table.size == kept(shard).weighed == kept(shard).weight
    assert shard.say(CLIENT, AGENT) is None
    assert type(kept(shard)) is Record
    assert (kept(shard).messages, shard.table.size) == (MOST_EXCHANGED + 1, kept(shard).weight)


def test_what_two_say_by_a_protocol_is_one_too(shard):
    """Until its line has ended for a while: then it has come to the same end, and is in the archive as what it was."""
    take(shard, ASKS, 0)
    assert (kept(shard).is_open, shard.conversations.active_of(AGENT)) == (True, 1)
    assert shard.table.size == kept(shard).weighed == kept(shard).weight
    take(shard, INFORMS, 0)
    assert (kept(shard).is_open, shard.conversations.active_of(AGENT)) == (False, 0)
    shard.at(5_000)
    shard.tick()
    assert type(shard.table.archived[OWN]) is Exchange
    assert (shard.view().state, shard.view().outcome) == (State.COMPLETED.told, "done")


def test_an_exchange_weighs_more_when_it_is_longer(shard):
    """From its fifth message on."""
    weights = []
    for _ in range(FIRST_PLACES + 1):
        shard.say(CLIENT, AGENT)
        weights.append(shard.table.size)
    assert weights[0] == weights[-2] < weights[-1] == kept(shard).weight


@pytest.mark.parametrize(
    ("sender", "receiver", "fields"),
    [
        (CLIENT, SECOND, {}),
        (AGENT, OTHER, {}),
        (CLIENT, AGENT, {"flags": DURABLE}),
        (CLIENT, AGENT, {"rare": Rare(language="en")}),
        (AGENT, CLIENT, {"flags": AUTOMATIC}),
    ],
)
def test_what_is_not_plain_makes_a_record_of_it(shard, sender, receiver, fields):
    """Somebody more, another lane, a field that few have, the runtime's own word."""
    shard.say(CLIENT, AGENT)
    assert shard.say(sender, receiver, **fields) is None
    assert type(kept(shard)) is Record
    assert kept(shard).messages == 2


def test_another_who_uses_its_id_opens_another_one(shard):
    """Where that says of nobody that it is his: each has what was said in it."""
    shard.say(CLIENT, AGENT, FREE)
    assert shard.say(OTHER, AGENT, FREE) is None
    assert [(view.initiator, view.messages) for view in shard.views(FREE)] == [(CLIENT, 1), (OTHER, 1)]


def test_a_stranger_is_refused_there_too(shard):
    """And changes nothing."""
    shard.say(CLIENT, AGENT)
    assert shard.say(OTHER, AGENT) == "NotAParticipant"
    assert (shard.view().messages, len(shard.view().members)) == (1, 2)


def test_a_short_history_is_a_record_from_the_beginning():
    """An exchange remembers more than was asked for."""
    shard = Shard(history=MOST_EXCHANGED - 1)
    shard.say(CLIENT, AGENT)
    assert type(kept(shard)) is Record


def test_long_contents_are_not_remembered_in_an_exchange(shard):
    """As in a record: of a content that is not small just its size is."""
    shard.say(CLIENT, AGENT, content=b"x" * (SMALL + 1))
    shard.say(AGENT, CLIENT, content=b"x" * (SMALL + 1))
    assert [one.size for one in kept(shard).recent] == [SMALL + 1] * 2
    assert kept(shard).size() == 2 * (SMALL + 1)


def test_an_exchange_that_there_is_no_room_for_has_expired(shard):
    """Whoever speaks in it is told so."""
    shard.say(CLIENT, AGENT)
    shard.table.make_room(5)
    assert type(shard.table.archived[OWN]) is Exchange
    assert shard.say(CLIENT, AGENT) == "ConversationTimeout"
    assert shard.view().state == State.EXPIRED.told


@pytest.mark.parametrize("as_records", [False, True])
@pytest.mark.parametrize(("says", "state"), [([ASKS], State.EXPIRED), ([ASKS, INFORMS], State.COMPLETED)])
def test_whose_line_has_ended_does_not_expire_where_there_is_no_room(as_records, says, state):
    """Its outcome is that of its line, and no later one."""
    shard = Shard(as_records=as_records)
    for step in says:
        take(shard, step, 0)
    shard.table.make_room(5)
    assert (shard.view().state, shard.table.live) == (state.told, {})


def test_a_file_needs_no_row_of_an_exchange_that_is_forgotten(shard, monkeypatch):
    """Also when it is forgotten before the commit that would have told of it."""
    monkeypatch.setattr("workers.conversations.table.MOST_ARCHIVED", 0)
    shard.say(CLIENT, AGENT, flags=DURABLE)
    shard.table.make_room(5)
    shard.commit()
    assert (shard.rows, shard.table.archived) == ([], {})


def test_a_durable_exchange_is_told_once(shard):
    """A commit has what the one before did not have, and a record that it becomes goes on from there."""
    shard.say(CLIENT, AGENT, flags=DURABLE)
    shard.commit()
    shard.say(AGENT, CLIENT, flags=DURABLE)
    shard.commit()
    shard.commit()
    shard.say(CLIENT, SECOND, flags=DURABLE)
    shard.commit()
    heads = [each.head is not None for (each,) in shard.rows]
    assert ([each.messages for (each,) in shard.rows], heads) == ([1, 1, 1], [True, True, True])
    assert msgspec.structs.replace(shard.read()[OWN, CLIENT], expires_at=0) == msgspec.structs.replace(
        shard.view(), expires_at=0
    )


def test_a_row_is_kept_for_what_has_become_a_record(shard):
    """And goes with it."""
    shard.say(CLIENT, AGENT, flags=DURABLE)
    shard.commit()
    record = shard.table.find(OWN)
    shard.conversations.log.tend(gone := Commit())
    assert (len(shard.conversations.log), gone.conversations_gone) == (1, [])
    shard.conversations.log.forget(record)
    shard.conversations.log.tend(gone)
    assert len(shard.conversations.log) == 0


def test_an_answer_that_was_not_stored_yet_is_stored_with_the_record(shard):
    """The file learns that the other party has spoken, and when, though nothing else was said since."""
    shard.say(CLIENT, AGENT, flags=DURABLE)
    shard.commit()
    shard.at(70)
    shard.say(AGENT, CLIENT, flags=DURABLE)
    assert (shard.view().state, shard.view().last_activity) == (State.IN_PROGRESS.told, 1_000_070)
    shard.commit()
    read = shard.read()[OWN, CLIENT]
    assert (read.state, read.messages, read.last_activity) == (State.IN_PROGRESS.told, 2, 1_000_070)
