import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.supervisor.workforce.crash_note import CrashNote
from workers import crash_note

numbers = st.integers(0, 2**64 - 1)


def test_what_a_worker_writes_is_read(tmp_path):
    """The supervisor reads from the file what the worker's side of the note wrote, while it is mapped."""
    written = crash_note.CrashNote(tmp_path / "note")
    written.cells[crash_note.SOURCE], written.cells[crash_note.SEQUENCE] = 2**63 + 5, 7
    written.cells[crash_note.STARTED], written.cells[crash_note.AGENT] = 1_000, 99
    written.cells[crash_note.STORED_AS] = 4
    written.cells[crash_note.FORMER_SOURCE], written.cells[crash_note.FORMER_SEQUENCE] = 5, 6

    note = CrashNote.read(tmp_path / "note")

    assert note == CrashNote(2**63 + 5, 7, 99, 1_000, 4, 5, 6)
    assert crash_note.read_note(note.encode()) == (2**63 + 5, 7, 99, 1_000, 4, 5, 6)
    written.close()


@pytest.mark.parametrize("left", [None, b"", b"short"])
def test_no_note_is_nothing(tmp_path, left):
    """A file that is not there, or holds only part of a note, is no note."""
    if left is not None:
        (tmp_path / "note").write_bytes(left)

    assert CrashNote.read(tmp_path / "note") is None


@given(numbers, numbers)
def test_between_turns_nobody_is_in_a_turn(root, start):
    """A note without an agent is of no turn, however young its start."""
    note = CrashNote(root, root, 0, start)

    assert not note.in_turn
    assert not note.turn_began_within(start, 2**64)


def test_the_age_of_a_turn_decides():
    """A turn is young until its span is over, and not after."""
    note = CrashNote(1, 1, 5, 1_000)

    assert note.turn_began_within(1_999, 1_000)
    assert not note.turn_began_within(2_000, 1_000)
