"""`caxton health` and `caxton stats` as text, from what a runtime tells."""

import json

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from caxton.cli.main import app
from caxton.cli.stats_text import standing_out
from caxton.errors import ShardUnavailable
from caxton.wire.counters import COUNTERS
from caxton.wire.supervision import AskHealth
from caxton.wire.told import (
    ComponentHealth,
    Health,
    HealthReason,
    LatencyStats,
    LimitWarning,
    RouterStats,
    WorkerHealth,
)

HEALTH = Health(
    status="degraded",
    reason="shard 0 takes nothing durable: no room",
    reasons=[HealthReason("disk_full", "problem", 0, "shard 0 takes nothing durable: no room", "make room", 0)],
    uptime_s=5.0,
    version="0.1.0",
    pid=7,
    runtime_dir="/run/caxton",
    data_dir="/data",
    sessions=1,
    most_sessions=9,
    restarting=[],
    workers=[WorkerHealth(0, 8, 1, "ready", 1, 3, 5 << 20, 0, "killed by SIGKILL")],
    components={"shard 0": ComponentHealth("degraded", 0, 2, "shard 0 takes nothing durable: no room")},
    last_error="a worker of shard 0 died: killed by SIGKILL",
    warnings=[LimitWarning("mailbox", 0, "agent slow", 1_900, 2_000, "mailbox of agent slow: 1900 of 2000", 0)],
)
STATS = RouterStats(
    5.0, 1, 9, [{"shard": 0, "run": 3}], {"run": 4}, {"total": 0}, 0, {}, 4, database_size_bytes=3 << 20
)
# What a runtime before these fields does not tell.
NEW = ("components", "warnings", "last_error", "total_messages_processed", "inbound_queue_depth", "database_size_bytes")


@pytest.fixture
def told(monkeypatch):
    """Run a command on a runtime that tells these values, and of whose shards none answers."""

    def run(command, values, *without, options=(), health=None):
        plain = {name: value for name, value in msgspec.to_builtins(values).items() if name not in without}

        def no_client(*_arguments):
            raise ShardUnavailable(0, "restarting")

        def told(_runtime_dir, question):
            return msgspec.to_builtins(health) if health is not None and isinstance(question, AskHealth) else plain

        monkeypatch.setattr(f"caxton.cli.commands.{command}.ask_values", told)
        monkeypatch.setattr("caxton.cli.commands.stats.with_figures", no_client)
        return CliRunner().invoke(app, [command, *options])

    return run


def test_health_says_why_and_what_was_last(told):
    """Status, every reason with what to do, the last error of the run, and the workers."""
    shown = told("health", msgspec.structs.replace(HEALTH, uptime_s=65.0, most_sessions=1_024)).stdout

    assert "degraded (shard 0 takes nothing durable: no room): up 1 min 5 s, 1 of 1,024 sessions, pid 7" in shown
    assert "make room" in shown
    assert "last error of this run: a worker of shard 0 died: killed by SIGKILL" in shown
    assert "5 MiB" in shown
    assert "limits that are near" in shown
    assert [word for word in ("mailbox", "agent slow", "1900", "2000", "95 %") if word not in shown] == []


def test_stats_say_what_was_done_and_what_waits(told):
    """Also while a shard does not answer, whose ledger is missing then."""
    shown = told("stats", STATS).stdout

    assert "processed 4, errors 0, waiting 0 for agents and 0 for other shards" in shown
    assert shown.index("no ledger: shard 0") < shown.index("now: not known yet") < shown.index("this run")
    assert "files of the shards 3.0 MiB" in shown
    assert "no ledger" in shown


@pytest.mark.parametrize(("command", "values"), [("health", HEALTH), ("stats", STATS)])
def test_what_an_older_runtime_does_not_tell_is_left_out(told, command, values):
    """A command of today shows what there is."""
    shown = told(command, values, *NEW)

    assert shown.exit_code == 0
    assert "up 5 s" in shown.stdout


BUSY = RouterStats(
    3_900.0,
    1,
    9,
    [{"shard": 0, "state": "ready", "run": 3}],
    {"run": 1_000, "refused": 2, "expired": 70, "queued": 5},
    {"queued": 3, "gaps": 0, "total": 3},
    0,
    {"calls \x1b[31m": 2},
    latencies={"waiting": LatencyStats(7, 3.2, 1_500.0, 2_000_000.0, None), "commit": LatencyStats(0)},
    rates={"run": 120.5, "refused": 0.5},
    rates_s=10.0,
    peak_messages_per_second=2_000.0,
)


def test_what_stands_out_comes_first(told):
    """What health says, what was lost, and what was refused or failed: what still goes on before what is over."""
    shown = told("stats", BUSY, health=HEALTH).stdout
    lines = shown.splitlines()

    assert lines[0] == "degraded, up 1 h 5 min: 1 of 1 shard ready, 3 agents, 1 of 9 sessions"
    assert lines[1:3] == ["stands out", "  problem: shard 0 takes nothing durable: no room; make room"]
    places = [
        shown.index(word)
        for word in ("near its limit", "lost of the volatile lane: queued 3", "refused  ", "expired  ", "now, a second")
    ]
    assert places == sorted(places)
    assert "2,000 turns" in shown
    assert "120.5" in shown
    assert "\\x1b[31m" in shown
    assert "\x1b" not in shown
    assert [line.split() for line in lines if line.startswith("  waiting  ")] == [
        ["waiting", "3", "us", "1.5", "ms", "2.0", "s", "-", "7"]
    ]


def test_where_all_is_well_nothing_stands_out(told):
    """What happens all the time where all is well is no news."""
    well = msgspec.structs.replace(HEALTH, status="healthy", reasons=[], warnings=[])
    quiet = msgspec.structs.replace(
        BUSY, totals={"run": 5, "queued": 1, "commits": 3}, lost={"total": 0}, dropped_by_supervisor={}
    )
    shown = list(standing_out(quiet, well, {"problem": None, "ledger": {"balanced": True}}, 12))

    assert shown == ["nothing stands out: nothing was refused, failed or lost in this run"]


@pytest.mark.parametrize("options", [["--all"], ["--all", "-o", "wide"], ["-o", "wide"]])
def test_every_counter_is_explained_where_all_are_asked_for(told, options):
    """One line for each, with what it counts; wide has the shards beside each other."""
    shown = told("stats", BUSY, options=options, health=HEALTH).stdout

    assert ("turns that ended, whichever way" in shown) == ("--all" in options)
    assert ("oldest ms" in shown) == ("wide" in options)
    assert ("every counter: caxton stats --all" in shown) == ("--all" not in options)


def test_what_counters_count_is_explained_without_a_runtime():
    """`--explain` asks nobody, in each format."""
    text, as_json, as_yaml = (
        CliRunner().invoke(app, ["stats", "--explain", "-o", kind]).stdout for kind in ("text", "json", "yaml")
    )

    assert {line.split()[0] for line in text.splitlines()[1:]} == set(COUNTERS)
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert set(json.loads(as_json)) == set(COUNTERS)


def test_yaml_is_what_json_is(told):
    """The same values, and nothing that a terminal would obey."""
    as_json, as_yaml = (told("stats", BUSY, options=["-o", kind]).stdout for kind in ("json", "yaml"))

    assert yaml.safe_load(as_yaml) == json.loads(as_json)
    assert "\x1b" not in as_yaml


@pytest.mark.parametrize("seconds", ["0", "0.1", "3601", "nan", "soon"])
def test_a_watch_has_bounds(seconds):
    """Nobody is asked a thousand times a second, nor never."""
    assert CliRunner().invoke(app, ["stats", "--watch", seconds]).exit_code == 2
