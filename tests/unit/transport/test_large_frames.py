import pytest

from caxton.transport.large_frames import MOST_LARGE, MOST_OF_PROCESS, MOST_SILENCE_S, LargeFrames

SIZE = 8 << 20


@pytest.fixture
def large():
    return LargeFrames()


def begin(large, line, process, size=SIZE, now_s=0.0, *, dry=False):
    large.settle(line, process, size, now_s, dry=dry)
    return not large.is_parked(line)


def test_a_process_has_a_share(large):
    """Beyond a process's share its frames wait, and those of others do not; they go on when there is room again."""
    assert [begin(large, line, process=1) for line in range(4)] == [True, True, False, False]
    assert begin(large, 10, process=2)

    assert large.forget(0) == [2]
    assert large.is_parked(3)


def test_all_together_have_a_bound(large):
    """Beyond what all have together frames wait, longest first, whoever sends them."""
    begun = [begin(large, line, process=line) for line in range(MOST_LARGE // SIZE + 2)]
    assert begun == [True] * (MOST_LARGE // SIZE) + [False, False]

    assert large.forget(3) == [len(begun) - 2]
    assert large.forget(4) == [len(begun) - 1]


def test_one_frame_fits_in_any_case(large):
    """A frame that is larger than a share comes when its process has no other under way."""
    assert begin(large, 1, process=1, size=MOST_OF_PROCESS + 1)
    assert not begin(large, 2, process=1)


def test_a_frame_that_is_whole_makes_room(large):
    """When a line has another frame under way, or none, the room of the last one is free."""
    assert [begin(large, line, process=1) for line in range(3)] == [True, True, False]
    assert large.settle(0, 1, 0, 1.0, dry=False) == [2]
    assert large.settle(1, 1, SIZE + 1, 1.0, dry=False) == []
    assert large.is_parked(1)


def test_who_says_nothing_is_ended_when_others_wait(large):
    """Silence is counted over all of a frame, and only while somebody waits; who is read is not silent."""
    silent, dripping, busy = 1, 2, 3
    for line in (silent, dripping, busy):
        begin(large, line, process=line, size=MOST_OF_PROCESS, dry=line == silent)
    for step in range(5):
        large.settle(dripping, dripping, MOST_OF_PROCESS, step * MOST_SILENCE_S / 3, dry=True)
    assert large.slow(MOST_SILENCE_S * 2) == []

    assert not begin(large, 4, process=busy)
    assert set(large.slow(MOST_SILENCE_S * 2)) == {silent, dripping}


def test_a_parked_line_that_ends_waits_no_more(large):
    """A line that has ended is begun no more."""
    assert [begin(large, line, process=1) for line in range(4)] == [True, True, False, False]
    assert large.forget(2) == []
    assert large.forget(0) == [3]
    assert large.forget(1) == []
