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


@pytest.fixture
def log(shard, message):
    guest_log, handled = GuestLog(shard.parts.watching.logs), message(1, 2)
    return lambda agent, level, line: guest_log.write(agent, level, line, handled, 9)


def test_lines_name_their_agent_and_level(shard, log, caplog, clock):
    """A guest's line is logged under its agent's name with its level."""
    agent = shard.agent(1)
    with caplog.at_level(logging.DEBUG, "caxton.guest"):
        for level in range(4):
            log(agent, level, f"line {level}")

    assert [record.levelno for record in caplog.records] == [
        logging.DEBUG,
        logging.INFO,
        logging.WARNING,
        logging.ERROR,
    ]
    assert caplog.records[0].getMessage() == "a1: line 0"


def test_a_flood_of_lines_is_cut_and_counted(shard, log, caplog, clock):
    """Lines beyond 200 a second, of all agents together, or dropped by the sandbox, are counted, and not for ever."""
    one, other = shard.agent(1), shard.agent(2)
    with caplog.at_level(logging.DEBUG, "caxton.guest"):
        for _ in range(150):
            written = [log(one, 1, "x"), log(other, 1, "x")]
        assert written == [False, False]
        assert not log(other, 0, None)
        assert len(caplog.records) == LINES_PER_S
        clock.now_s += 1
        assert log(one, 1, "again")

    assert caplog.records[-1].getMessage() == "a1: again"
    assert one.counters == {"log_lines": 151, "log_dropped": 50}
    assert other.counters == {"log_lines": 151, "log_dropped": 51}


def test_lines_are_kept_beyond_what_is_written(shard, log, clock):
    """Also those that come too fast for this process's log; with the message that was handled, and when."""
    agent = shard.agent(1)
    for number in range(LINES_PER_S + 50):
        log(agent, 2, str(number))
    log(agent, 0, None)
    ring = shard.parts.watching.logs.find(agent.agent_id).ring
    lines = [line for _, line, _ in ring.behind(0)]
    assert [line.text for line in lines] == [str(number) for number in range(LINES_PER_S + 50)]
    assert ring.last == LINES_PER_S + 51
    assert (lines[0].level, lines[0].message, lines[0].at) == ("warning", (1).to_bytes(16), 9)
