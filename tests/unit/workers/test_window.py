import pytest

from caxton.acl.envelope import Cause, Envelope, Waiters
from workers.agents.window import MOST_HELD_BYTES, Window

A, B, C = 1, 2, 3


def message(sender, conversation=None, content=b"", number=0, asks=None):
    conversation_id = None if conversation is None else conversation.to_bytes(16)
    return Envelope(number.to_bytes(16), 7, sender, 5, content, asks, conversation_id=conversation_id)


def admitted(window, *messages):
    return [window.admits(each) for each in messages]


@pytest.mark.parametrize(
    ("order", "of_one_sender"), [("conversation", 5), ("sender", 1), ("none", 7), ("all", 1)], ids=str
)
def test_an_order_says_what_may_be_handled_at_once(order, of_one_sender):
    """Of seven messages of one sender as many as have different keys; a request without a conversation has its own."""
    ways = [(None, None), (None, None), (7, None), (7, b"a" * 16), (8, None), (None, b"a" * 16), (None, b"b" * 16)]
    some = [message(A, number=n, conversation=c, asks=asks) for n, (c, asks) in enumerate(ways)]
    assert sum(admitted(Window(order, 64, 0, []), *some)) == of_one_sender


def test_keys_and_what_waits_behind_others_have_bounds_of_their_own():
    """A sender whose messages wait behind each other leaves room for other senders, and they for it."""
    window = Window("sender", 2, 1, [])
    assert admitted(window, *map(message, [A, A, A, B, B, C])) == [True, True, False, True, False, False]
    assert window.is_shut


def test_the_first_of_further_keys_may_wait_with_the_program():
    """Beside those that it may handle a program is given what it may begin next, and no more while it has that."""
    window = Window("sender", 1, 2, [])
    assert admitted(window, *map(message, [A, B, B, C])) == [True, True, True, False]
    assert window.is_shut
    assert Window("sender", 1, 2, [message(A), message(B), message(B)]).is_shut
    assert admitted(Window("sender", 1, 2, [message(A), message(B)]), message(C), message(C)) == [True, False]


def test_what_is_passed_over_keeps_its_place_in_its_order():
    """When one message of a key is not given, none behind it is given before it."""
    window = Window("sender", 1, 1, [message(A)])
    assert admitted(window, message(A), message(B), message(A), message(B)) == [True, False, False, False]


def test_what_is_held_counts():
    """Keys, what waits behind others, and bytes are counted with what the program has already."""
    held = [message(A), message(A), message(B, content=bytes(MOST_HELD_BYTES - 1))]
    window = Window("sender", 3, 1, held)
    assert (window.bytes, window.is_shut) == (1, False)
    assert admitted(window, message(A), message(C)) == [False, True]
    assert Window("sender", 9, 9, [*held, message(C, content=b"x")]).is_shut


@pytest.mark.parametrize("order", ["conversation", "sender", "all"])
def test_what_a_held_message_waits_for_has_a_key_of_its_own(order):
    """It is given beside the one that waits for it, which has the same conversation and sender; others are not."""
    held = message(A, conversation=1, number=1)
    asked = message(A, conversation=1, number=2)
    asked.cause = Cause(1, bytes(16), waiters=Waiters((held.message_id,)))
    of_others = message(A, conversation=1, number=3)
    of_others.cause = Cause(1, bytes(16), waiters=Waiters(((9).to_bytes(16),)))
    window = Window(order, 2, 0, [held])
    assert admitted(window, message(A, conversation=1), of_others, asked) == [False, False, True]
