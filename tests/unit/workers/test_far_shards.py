import pytest

from workers.queues.far_shards import FIRST_WAIT_NS, LONGEST_WAIT_NS, FarShards

ONE, TWO = 1, 2


@pytest.fixture
def far():
    return FarShards({ONE: "agent one", TWO: "agent two"})


def test_only_who_sends_there_is_kept_back(far):
    """An agent whose effects met a crowded shard begins nothing, and another one does."""
    far.met(5, ONE, 0)
    assert (far.keeps_back(ONE), far.keeps_back(TWO)) == (True, False)
    assert far.kept_back() == {5: [ONE]}


def test_only_agents_that_are_registered_are_kept(far):
    """Of agents of other shards, and of those that are removed, nothing is kept; that the shard is crowded is."""
    far.met(5, 77, 0)
    assert far.crowded == {5: {}}
    far.met(5, ONE, 0)
    far.forget(ONE)
    assert far.crowded == {5: {}}


def test_whoever_waits_for_two_shards_goes_on_when_both_have_room(far):
    """Room in one of two shards frees only those that wait for no other."""
    far.met(5, ONE, 0)
    far.met(6, ONE, 0)
    far.met(5, TWO, 0)
    assert far.has_room(5) == ["agent two"]
    assert far.keeps_back(ONE)
    assert far.has_room(6) == ["agent one"]
    assert far.crowded == {}


def test_who_waits_tries_again_ever_more_rarely(far):
    """Each time that its effects go there again an agent waits twice as long, up to the most, and never for ever."""
    now_ns = waits = 0
    far.met(5, ONE, now_ns)
    for _ in range(20):
        waits = min(waits * 2, LONGEST_WAIT_NS) or FIRST_WAIT_NS
        far.met(5, ONE, now_ns)  # what it began before makes it wait no longer
        assert far.due(now_ns + waits - 1) == []
        now_ns += waits
        assert far.due(now_ns) == ["agent one"]
        assert not far.keeps_back(ONE)
        assert far.due(now_ns) == []
        far.met(5, ONE, now_ns)
    assert waits == LONGEST_WAIT_NS


def test_who_tried_and_sent_elsewhere_goes_on(far):
    """Once an agent has tried again it waits no more until something of it goes there."""
    far.met(5, ONE, 0)
    far.due(FIRST_WAIT_NS)
    assert far.due(LONGEST_WAIT_NS) == []
    assert far.kept_back() == {5: []}
    assert far.has_room(5) == []
