"""`caxton health` and `caxton stats` as text, from what a runtime tells."""

import msgspec
import pytest
from typer.testing import CliRunner

from caxton.cli.main import app
from caxton.errors import ShardUnavailable
from caxton.wire.told import ComponentHealth, Health, HealthReason, LimitWarning, RouterStats, WorkerHealth

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

    def run(command, values, *without):
        plain = {name: value for name, value in msgspec.to_builtins(values).items() if name not in without}

        def no_client(*_arguments):
            raise ShardUnavailable(0, "restarting")

        monkeypatch.setattr(f"caxton.cli.commands.{command}.ask_values", lambda *_arguments: plain)
        monkeypatch.setattr("caxton.cli.commands.stats.with_client", no_client)
        return CliRunner().invoke(app, [command])

    return run


def test_health_says_why_and_what_was_last(told):
    """Status, every reason with what to do, the last error of the run, and the workers."""
    shown = told("health", HEALTH).stdout

    assert "degraded (shard 0 takes nothing durable: no room): up 5 s, 1 of 9 sessions" in shown
    assert "make room" in shown
    assert "last error of this run: a worker of shard 0 died: killed by SIGKILL" in shown
    assert "5 MiB" in shown
    assert "limits that are near" in shown
    assert [word for word in ("mailbox", "agent slow", "1900", "2000", "95 %") if word not in shown] == []


def test_stats_say_what_was_done_and_what_waits(told):
    """Also while a shard does not answer, whose ledger is missing then."""
    shown = told("stats", STATS).stdout

    assert "processed 4, errors 0, waiting 0 for agents and 0 for other shards" in shown
    assert "files of the shards 3.0 MiB" in shown
    assert "no ledger" in shown


@pytest.mark.parametrize(("command", "values"), [("health", HEALTH), ("stats", STATS)])
def test_what_an_older_runtime_does_not_tell_is_left_out(told, command, values):
    """A command of today shows what there is."""
    shown = told(command, values, *NEW)

    assert shown.exit_code == 0
    assert "up 5 s" in shown.stdout
