from hypothesis import given
from hypothesis import strategies as st

from faultlab.journals import Journal, Outcome, Recorded, RecordedReading, Sent, SentReading
from faultlab.serial import Serial, relayed

SERIALS = st.builds(Serial, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))


@given(SERIALS, st.binary(max_size=50))
def test_a_serial_is_found_at_the_end_of_any_content(serial, before):
    """Whatever stands before a serial, it is read back from the end of the content."""
    assert Serial.ending(before + serial.encode()) == serial
    assert Serial.ending(relayed("recorder-1", before + serial.encode())) == serial


@given(st.binary(max_size=15))
def test_short_content_has_no_serial(content):
    """Content without a serial has none."""
    assert Serial.ending(content) is None


def test_a_journal_is_read_while_it_grows(tmp_path):
    """A reading returns each record once, and half a record only when its other half is there."""
    path = tmp_path / "journal"
    reading = SentReading(path)
    assert reading.new() == []
    first, second = (Sent(Serial(7, n), Outcome.ACKNOWLEDGED, 1, 100, 200) for n in range(2))
    journal = Journal(path)
    journal.append_sent([first])
    assert reading.new() == [first]

    journal.append_sent([second])
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert reading.new() == []
    path.write_bytes(whole)
    assert reading.new() == [second]
    assert reading.new() == []
    journal.close()


def test_a_delivery_is_read_as_it_was_noted(tmp_path):
    """A recorder's journal gives back serial, message id, delivery count and time."""
    noted = [Recorded(Serial(3, 2**40), bytes(range(16)), 2, 5)]
    journal = Journal(tmp_path / "journal")
    journal.append_recorded(noted)
    journal.close()

    assert RecordedReading(tmp_path / "journal").new() == noted
