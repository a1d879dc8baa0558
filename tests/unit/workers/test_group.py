"""Who of the programs that share an agent is given which message."""

import pytest

from caxton.acl.envelope import Cause, Envelope, Waiters
from caxton.wire.calls import FULL_DELIVERIES_BYTES, Exchange
from workers.agents import group as module
from workers.agents.deal import Asker, Deal
from workers.agents.group import Group, Homes

ANN, BOB, CAT = 11, 12, 13
TALK, OTHER_TALK = b"t" * 16, b"o" * 16


class Numbered:
    """Makes messages with ids that tell them apart."""

    def __init__(self):
        self.made = 0

    def __call__(self, sender=1, conversation=None, content=b"x", asks=None):
        self.made += 1
        return Envelope(self.made.to_bytes(16), 7, sender, 5, content, asks, conversation_id=conversation)


@pytest.fixture
def message():
    return Numbered()


@pytest.fixture
def group():
    """A function that makes a group of these sessions."""

    def make(*sessions, order="conversation"):
        made = Group(order, Homes())
        for session in sessions:
            made.join(session)
        return made

    return make


def deal(group, *asking, concurrency=4, most=4, held=(), share=99):
    """Let these sessions ask, each for as much, and have what `held` says."""
    askers = [
        Asker(
            group.members[session],
            Exchange(5, [], most, 0, concurrency=concurrency, order=group.order),
            dict(held).get(session, ()),
            share,
            is_alone=len(group.members) == 1,
        )
        for session in asking
    ]
    return Deal(group, askers)


def dealt(a_deal, *messages):
    """To whom each of these goes, None for what is passed over."""
    return [a_deal.hands[-1].session if a_deal.admits(each) else None for each in messages]


def test_messages_are_spread_over_those_who_ask(group, message):
    """Each goes to the one that has least under way."""
    shared = group(ANN, BOB, CAT)
    some = [message(sender) for sender in range(1, 7)]
    hands = dealt(deal(shared, ANN, BOB, CAT), *some)
    assert sorted(hands) == [ANN, ANN, BOB, BOB, CAT, CAT]
    assert len(set(hands[:3])) == 3, "in turn"

    busy = {ANN: [message(7), message(8)], BOB: [message(9)]}
    assert dealt(deal(shared, ANN, BOB, CAT, held=busy), *[message(sender) for sender in (10, 11, 12)]) == [
        CAT,
        BOB,
        CAT,
    ]


def test_of_equals_who_has_had_nothing_for_longest_is_next(group, message):
    """Messages that come one by one, each after the end of the one before, go round."""
    shared, given = group(ANN, BOB, CAT), []
    for number in range(1, 7):
        (session,) = dealt(deal(shared, ANN, BOB, CAT), message(number))
        given.append(session)
        member = shared.members[session]
        shared.give(member, number, message(number))
        assert shared.take(member, number)
    assert given[:3] == given[3:]
    assert sorted(given[:3]) == [ANN, BOB, CAT]


@pytest.mark.parametrize("order", ["conversation", "sender"])
def test_what_follows_something_under_way_goes_to_who_has_that(group, message, order):
    """While a message of a sender is with a member its next goes there too, or waits for it."""
    shared = group(ANN, BOB, order=order)
    first = message(1)
    shared.give(shared.members[ANN], 1, first)
    held = {ANN: [first]}
    assert dealt(deal(shared, ANN, BOB, held=held), message(1), message(2)) == [ANN, BOB]
    assert dealt(deal(shared, BOB), message(1), message(2)) == [None, BOB], "and is not given past it"
    assert shared.take(shared.members[ANN], 1)
    assert dealt(deal(shared, BOB), message(1)) == [BOB]


def test_what_was_dealt_together_stays_together(group, message):
    """Of one deal too the messages of a key, and of a conversation, go to one member."""
    shared = group(ANN, BOB)
    assert len(set(dealt(deal(shared, ANN, BOB), message(1), message(1), message(1)))) == 1
    unordered = group(ANN, BOB, order="none")
    hands = dealt(deal(unordered, ANN, BOB), *(message(1, TALK) for _ in range(3)))
    assert len(set(hands)) == 1
    assert set(dealt(deal(unordered, ANN, BOB), message(1), message(1))) == {ANN, BOB}


def test_a_conversation_goes_on_with_who_had_it(group, message):
    """Also when all of it has ended, whoever asks, until that member is gone or not heard of."""
    shared = group(ANN, BOB)
    ann = shared.members[ANN]
    shared.give(ann, 1, message(1, TALK))
    assert shared.take(ann, 1)
    assert dealt(deal(shared, ANN, BOB), *[message(9, TALK) for _ in range(3)]) == [ANN] * 3
    assert dealt(deal(shared, BOB), message(9, TALK), message(9, OTHER_TALK)) == [None, BOB]

    ann.is_there = False
    assert dealt(deal(shared, BOB), message(9, TALK)) == [BOB]
    ann.is_there = True
    shared.leave(ANN)
    assert dealt(deal(shared, BOB), message(9, TALK)) == [BOB]


def waiting_for(message, *asked_by):
    """The same message, for whose answer the handlers of these wait."""
    message.cause = Cause(1, bytes(16), waiters=Waiters(tuple(one.message_id for one in asked_by)))
    return message


@pytest.mark.parametrize("order", ["conversation", "sender", "none"])
def test_what_comes_back_is_for_who_can_handle_it_now(group, message, order):
    """Behind what waits for it it would never end: another member has it, and the conversation stays where it was."""
    shared = group(ANN, BOB, order=order)
    ann, bob = shared.members.values()
    asking = message(1, TALK)
    shared.give(ann, 1, asking)
    busy = {ANN: [asking]}
    back = waiting_for(message(1, TALK), asking)
    assert dealt(deal(shared, ANN, held=busy, concurrency=1), back) == [None], "who handles one at a time has one"
    assert dealt(deal(shared, ANN, BOB, held=busy, concurrency=1), back, message(1, TALK)) == [BOB, ANN]
    assert dealt(deal(shared, ANN, BOB, held=busy), back) == [ANN], "who handles more has it beside the other"
    shared.give(bob, 2, back)
    assert shared.take(ann, 1)
    assert dealt(deal(shared, BOB, held={BOB: [back]}), message(1, TALK)) == [None]
    assert shared.take(bob, 2)
    assert dealt(deal(shared, ANN, BOB), message(2, TALK)) == [ANN], "it is at home there"


def test_what_comes_back_is_handled_though_much_waits_behind_what_asks(group, message):
    """It is for a free place of whoever has the conversation, however many messages that one was given."""
    shared = group(ANN, BOB)
    asking, *behind = [message(1, TALK) for _ in range(4)]
    for number, each in enumerate([asking, *behind]):
        shared.give(shared.members[ANN], number, each)
    back = waiting_for(message(1, TALK), asking)
    assert dealt(deal(shared, ANN, BOB, held={ANN: [asking, *behind]}, concurrency=4), back) == [ANN]


def test_what_nobody_can_have_is_passed_over_with_its_key(group, message):
    """A message that is too large for a hand keeps what follows it behind itself."""
    shared = group(ANN)
    large = bytes(FULL_DELIVERIES_BYTES)
    hands = dealt(deal(shared, ANN), message(1), message(2, content=large), message(2), message(3))
    assert hands == [ANN, None, None, ANN]


def test_beside_others_no_more_waits_with_a_program_than_it_handles(group, message):
    """One that is alone has as much ahead as it asks for; in company what is idle elsewhere gets it."""
    some = [message(sender) for sender in range(1, 9)]
    alone = group(ANN)
    assert dealt(deal(alone, ANN, concurrency=1, most=8), *some).count(ANN) == 8
    shared = group(ANN, BOB)
    hands = dealt(deal(shared, ANN, BOB, concurrency=1, most=8), *some)
    assert (hands.count(ANN), hands.count(BOB)) == (2, 2)


def test_who_asks_in_a_moment_finds_its_part(group, message):
    """Of what waits a member has no more than its share while another one is about to ask, and is not busy."""
    shared = group(ANN, BOB, CAT)
    assert shared.share(10, {ANN}) == 10, "nobody was heard of yet"
    for session in (BOB, CAT):
        shared.members[session].credit = 2
    assert (shared.share(10, {ANN}), shared.share(1, {ANN}), shared.share(10, {ANN, BOB, CAT})) == (4, 1, 10)
    shared.give(shared.members[BOB], 1, message(1))
    shared.give(shared.members[BOB], 2, message(2))
    assert shared.share(10, {ANN}) == 5, "one of them has enough"
    shared.members[CAT].is_there = False
    assert shared.share(10, {ANN}) == 10, "and the other one was not heard of for long"
    assert dealt(deal(shared, ANN, share=2), *[message(sender) for sender in (3, 4, 5)]) == [ANN, ANN, None]


def test_what_was_given_is_taken_once_and_from_who_has_it(group, message):
    """Nobody ends what another member has, and nothing ends twice."""
    shared = group(ANN, BOB)
    shared.give(shared.members[ANN], 1, message())
    assert [shared.take(shared.members[session], 1) for session in (BOB, ANN, ANN)] == [False, True, False]


def test_who_has_most_conversations_makes_room_for_others(group, message, monkeypatch):
    """As many conversations are known as the bound says: a large group forgets its own, oldest first."""
    monkeypatch.setattr(module, "MOST_HOMES", 4)
    homes = Homes()
    large, small = Group("conversation", homes), Group("conversation", homes)
    talks = [number.to_bytes(16) for number in range(6)]
    for talk in talks[:4]:
        homes.note(large, talk, ANN)
    homes.note(large, talks[0], ANN)
    homes.note(large, talks[4], ANN)
    homes.note(small, talks[5], BOB)
    assert [homes.find(large, talk) for talk in talks[:5]] == [ANN, 0, 0, ANN, ANN]
    assert (homes.find(small, talks[5]), homes.count) == (BOB, 4)
    homes.forget(large)
    assert (homes.count, homes.find(large, talks[0]), homes.find(small, None)) == (1, 0, 0)
