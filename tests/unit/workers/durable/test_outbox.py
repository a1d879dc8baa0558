from itertools import count

import msgspec
import pytest

from caxton.acl.envelope import Envelope
from caxton.links.credit import FIRST_BYTES, FIRST_STORED
from caxton.store.commit import TargetRow
from caxton.wire.codec import DATA
from caxton.wire.frames import FULL_FRAME_BYTES
from caxton.wire.link_state import LinkState
from workers.commit.outbox import Outbox, Packed

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


def greet(outbox, ear, taken):
    outbox.peer = ear
    outbox.outgoing.meet()
    assert outbox.outgoing.greet(taken, 0)
    outbox.rewind()


def pack(outbox, durable_message, messages, number, **fields):
    rows = outbox.pack([durable_message(5, 9, **fields) for _ in range(messages)], number)
    outbox.committed(rows)
    return rows


def test_nothing_goes_before_it_is_greeted_and_committed(durable_message, number):
    """A frame leaves after its commit and after the target's hello, in whichever order these come."""
    outbox, ear = Outbox(TARGET, TargetRow(0, 0, 0), []), Ear()
    outbox.peer = ear
    rows = outbox.pack([durable_message(5, 9)], number)
    outbox.send(OWN)
    greet(outbox, ear, 0)
    outbox.send(OWN)
    assert ear.frames == []

    outbox.committed(rows)
    outbox.send(OWN)
    assert ear.numbers == [(1, 1, False)]


def test_frames_keep_their_bounds(durable_message, number):
    """Rows have at most 256 messages and 256 KiB, but for one message that is larger alone, and lose no message."""
    outbox = Outbox(TARGET, TargetRow(0, 0, 0), [])
    sizes = [10] * 300 + [200_000] * 3 + [3_000_000] + [1]
    sent = [durable_message(5, 9, content=bytes(size)) for size in sizes]
    rows = outbox.pack(sent, number)

    decoded = [msgspec.msgpack.decode(row.messages, type=list[Envelope]) for row in rows]
    assert [m for messages in decoded for m in messages] == sent
    assert all(len(row.messages) <= FULL_FRAME_BYTES or row.first == row.last for row in rows)
    assert [row.first for row in rows] == [1, *(row.last + 1 for row in rows[:-1])]
    assert (rows[-1].last, outbox.messages, outbox.bytes) == (305, 305, sum(len(row.messages) for row in rows))


def test_a_socket_without_room_loses_nothing(durable_message, number):
    """What found no room in the socket goes with the next try, once, and in order."""
    outbox, ear = Outbox(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(outbox, ear, 0)
    for _ in range(5):
        pack(outbox, durable_message, 2, number)
    ear.room = 2
    outbox.send(OWN)
    assert ear.numbers == [(n, n + 1, False) for n in (1, 3)]
    ear.room = 9
    outbox.send(OWN)
    assert ear.numbers == [(n, n + 1, False) for n in (1, 3, 5, 7, 9)]


def test_a_successor_gets_what_was_not_taken(durable_message, number):
    """After the hello of another incarnation all frames beyond what it took go again, marked as sent before."""
    outbox, ear, heir = Outbox(TARGET, TargetRow(0, 0, 0), []), Ear(), Ear()
    greet(outbox, ear, 0)
    for _ in range(3):
        pack(outbox, durable_message, 2, number)
    outbox.send(OWN)
    pack(outbox, durable_message, 2, number)
    greet(outbox, heir, 3)
    outbox.send(OWN)

    assert heir.numbers == [(3, 4, True), (5, 6, True), (7, 8, False)]
    assert [f.messages for f in heir.frames[:2]] == [f.messages for f in ear.frames[1:]]


def test_what_an_earlier_life_stored_may_have_been_sent(durable_message, number):
    """Frames that come from the file go as sent before; those of this life do not."""
    old = Packed(4, 2, 3, msgspec.msgpack.encode([durable_message(5, 9)] * 2))
    outbox, ear = Outbox(TARGET, TargetRow(77, 3, 1), [old]), Ear()
    greet(outbox, ear, 1)
    pack(outbox, durable_message, 1, number)
    outbox.send(OWN)
    assert ear.numbers == [(2, 3, True), (4, 4, False)]


def test_frames_go_when_all_of_them_is_acknowledged(durable_message, number):
    """A frame is settled when its last message is acknowledged; the row names whole frames only."""
    outbox, ear = Outbox(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(outbox, ear, 0)
    rows = [*pack(outbox, durable_message, 3, number), *pack(outbox, durable_message, 3, number)]
    outbox.send(OWN)
    outbox.outgoing._acknowledge(4)
    assert [packed.number for packed in outbox.settle()] == [rows[0].number]
    assert (outbox.row(), outbox.messages) == (TargetRow(0, 6, 3), 3)

    outbox.outgoing._acknowledge(6)
    assert [packed.number for packed in outbox.settle()] == [rows[1].number]
    assert (outbox.row(), outbox.messages, outbox.bytes) == (TargetRow(0, 6, 6), 0, 0)


def test_what_is_acknowledged_does_not_go_again(durable_message, number):
    """A frame that is acknowledged while it waits for room in the socket is not sent."""
    outbox, ear = Outbox(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(outbox, ear, 0)
    pack(outbox, durable_message, 1, number)
    pack(outbox, durable_message, 1, number)
    ear.room = 0
    outbox.send(OWN)
    outbox.outgoing._acknowledge(1)
    ear.room = 9
    outbox.send(OWN)
    assert ear.numbers == [(2, 2, False)]


def test_another_store_gets_everything_numbered_anew(durable_message, number):
    """For a new store what is left is numbered from 1, under other rows, and goes after their commit as sent before."""
    outbox, ear = Outbox(TARGET, TargetRow(5, 0, 0), []), Ear()
    greet(outbox, ear, 0)
    pack(outbox, durable_message, 2, number)
    pack(outbox, durable_message, 3, number)
    outbox.outgoing._acknowledge(2)
    outbox.settle()
    rows = outbox.begin_anew(number)
    assert [(row.first, row.last) for row in rows] == [(1, 3)]
    assert (outbox.outgoing.emitted, outbox.row_acknowledged, outbox.messages) == (3, 0, 3)

    heir = Ear()
    greet(outbox, heir, 0)
    outbox.send(OWN)
    assert heir.frames == []
    outbox.committed(rows)
    outbox.send(OWN)
    assert heir.numbers == [(1, 3, True)]


def state_of(outbox, taken, messages, size):
    numbers = outbox.outgoing._number + 1
    return LinkState(8, bytes(16), OWN, 1, numbers, "", taken, messages, size, 0, [], [], 0, 0)


def test_a_shard_is_sent_what_it_gave_credit_for(durable_message, number):
    """Frames beyond another shard's credit, in messages or bytes, wait in the outbox and go when there is more."""
    outbox, ear = Outbox(TARGET, TargetRow(0, 0, 0), []), Ear()
    greet(outbox, ear, 0)
    pack(outbox, durable_message, FIRST_STORED, number)
    pack(outbox, durable_message, 1, number, content=bytes(700_000))
    pack(outbox, durable_message, 1, number, content=bytes(700_000))
    outbox.send(OWN)
    assert [last for _, last, _ in ear.numbers] == [FIRST_STORED]

    outbox.outgoing.settle(state_of(outbox, 0, 10_000, FIRST_BYTES))
    outbox.send(OWN)
    assert [last for _, last, _ in ear.numbers] == [FIRST_STORED, FIRST_STORED + 1]

    outbox.outgoing.settle(state_of(outbox, FIRST_STORED, 10_000, FIRST_BYTES + 700_000))
    outbox.send(OWN)
    assert [last for _, last, _ in ear.numbers] == [FIRST_STORED, FIRST_STORED + 1, FIRST_STORED + 2]


def test_what_a_file_held_counts_as_much_as_before(durable_message, number):
    """After a restart the frames of the file keep to the credit as those that are new."""
    before = Outbox(TARGET, TargetRow(0, 0, 0), [])
    rows = [row for _ in range(2) for row in pack(before, durable_message, 1, number, content=bytes(700_000))]
    frames = [Packed(row.number, row.first, row.last, row.messages) for row in rows]
    outbox, ear = Outbox(TARGET, before.row(), frames), Ear()
    greet(outbox, ear, 0)
    outbox.send(OWN)

    assert [last for _, last, _ in ear.numbers] == [1]
