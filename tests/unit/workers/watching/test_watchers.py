"""Who watches what, what is kept for each, and when a watch ends."""

from sys import getsizeof

import pytest

from caxton.acl.envelope import Cause, Rare
from caxton.errors import QueueFull, ResourceExhausted
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer
from caxton.wire.watching import MAX_SHOWN_CONTENT, MAX_WATCHED_PAGE, WATCH_LEASE_S, Watch, WatchPage
from workers.watching import watchers as room
from workers.watching.waits import Waits
from workers.watching.watchers import Watchers

CLIENT, OTHER = 1 << 63, 1 << 63 | 1
# Agents of this shard are even.
HERE, SECOND, ELSEWHERE = 2, 4, 3
TALK = bytes(range(16))


@pytest.fixture
def watchers():
    return Watchers(0, Waits(), lambda agent: agent % 2 == 0)


def watch(watchers, number=1, *, session=CLIENT, now_s=0.0, **asked):
    return watchers.asked(session, Watch(number, **({"agent": HERE} | asked)), now_s)


def shown(watcher):
    return [kept.item.envelope.message_id[-1] for kept in watcher.ring.behind(0)]


def test_an_agent_is_watched_as_receiver_and_as_sender(watchers, message):
    """Each message once, also one that it sends to itself; those of others are not shown."""
    watcher = watch(watchers)
    watchers.came([message(CLIENT, HERE), message(CLIENT, SECOND)], 5, from_client=True)
    watchers.sent([message(HERE, CLIENT), message(HERE, HERE), message(SECOND, HERE), message(SECOND, CLIENT)], 6)
    assert shown(watcher) == [1, 3, 4, 5]
    assert [kept.item.at for kept in watcher.ring.behind(0)] == [5, 6, 6, 6]


def test_a_conversation_is_watched_where_its_messages_end(watchers, message):
    """What goes to another shard is shown by that one."""
    watcher = watch(watchers, conversation=TALK)
    watchers.came([message(CLIENT, HERE, conversation_id=TALK), message(CLIENT, HERE)], 5, from_client=True)
    watchers.sent([message(HERE, to, conversation_id=TALK) for to in (ELSEWHERE, SECOND, CLIENT)], 5)
    assert shown(watcher) == [1, 4, 5]


def test_contents_are_shown_where_that_is_asked_for(watchers, message):
    """The beginning of a long one, with its size; what a message follows from is nobody's to see."""
    plain, whole = watch(watchers, 1), watch(watchers, 2, with_content=True)
    long = message(CLIENT, HERE, content=b"x" * 5_000, cause=Cause(0, bytes(16), "somebody"))
    watchers.came([long], 5, from_client=True)
    ((_, without, _),) = plain.ring.behind(0)
    ((_, content, _),) = whole.ring.behind(0)
    assert (without.envelope.content, without.content_bytes, without.envelope.cause) == (b"", 5_000, None)
    assert content.envelope.content == b"x" * MAX_SHOWN_CONTENT
    assert (long.content, long.cause is None) == (b"x" * 5_000, False), "whoever is shown something changes nothing"


def test_a_message_that_is_refused_says_why(watchers, message):
    """On one line, whatever is in the error."""
    watcher = watch(watchers)
    watchers.refused([(1, message(CLIENT, HERE), QueueFull("tally\nforged", 1, 1))], 5, from_client=True)
    ((_, one, _),) = watcher.ring.behind(0)
    assert "tally forged" in one.error


def test_a_watch_keeps_so_many_messages(watchers, message):
    """The oldest make room, and are counted."""
    watcher = watch(watchers)
    for _ in range(room.MOST_WATCHED + 2):
        watchers.came([message(CLIENT, HERE)], 5, from_client=True)
    assert (len(watcher.ring), watchers.dropped) == (room.MOST_WATCHED, 2)


def test_a_watch_keeps_so_many_bytes(watchers, message):
    """However few messages these are; rare fields weigh too."""
    watcher = watch(watchers, with_content=True)
    for _ in range(400):
        watchers.came([message(CLIENT, HERE, content=b"x" * 9_000, rare=Rare(ontology="y" * 255))], 5, from_client=True)
    weighs = room.OF_MESSAGE + room.OF_RARE + MAX_SHOWN_CONTENT + getsizeof("y" * 255)
    assert room.MOST_WATCHED_BYTES - weighs < watcher.ring.bytes <= room.MOST_WATCHED_BYTES
    assert watchers.dropped == 400 - len(watcher.ring) > 0


def test_texts_of_rare_fields_weigh_what_they_take(watchers, message):
    """Characters of four bytes each, in as many fields as a message has."""
    text = "\U0001f600" * 255
    watcher = watch(watchers)
    rare = Rare(text, text, text, text, trace_context=text, idempotency_key=text, capability=text, receiver_name=text)
    watchers.came([message(CLIENT, HERE, rare=rare)] * 1_000, 5, from_client=True)
    assert len(watcher.ring) * 8 * getsizeof(text) <= room.MOST_WATCHED_BYTES


def test_the_fullest_page_travels(watchers, message):
    """As many messages as are kept, and as many bytes."""
    watcher = watch(watchers, with_content=True)
    for content in (b"", b"x" * 9_000):
        watchers.came([message(CLIENT, HERE, content=content)] * (2 * MAX_WATCHED_PAGE), 5, from_client=True)
        page = WatchPage(1, 1, 2, [kept.item for kept in watcher.ring.behind(0)])
        assert CONTROL.decode(CONTROL.encode(Answer(1, bytes(16), 2, 3, page))).result == page


def test_a_client_has_so_many_watches(watchers):
    """And so have all; the same one asked for again is no other one, and one that has ended makes room."""
    for number in range(room.MOST_WATCHES_OF_ONE):
        watch(watchers, number)
    watch(watchers, 0)
    with pytest.raises(ResourceExhausted, match="watches of one client"):
        watch(watchers, 99)
    for number in range(room.MOST_WATCHES_OF_ONE, room.MOST_WATCHES):
        watch(watchers, number, session=CLIENT + number)
    with pytest.raises(ResourceExhausted, match="watches on shard 0"):
        watch(watchers, 1, session=OTHER)
    watchers.end(CLIENT, 3)
    watch(watchers, 1, session=OTHER)


def test_nobody_is_shown_anything_once_all_have_ended(watchers, message):
    """By their own word, with their client, or because nobody asks any more; until then whoever has messages looks."""
    assert not watchers.is_on
    watch(watchers, 1)
    watch(watchers, 2, session=OTHER, now_s=10.0)
    third = watch(watchers, 3, session=OTHER, conversation=TALK, now_s=10.0)
    watchers.end(CLIENT)
    watch(watchers, 3, session=OTHER, conversation=TALK, now_s=20.0)
    watchers.tick(10.0 + WATCH_LEASE_S)
    assert (len(watchers), watchers.is_on, watchers.has(third)) == (1, True, True)
    watchers.end(OTHER, 3)
    assert (len(watchers), watchers.is_on, watchers.has(third)) == (0, False, False)
    watchers.came([message(CLIENT, HERE, conversation_id=TALK)], 5, from_client=True)
    assert third.ring.last == 0


def test_one_number_watches_one_thing(watchers):
    """Whoever asks for something else by it has begun anew."""
    first = watch(watchers, 1)
    second = watch(watchers, 1, agent=SECOND)
    assert (len(watchers), watchers.has(first), second.number > first.number) == (1, False, True)
