"""What is kept of what agents log, and who loses lines when a shard keeps as much as it may."""

import pytest

from workers.watching import logs as room
from workers.watching.logs import Logs
from workers.watching.waits import Waits

MESSAGE = bytes(range(16))


@pytest.fixture
def logs():
    return Logs(Waits())


def kept(logs, agent):
    log = logs.find(agent)
    return [] if log is None else [line.text for _, line, _ in log.ring.behind(0)]


def write(logs, agent, *texts):
    for text in texts:
        logs.write(agent, 1, text, MESSAGE, 5)


def test_an_agent_has_so_many_lines(logs):
    """The thousandth is kept beside the first, and the next one takes the place of the first."""
    write(logs, 7, *map(str, range(room.MOST_LINES)))
    assert kept(logs, 7)[0] == "0"
    write(logs, 7, "more")
    assert (len(kept(logs, 7)), kept(logs, 7)[0], logs.evicted) == (room.MOST_LINES, "1", 1)


def test_an_agent_has_so_many_bytes_of_lines(logs):
    """However few lines these are."""
    write(logs, 7, *["x" * 4_096] * 200)
    log = logs.find(7)
    assert room.MOST_LINE_BYTES - 5_000 < log.ring.bytes <= room.MOST_LINE_BYTES
    assert logs.evicted == 200 - len(log.ring) > 0


def test_a_shard_keeps_so_many_bytes_of_lines(logs, monkeypatch):
    """Those of who logs most make room for others, however often these log; what is weighed is what is kept."""
    monkeypatch.setattr(room, "MOST_LOG_BYTES", 60_000)
    for quiet in range(100, 120):
        write(logs, quiet, "quiet")
    for number in range(200):
        write(logs, number % 3, "loud" * 100)
    assert logs.bytes <= 60_000
    assert all(kept(logs, quiet) == ["quiet"] for quiet in range(100, 120))
    assert logs.bytes == sum(logs.find(a).ring.bytes + room.OF_LOG for a in [*range(3), *range(100, 120)])
    assert logs.evicted == 200 - sum(len(kept(logs, loud)) for loud in range(3))


def test_many_agents_with_a_line_each_are_bounded_too(logs, monkeypatch):
    """Where nobody has more than others the oldest go, with all that was kept for them."""
    monkeypatch.setattr(room, "MOST_LOG_BYTES", 20_000)
    for agent in range(500):
        write(logs, agent, "once")
    assert logs.bytes <= 20_000
    assert kept(logs, 499) == ["once"]
    there = [agent for agent in range(500) if logs.find(agent)]
    assert logs.bytes == sum(logs.find(a).ring.bytes + room.OF_LOG for a in there)
    for agent in there:
        logs.forget(agent)
    assert logs.bytes == 0


def test_a_line_beyond_the_quota_has_its_number(logs):
    """It is not kept, and whoever reads is told of it."""
    write(logs, 7, "a", None, None, "b")
    (_, _, before), (_, _, gap) = logs.find(7).ring.behind(0)
    assert (before, gap) == (0, 2)


def test_what_is_written_after_a_removal_is_another_log(logs):
    """So that nobody takes its numbers for those of the log before."""
    write(logs, 7, "a")
    first = logs.find(7).number
    logs.forget(7)
    write(logs, 7, "b")
    assert logs.find(7).number != first
    assert kept(logs, 7) == ["b"]
