from hypothesis import given
from hypothesis import strategies as st

from caxton.store.waiting import count_done, is_done
from workers.agents.delivery import Delivery, StoredRow


@given(size=st.integers(1, 40), data=st.data())
def test_marks_say_what_is_done(size, data):
    """After each message the marks name exactly those that are done; after the last there are none left to write."""
    order = data.draw(st.permutations(range(size)))
    row = StoredRow(7, size)
    for done, index in enumerate(order, 1):
        row.finish(index)
        marked = row.marks()
        if done == size:
            assert marked is None
            return
        marks, count = marked
        assert count == count_done(marks) == done
        assert {place for place in range(size) if is_done(marks, place)} == set(order[:done])


def test_marks_go_on_from_the_file():
    """A row that is read again with its marks needs only those that were left."""
    row = StoredRow(7, 3)
    row.finish(1)
    marks, done = row.marks()
    again = StoredRow(7, 3, done, marks)

    again.finish(0)
    assert again.marks() == (b"\x03", 2)
    again.finish(2)
    assert again.marks() is None


def test_a_delivery_is_stored_in_a_row_or_on_its_own(durable_message):
    """A delivery counts as stored once it stands in a row of many, or in one of its own."""
    delivery = Delivery(durable_message(1, 2), 1, 2)
    assert not delivery.stored
    delivery.row = StoredRow(1, 1)
    assert delivery.stored
    delivery.row, delivery.number = None, 5
    assert delivery.stored
