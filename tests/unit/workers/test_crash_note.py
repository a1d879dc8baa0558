import pytest

from workers.crash_note import AGENT, NOTHING, SEQUENCE, SOURCE, STARTED, CrashNote, read_note


def test_a_note_outlives_its_writer(tmp_path):
    """What was written before the end is in the file: the root, the agent of the turn, and when it began."""
    path = tmp_path / "w-1.note"
    note = CrashNote(path)
    note.cells[SOURCE], note.cells[SEQUENCE], note.cells[STARTED] = (1 << 64) - 1, 5, 7
    note.cells[AGENT] = (1 << 63) - 1
    note.close()
    note.close()

    assert read_note(path.read_bytes()) == ((1 << 64) - 1, 5, (1 << 63) - 1, 7, 0, 0, 0)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("raw", [None, b"", bytes(56), bytes(55), bytes(57), bytes(32), bytes(33)])
def test_without_a_turn_nobody_is_charged(raw):
    """No note, an empty one, one of the wrong length: nobody is charged."""
    assert read_note(raw) == NOTHING


def test_a_note_is_never_taken_over(tmp_path):
    """A file that is there belongs to somebody else."""
    CrashNote(tmp_path / "note").close()
    with pytest.raises(FileExistsError):
        CrashNote(tmp_path / "note")
