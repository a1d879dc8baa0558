"""What came last, with numbers by which nobody reads anything twice or misses anything without a word."""

from hypothesis import given
from hypothesis import strategies as st

from caxton.ring import Ring


def test_it_keeps_so_many_and_so_many_bytes():
    """The oldest makes room, at either bound; the last one is kept whatever it weighs."""
    ring = Ring(3, 10)
    for item in "abc":
        ring.add(item, 3)
    assert [kept.item for kept in ring.behind(0)] == ["a", "b", "c"]
    ring.add("d", 1)
    assert [kept.item for kept in ring.behind(0)] == ["b", "c", "d"]
    ring.add("e", 7)
    assert ([kept.item for kept in ring.behind(0)], ring.bytes) == (["d", "e"], 8)
    ring.add("f", 99)
    assert ([kept.item for kept in ring.behind(0)], ring.bytes, ring.dropped) == (["f"], 99, 5)


@given(st.lists(st.sampled_from(["add", "skip", "drop", "read"]), max_size=60))
def test_a_reader_sees_each_once_and_counts_the_rest(steps):
    """What it read and what it was told it missed are together what came."""
    ring, seen, missed, at = Ring(4, 1 << 30), [], 0, 0
    for step in [*steps, "read"]:
        if step == "add":
            ring.add(ring.last + 1, 1)
        elif step == "skip":
            ring.skip()
        elif step == "drop":
            ring.drop_oldest()
        else:
            for number, item, gap in ring.behind(at):
                assert number == item
                seen.append(item)
                missed, at = missed + gap, number
            missed, at = missed + ring.last - at, ring.last
    assert seen == sorted(set(seen))
    assert len(seen) + missed == ring.last
    assert ring.dropped + len(ring) == ring.last
