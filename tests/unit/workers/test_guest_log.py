import logging

import pytest

from workers.turns.guest_log import LINES_PER_S, GuestLog


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 5.0

        def __call__(self):
            return self.now_s

    clock = Clock()
    monkeypatch.setattr("workers.turns.guest_log.monotonic", clock)
    return clock


def test_lines_name_their_agent_and_level(shard, caplog, clock):
    """A guest's line is logged under its agent's name with its level."""
    agent = shard.agent(1)
    log = GuestLog()
    with caplog.at_level(logging.DEBUG, "caxton.guest"):
        for level in range(4):
            log.write(agent, level, f"line {level}")

    assert [record.levelno for record in caplog.records] == [
        logging.DEBUG,
        logging.INFO,
        logging.WARNING,
        logging.ERROR,
    ]
    assert caplog.records[0].getMessage() == "a1: line 0"


def test_a_flood_of_lines_is_cut_and_counted(shard, caplog, clock):
    """Lines beyond 200 a second, of all agents together, or dropped by the sandbox, are counted, and not for ever."""
    one, other = shard.agent(1), shard.agent(2)
    log = GuestLog()
    with caplog.at_level(logging.DEBUG, "caxton.guest"):
        for _ in range(150):
            written = [log.write(one, 1, "x"), log.write(other, 1, "x")]
        assert written == [False, False]
        assert not log.write(other, 0, None)
        assert len(caplog.records) == LINES_PER_S
        clock.now_s += 1
        assert log.write(one, 1, "again")

    assert caplog.records[-1].getMessage() == "a1: again"
    assert one.counters == {"log_lines": 151, "log_dropped": 50}
    assert other.counters == {"log_lines": 151, "log_dropped": 51}
