"""What conversations take in memory is no more than what they count as."""

import sys

import msgspec
import pytest

from caxton.acl.envelope import MAX_PRINCIPAL, MOST_WAITERS, Cause, Rare, Waiters
from caxton.conversations.exchange import EXCHANGE_BYTES, Exchange, Opened
from caxton.conversations.lines import LINE_BYTES, Lines
from caxton.conversations.record import FIRST_PLACES, RECORD_BYTES, REMEMBERED_BYTES
from caxton.conversations.summary import SMALL
from caxton.delivery.causes import to_keep
from caxton.protocols import Position

TEXT = 255
ROOT = bytes(range(16))
NAMED = Cause(3, ROOT, "n" * MAX_PRINCIPAL)
WAITED_FOR = Cause(3, ROOT, waiters=Waiters(tuple(bytes([n]) * 16 for n in range(MOST_WAITERS))))
LARGEST = {
    "a cause": {"cause": Cause(3, ROOT)},
    "a cause with a name": {"cause": NAMED},
    "a cause with who waits": {"cause": WAITED_FOR},
    "rare fields": {"rare": Rare(*("x" * TEXT for _ in range(4)))},
    "a protocol": {"rare": Rare(protocol="fipa-request"), "cause": Cause(3, ROOT)},
}


def bytes_of(value, seen=None):
    """What a value takes with all that it leads to, each once; nothing for what is always there."""
    seen = set() if seen is None else seen
    if value is None or isinstance(value, bool | type) or id(value) in seen or value in ((), "", b""):
        return 0
    seen.add(id(value))
    if isinstance(value, msgspec.Struct):
        parts = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple):
        parts = value
    else:
        parts = [getattr(value, name) for name in getattr(value, "__slots__", ())]
    return sys.getsizeof(value) + sum(bytes_of(part, seen) for part in parts)


def copied(message):
    """A message as it comes: nothing of it is anybody else's."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))


@pytest.mark.parametrize("more", LARGEST.values(), ids=LARGEST)
def test_a_record_takes_no_more_than_it_weighs(make_record, said, more):
    """With what each of its messages follows from, and whatever stands in them."""
    record = make_record(history=32)
    for number in range(1 << 40, (1 << 40) + 64):
        message = copied(said(number, number, number, bytes(SMALL), reply_with=ROOT, in_reply_to=ROOT, **more))
        record.note(message, number)
        record.cause = to_keep(message)
        assert bytes_of(record) <= record.weight


@pytest.mark.parametrize("more", [{}, {"cause": Cause(3, ROOT)}, {"cause": NAMED}, {"cause": WAITED_FOR}])
def test_an_exchange_takes_no_more_than_it_weighs(said, more):
    """With what its messages follow from."""
    opened = Opened(1 << 40, 1 << 40, 1_800, 32)
    exchange = Exchange(ROOT, 5, 6, opened, 0, 1 << 40, [])
    while exchange.note(copied(said(7, content=bytes(SMALL), reply_with=ROOT, in_reply_to=ROOT, **more)), 1 << 40):
        assert bytes_of(exchange) <= exchange.weight
    assert exchange.weight == EXCHANGE_BYTES + 2 * FIRST_PLACES * REMEMBERED_BYTES
    one = bytes([7]) * 16
    exchange.move(copied(Position(1, 1, 3, 1, 1 << 40, 2 * one, one + ROOT, ROOT)), to_keep(said(7, **more)), 1 << 40)
    assert exchange.weight == EXCHANGE_BYTES + 2 * FIRST_PLACES * REMEMBERED_BYTES + LINE_BYTES
    assert bytes_of(exchange) <= exchange.weight


@pytest.mark.parametrize("cause", [Cause(3, ROOT), NAMED, WAITED_FOR])
def test_lines_take_no_more_than_they_weigh(said, cause):
    """Where several stand in one conversation: a record has room for what they begin with."""
    lines = Lines()
    for other in range(1 << 60, (1 << 60) + 100):
        kept = to_keep(copied(said(1, cause=cause)))
        one = bytes([other % 256]) * 16
        at = Position(1, 0, 3, 1, 1 << 40, opening=2 * one, asked=one, cause=kept)
        lines.move((5, other), copied(at), None, 0)
        assert bytes_of(lines) <= LINE_BYTES * len(lines.positions) + RECORD_BYTES


def test_who_waits_for_an_answer_is_not_kept(said):
    """What a later word follows from is what it would follow from without them; a root is its own cause."""
    kept = to_keep(said(1, cause=WAITED_FOR))
    assert (kept.hops, kept.root, kept.waiters) == (3, ROOT, None)
    assert to_keep(said(1, cause=NAMED)) == NAMED
    assert to_keep(said(1)).root == said(1).message_id
