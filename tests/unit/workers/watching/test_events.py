"""What happened in a shard, until the supervisor is told."""

from caxton.agents.names import MAX_NAME
from caxton.transport.zmtp import SMALL_FRAME
from caxton.wire.codec import CONTROL
from caxton.wire.control import Happened
from caxton.wire.events import MAX_EVENT_TEXT, MAX_SAID, MAX_SAID_BYTES
from workers.watching.events import MOST_UNTOLD, Events


def test_events_are_said_in_order_and_once():
    """Those of one word are gone when it was heard, and stay when it was not."""
    events = Events()
    for number in range(MAX_SAID + 1):
        events.happened("agent_paused", f"{number}", ("a", 7), "warning", left=number)
    first = events.to_say()
    again = events.to_say()
    events.said(again)
    last = events.to_say()
    events.said(last)

    assert first == again
    assert [event.text for event in first] == [f"{number}" for number in range(MAX_SAID)]
    assert (last[0].agent, last[0].agent_id, last[0].severity, last[0].fields) == (
        "a",
        7,
        "warning",
        {"left": MAX_SAID},
    )
    assert (events.to_say(), len(events)) == ([], 0)


def test_beyond_the_bound_the_oldest_make_room_and_that_is_told():
    """Before the first that is left, and once."""
    events = Events()
    for number in range(MOST_UNTOLD):
        events.happened("agent_paused", f"{number}")
    assert (events.dropped, events.to_say()[0].text) == (0, "0")
    for number in range(3):
        events.happened("agent_paused", f"more {number}")
    said = events.to_say()
    events.said(said)

    assert (len(events), events.dropped) == (MOST_UNTOLD - MAX_SAID, 3)
    assert (said[0].kind, said[0].fields, said[1].text) == ("events_missed", {"missed": 3}, "3")
    assert events.to_say()[0].kind == "agent_paused"


def test_a_text_is_bounded():
    """Whatever the name of an agent."""
    events = Events()
    events.happened("agent_paused", "x" * (MAX_EVENT_TEXT + 1))
    assert len(events.to_say()[0].text) == MAX_EVENT_TEXT


def test_a_word_ends_at_so_many_bytes_and_fits_the_supervisors_inlet():
    """With the longest texts and names that there are, each event is told, in words of a small frame's size."""
    events, widest = Events(), "\U0001f600"
    for _ in range(MAX_SAID + 1):
        events.happened("agent_paused", widest * MAX_EVENT_TEXT, (widest * MAX_NAME, 2**63 - 1), left=2**63 - 1)
    told = 0
    while said := events.to_say():
        events.said(said)
        told += len(said)
        frame = CONTROL.encode(Happened(2**63 - 1, bytes(16), 31, said))
        assert len(frame) < SMALL_FRAME / 2
        assert len(frame) > MAX_SAID_BYTES or not len(events)
    assert told == MAX_SAID + 1
