from hypothesis import given
from hypothesis import strategies as st

from caxton.supervisor.compiler.fair_queue import FairQueue


def drained(queue):
    items = []
    while (item := queue.take()) is not None:
        items.append(item)
    return items


def test_lines_are_served_in_turn():
    """Who asks once waits for one of each other's, and not for all that one of them asked for before."""
    queue = FairQueue(8)
    for item in ("a1", "a2", "a3"):
        assert queue.put(1, item) is None
    assert (queue.put(2, "b1"), queue.put(3, "c1")) == (None, None)

    assert drained(queue) == ["a1", "b1", "c1", "a2", "a3"]


def test_the_longest_line_gives_way():
    """When there is no room, the last of the longest line goes for somebody who has fewer; its owner gets no more."""
    queue = FairQueue(3)
    assert [queue.put(1, item) for item in ("a1", "a2", "a3", "a4")] == [None, None, None, "a4"]
    assert queue.put(2, "b1") == "a3"
    assert queue.put(2, "b2") == "b2"
    assert queue.put(3, "c1") == "a2"
    assert queue.put(4, "d1") == "d1"

    assert drained(queue) == ["a1", "b1", "c1"]


@given(st.lists(st.integers(1, 4), max_size=60))
def test_nothing_is_lost_and_no_line_loses_to_a_longer_one(owners):
    """Each item comes or is refused, once; the bound holds, and nobody who has one place only loses it."""
    queue, refused = FairQueue(5), []
    for number, owner in enumerate(owners):
        gone = queue.put(owner, (owner, number))
        assert len(queue) <= 5
        if gone is not None:
            refused.append(gone)
            assert owner == gone[0] or any(other == gone[0] for other, _ in queue._lines[gone[0]])

    assert sorted([*drained(queue), *refused]) == sorted((owner, number) for number, owner in enumerate(owners))
