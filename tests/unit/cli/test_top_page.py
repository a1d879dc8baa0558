"""The page of `caxton top`, from what a runtime tells."""

import msgspec
import pytest

from caxton.cli.top.page import page
from caxton.cli.top.seen import Seen
from caxton.cli.top.view import View
from caxton.wire.busy import Busiest, BusyAgent, BusyBy
from caxton.wire.told import Health, HealthReason, LatencyStats, RouterStats, WorkerHealth

HOSTILE = "evil\x1b[2J\u202e[bold]x\n" + "x" * 200
SHARDS = 4


def agent(name, number=1, **changed):
    plain = BusyAgent(number, name, 0, "running", 12.0, 0.5, 0.25, 3, 1_000, 2)
    return msgspec.structs.replace(plain, **changed)


def stats(run, **changed):
    workers = [{"shard": n, "incarnation": n + 1, "state": "ready", "run": run, "queued": n} for n in range(SHARDS)]
    totals = {"run": run * SHARDS, "refused": run // 10}
    told = RouterStats(10.0, 1, 9, workers, totals, {"total": 0}, 0, {}, total_messages_processed=run)
    latencies = {"waiting": LatencyStats(run, buckets=[run, 5])}
    return msgspec.structs.replace(told, latencies=latencies, **changed)


HEALTH = Health(
    "degraded",
    "no room",
    [HealthReason("disk_full", "problem", 0, f"no room for {HOSTILE}", "make room", 0)],
    10.0,
    "0.1.0",
    7,
    "/run",
    "/data",
    1,
    9,
    [],
    [WorkerHealth(n, 8 + n, n + 1, "ready", 0, 3, 5 << 20, 0) for n in range(SHARDS)],
)


@pytest.fixture
def seen():
    before = Seen(0.0, stats(100), HEALTH, None)
    return Seen(2.0, stats(300), HEALTH, Busiest([agent(HOSTILE), agent("calm", 2)], 2_000, 12), before=before)


def texts(lines):
    return [line.text for line in lines]


def test_a_page_tells_problems_rates_times_shards_and_agents(seen):
    """All there is, where no screen bounds it; rates and times are those since the look before."""
    shown = texts(page(seen, View(), "", None))

    assert shown[0].startswith("degraded, up 10 s: 4 of 4 shards ready, 12 agents")
    assert "make room" in shown[1]
    assert shown[2] == "now: refused 10.0/s; see `caxton stats`"
    assert shown[3].startswith("a second: turns 400, ")
    assert sum(line.startswith(f"{n}  ") and "100.0" in line for n, line in enumerate(shown[5:9])) == SHARDS
    (waiting,) = (line.split()[1:] for line in shown if line.startswith("waiting "))
    assert waiting == ["0", "us", "1", "us", "1", "us", "1", "us"]
    assert "[turns/s]" in "\n".join(shown)
    assert any(line.startswith("calm ") and "25.0%" in line for line in shown)


def test_what_goes_wrong_in_a_shard_is_seen_in_eighty_columns(seen):
    """What a narrow terminal cuts is of less weight: memory, restarts, what waits for other shards."""
    (head,) = (line for line in texts(page(seen, View(), "", None)) if line.startswith("shard "))
    first = next(line for line in texts(page(seen, View(), "", None)) if line.startswith("0  "))

    assert head[:80].split("  ")[:2] == ["shard", "state"]
    for name in ("turns/s", "waiting", "pending", "dead letters", "oldest ms", "agents"):
        assert name in head[:80]
    assert first[head.index("turns/s") :].startswith("100.0")
    assert first[head.index("memory") :].startswith("5 MiB")


def test_names_of_others_are_text(seen):
    """Nothing of a name moves a cursor, turns text round or makes a line; a long one is cut."""
    shown = texts(page(seen, View(), "x\x1b[31m", 40))

    assert all(line.isprintable() for line in shown)
    assert any("evil\\x1b[2J\\u202e[bold]x\\n" in line for line in shown)
    assert max(map(len, (line for line in shown if line.startswith("evil")))) < 200


@pytest.mark.parametrize("height", [1, 5, 8, 12, 20, 50])
def test_a_page_has_the_height_of_its_screen_and_keys_below(seen, height):
    """On a small screen parts give way, and the keys stay where there is room for anything."""
    shown = page(seen, View(by=BusyBy.MAILBOX), "", height)

    assert shown[-1].text.startswith("q quit")
    assert len(shown) == height or (len(shown) > height and height < 8)


def test_a_filter_leaves_out_who_does_not_fit(seen):
    """And says so where nobody fits."""
    assert not any(text.startswith("evil") for text in texts(page(seen, View(wanted="calm"), "", None)))
    assert "  nobody of these is among the busiest" in texts(page(seen, View(wanted="zzz"), "", None))


def test_what_is_not_known_is_not_made_up(seen):
    """Before the first look, at the first look, without agents, and with a shard or the runtime away."""
    assert texts(page(None, View(), "looking", 10))[0] == "looking"
    first = Seen(0.0, stats(5), HEALTH, None, "a shard does not tell them in time")
    shown = texts(page(first, View(), "the runtime is gone", 40))
    assert shown[0] == "the runtime is gone"
    assert any("not known yet" in line for line in shown)
    assert "agents: a shard does not tell them in time" in shown
    away = Seen(0.0, stats(5), HEALTH, Busiest([], 1, 0, [1, 3]))
    assert "shards that do not serve: 1, 3" in texts(page(away, View(), "", 40))
    other = stats(1)
    other.workers[0]["incarnation"] = 99
    assert Seen(3.0, other, HEALTH, None, before=first).rate_of_shard(0, "run") is None
