"""What the file is told of conversations, and what is read of it again."""

from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope, Opening
from caxton.conversations import delta
from caxton.conversations.lines import Lines
from caxton.conversations.record import Record
from caxton.conversations.state import State
from caxton.protocols import Joint, Position

HISTORY = 4
STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "say", "say", "commit", "fold", "end", "resume", "move"]), st.integers(0, 2)),
    max_size=40,
)


def told(record):
    """All of a record that its successor is to know."""
    view = record.view(0, record.due_ms, history=True, is_archived=False)
    stands = None if record.lines is None else (record.lines.positions, record.lines.joints, record.lines.open)
    return view, record.parties, record.stop, stands, record.turns, record.turns_before, record.begun_here


@given(STEPS)
def test_what_is_read_again_is_what_there_was(steps):
    """Whatever happens between commits, and however often rows are folded: nothing is lost, or counted twice."""
    record = Record(bytes(16), 5, 1_000, 1_800, Opening(turns=100), HISTORY)
    record.begun_here = True
    rows = []
    for number, (step, which) in enumerate(steps):
        if step == "say":
            message = Envelope(number.to_bytes(16, "big"), 7, 5 + which, 6, b"x" * (which * 100), created_at=number)
            record.join(6)
            record.speaks(5 + which)
            record.turns += 1
            record.note(message, 1_000 + number)
            record.save()
        elif step == "end":
            record.stop = ("turns", which)
            record.end(State.FAILED, "x" * which)
        elif step == "resume":
            record.resume(number)
        elif step == "move":
            record.lines = record.lines or Lines()
            position = Position(1, 0, which, 1, 2_000 * (which % 2), number.to_bytes(16))
            record.lines.move((5, 6 + which), position, Joint(which), number)
            record.changed = True
        else:
            whole = step == "fold"
            raw = delta.encode([record], whole=whole)
            rows = [delta.decode(raw)] if whole else [*rows, delta.decode(raw)]
            record.base = 1
    rows.append(delta.decode(delta.encode([record])))

    (read,) = delta.folded(rows, HISTORY)

    assert told(read) == told(record)
    assert read.watched == record.watched


def test_a_copy_may_be_added_to_what_another_file_knows(make_record, said):
    """Of a conversation that several shards knew, one file comes to know all: counts add, who takes part unites."""
    one, other = make_record(), make_record()
    for record, sender in ((one, 5), (other, 7)):
        record.join(6)
        record.speaks(sender)
        record.note(said(sender, sender=sender), 2_000 + sender)
    rows = [delta.decode(delta.encode_copy(one, counts=True)), delta.decode(delta.encode_copy(other, counts=True))]
    (read,) = delta.folded(rows)
    assert (read.messages, read.last_ms, read.state) == (2, 2_007, State.IN_PROGRESS)
    assert read.parties == {5: True, 6: False, 7: True}
    assert [one.sent_at for one in read.last(9)] == [5, 7]


def test_a_copy_without_counts_tells_who_takes_part(make_record, said):
    """Its messages are counted by another file, which is the one that saw it begin."""
    record = make_record()
    record.begun_here = True
    record.join(6)
    record.note(said(1), 2_000)
    (read,) = delta.folded([delta.decode(delta.encode_copy(record, counts=False))])
    assert (read.messages, read.size, read.recent, read.begun_here) == (0, 0, [], False)
    assert read.parties == {5: False, 6: False}


def test_what_nothing_begins_is_passed_over(make_record, said):
    """A row that was kept for others may tell of a conversation that is forgotten."""
    record = make_record()
    delta.encode([record])
    record.base = 1
    record.note(said(1), 1)
    record.save()
    assert delta.folded([delta.decode(delta.encode([record]))]) == []
