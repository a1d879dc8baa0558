from itertools import count

import msgspec
import pytest

from caxton.acl.envelope import Envelope
from caxton.store.commit import TargetRow
from caxton.wire.codec import DATA
from caxton.wire.frames import FULL_FRAME_BYTES
from workers.outbox import Packed, Way

OWN, TARGET = 7, 1


class Ear:
    """A peer that keeps what it is sent while it has room."""

    number, mark = 8, bytes(16)

    def __init__(self):
        self.frames, self.room = [], 10**9

    def send(self, frame):
        if self.room:
            self.room -= 1
            self.frames.append(DATA.decode(bytes(frame)))
            return True
        return False

    @property
    def numbers(self):
        return [(frame.first, frame.first + len(frame.messages) - 1, frame.resent) for frame in self.frames]


@pytest.fixture
def number():
    return count(1).__next__


def greet(way, ear, taken):
    way.peer = ear
    way.outgoing.meet()
    assert way.outgoing.greet(taken, 0)
    way.rewind()


def pack(way, durable_message, messages, number, **fields):
    rows = way.pack([durable_message(5, 9, **fields) for _ in range(messages)], number)
    way.committed(rows)
    return rows


def test_nothing_goes_before_it_is_greeted_and_committed(durable_message, number):
    """A frame leaves after its commit and after the target's hello, in whichever order these come."""
    way, ear = Way(TARGET, TargetRow(0, 0, 0), []), Ear()
    way.peer = ear
    rows = way.pack([durable_message(5, 9)], number)
    assert way.send(OWN)
    greet(way, ear, 0)
    way.send(OWN)
    assert ear.frames == []

    way.committed(rows)
    way.send(OWN)
    assert ear.numbers == [(1, 1, False)]


def test_frames_keep_their_bounds(durable_message, number):
    """Rows have at most 256 messages and 256 KiB, but for one message that is larger alone, and lose no message."""
    way = Way(TARGET, TargetRow(0, 0, 0), [])
    sizes = [10] * 300 + [200_000] * 3 + [3_000_000] + [1]
    sent = [durable_message(5, 9, content=bytes(size)) for size in sizes]
    rows = way.pack(sent, number)

    decoded = [msgspec.msgpack.decode(row.messages, type=list[Envelope]) for row in rows]
    assert [m for messages in decoded for m in messages] == sent
    assert all(len(row.messages) <= FULL_FRAME_BYTES or row.first == row.last for row in rows)
    assert [row.first for row in rows] == [1, *(row.last + 1 for row in rows[:-1])]
    assert (rows[-1].last, way.messages, way.bytes) == (305, 305, sum(len(row.messages) for row in rows))


def test_a_socket_without_room_loses_nothing(durable_message, number):
    """What found no room in the socket goes with the next try, once, and in order."""
    way, ear = Way(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(way, ear, 0)
    for _ in range(5):
        pack(way, durable_message, 2, number)
    ear.room = 2
    assert not way.send(OWN)
    ear.room = 9
    assert way.send(OWN)
    assert ear.numbers == [(n, n + 1, False) for n in (1, 3, 5, 7, 9)]


def test_a_successor_gets_what_was_not_taken(durable_message, number):
    """After the hello of another incarnation all frames beyond what it took go again, marked as sent before."""
    way, ear, heir = Way(TARGET, TargetRow(0, 0, 0), []), Ear(), Ear()
    greet(way, ear, 0)
    for _ in range(3):
        pack(way, durable_message, 2, number)
    way.send(OWN)
    pack(way, durable_message, 2, number)
    greet(way, heir, 3)
    way.send(OWN)

    assert heir.numbers == [(3, 4, True), (5, 6, True), (7, 8, False)]
    assert [f.messages for f in heir.frames[:2]] == [f.messages for f in ear.frames[1:]]


def test_what_an_earlier_life_stored_may_have_been_sent(durable_message, number):
    """Frames that come from the file go as sent before; those of this life do not."""
    old = Packed(4, 2, 3, msgspec.msgpack.encode([durable_message(5, 9)] * 2))
    way, ear = Way(TARGET, TargetRow(77, 3, 1), [old]), Ear()
    greet(way, ear, 1)
    pack(way, durable_message, 1, number)
    way.send(OWN)
    assert ear.numbers == [(2, 3, True), (4, 4, False)]


def test_frames_go_when_all_of_them_is_acknowledged(durable_message, number):
    """A frame is settled when its last message is acknowledged; the row names whole frames only."""
    way, ear = Way(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(way, ear, 0)
    rows = [*pack(way, durable_message, 3, number), *pack(way, durable_message, 3, number)]
    way.send(OWN)
    way.outgoing._acknowledge(4)
    assert [packed.number for packed in way.settle()] == [rows[0].number]
    assert (way.row(), way.messages) == (TargetRow(0, 6, 3), 3)

    way.outgoing._acknowledge(6)
    assert [packed.number for packed in way.settle()] == [rows[1].number]
    assert (way.row(), way.messages, way.bytes) == (TargetRow(0, 6, 6), 0, 0)


def test_what_is_acknowledged_does_not_go_again(durable_message, number):
    """A frame that is acknowledged while it waits for room in the socket is not sent."""
    way, ear = Way(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(way, ear, 0)
    pack(way, durable_message, 1, number)
    pack(way, durable_message, 1, number)
    ear.room = 0
    way.send(OWN)
    way.outgoing._acknowledge(1)
    ear.room = 9
    way.send(OWN)
    assert ear.numbers == [(2, 2, False)]


def test_another_store_gets_everything_numbered_anew(durable_message, number):
    """For a new store what is left is numbered from 1, under other rows, and goes after their commit as sent before."""
    way, ear = Way(TARGET, TargetRow(5, 0, 0), []), Ear()
    greet(way, ear, 0)
    pack(way, durable_message, 2, number)
    pack(way, durable_message, 3, number)
    way.outgoing._acknowledge(2)
    way.settle()
    rows = way.begin_anew(number)
    assert [(row.first, row.last) for row in rows] == [(1, 3)]
    assert (way.outgoing.emitted, way.row_acknowledged, way.messages) == (3, 0, 3)

    heir = Ear()
    greet(way, heir, 0)
    way.send(OWN)
    assert heir.frames == []
    way.committed(rows)
    way.send(OWN)
    assert heir.numbers == [(1, 3, True)]
