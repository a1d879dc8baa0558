import json
from contextlib import asynccontextmanager

import pytest
from typer.testing import CliRunner

import caxton
from caxton.cli.main import app
from caxton.store.ledger import check
from caxton.wire.shard_ledger import ShardLedger
from caxton.wire.told import RouterStats

LOST = {"on_the_way_in": 1, "queued": 0, "on_the_way_out": 0, "gaps": 0, "total": 1}


def books(shard, pending):
    """A shard that took 5 messages from clients and handled 3 of them."""
    return ShardLedger(
        shard=shard,
        file=shard + 100,
        counts={"accepted_clients": 5, "processed": 3},
        pending=pending,
        outbox={},
        dead_letters=0,
        emitted={},
        acknowledged={},
        taken={},
        rows={},
    )


@pytest.fixture
def ledger(monkeypatch):
    """Run `caxton ledger` on shards of which each has so many messages pending."""

    def run(*pending, options=()):
        class Client:
            async def ledger(self):
                return check([books(shard, waiting) for shard, waiting in enumerate(pending)])

            async def stats(self):
                totals = {"run": 9, "taken_from_sessions": 12}
                return RouterStats(1.0, 1, 9, [], totals, LOST, 0, {})

        @asynccontextmanager
        async def connect(_runtime_dir, **_options):
            yield Client()

        monkeypatch.setattr(caxton, "connect", connect, raising=False)
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["ledger", *options])

    return run


def test_books_that_balance(ledger):
    """When every shard's books balance, the exit code is 0 and each term stands there, per shard and in all."""
    shown = ledger(2, 2, options=["-o", "json"])

    told = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert (told["balanced"], told["problems"]) == (True, [])
    terms = ("accepted", "processed", "dead", "expired", "pending", "in_flight", "balanced")
    assert [told["durable"]["all"][term] for term in terms] == [10, 6, 0, 0, 4, 0, True]
    assert [shard["shard"] for shard in told["durable"]["shards"]] == [0, 1]
    assert [told["durable"]["shards"][1][term] for term in terms] == [5, 3, 0, 0, 2, 0, True]
    assert told["volatile"]["lost"] == LOST
    assert told["volatile"]["both_lanes"]["run"] == 9


def test_books_that_do_not_balance_name_their_shard(ledger):
    """When the books of a shard do not balance, the exit code is 1, and the shard and both figures are named."""
    as_json, as_text = ledger(2, 1, options=["-o", "json"]), ledger(2, 1)

    told = json.loads(as_json.stdout)
    assert (as_json.exit_code, as_text.exit_code) == (1, 1)
    assert told["balanced"] is False
    assert [shard["balanced"] for shard in told["durable"]["shards"]] == [True, False]
    assert "shard 1: 5" in told["problems"][0]
    assert "DOES NOT BALANCE: shard 1: 5" in as_text.stdout


def test_the_ledger_for_people(ledger):
    """As text there is a row for each shard and one for all, and what the volatile lane lost."""
    shown = ledger(2, 2)

    assert shown.exit_code == 0
    assert all(word in shown.stdout for word in ("shard 0", "shard 1", "all", "in flight", "yes", "on the way in 1"))
