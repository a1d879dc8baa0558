"""Attacks beside a neighbour, in short. `scripts/worst` is the long form: whether its figures hold is asked there."""

import json

import pytest
from typer.testing import CliRunner

from faultlab.worst.__main__ import app
from faultlab.worst.attacks import FULL_TURN_MS
from faultlab.worst.victims import Cost

GOOD = {
    "attack": "chain",
    "seconds": 60.0,
    "worker_mib": 512.0,
    "supervisor_mib": 0.0,
    "disk_mib": 2_048.0,
    "stats_s": 1.0,
    "asked": 9,
    "unanswered": 0,
    "alone_ms": 1.0,
    "beside_ms": 2.0,
    "died": 0,
}


@pytest.mark.parametrize(
    ("changed", "misses"),
    [
        ({}, []),
        ({"worker_mib": 512.1}, ["memory"]),
        ({"supervisor_mib": 512.1}, ["memory"]),
        ({"disk_mib": 2_048.1}, ["disk"]),
        ({"stats_s": 1.1}, ["stats"]),
        ({"unanswered": 1, "died": 1}, ["lost", "a worker died"]),
        ({"beside_ms": 2.1}, ["p99"]),
        ({"attack": "loop", "beside_ms": 2.0 + FULL_TURN_MS}, []),
        ({"attack": "loop", "beside_ms": 2.1 + FULL_TURN_MS}, ["p99"]),
    ],
)
def test_what_a_figure_misses_is_named(changed, misses):
    """Each figure may be reached and not passed; beside who uses full turns a neighbour may wait for one of them."""
    assert Cost(**(GOOD | changed)).misses == misses


def test_a_neighbour_is_asked_beside_an_attack_and_loses_nothing():
    """A short attack is measured on a runtime of its own: every request of the neighbour is answered."""
    done = CliRunner().invoke(app, ["--attack", "refused", "--seconds", "1", "--rate", "50", "-o", "json"])
    (cost,) = json.loads(done.stdout.splitlines()[-1])["attacks"]

    assert (cost["attack"], cost["unanswered"], cost["died"]) == ("refused", 0, 0)
    assert cost["asked"] == 2 * (50 + 50)
    assert cost["beside_ms"] > 0 < cost["stats_s"]


def test_an_attack_that_there_is_not_is_named():
    """A misspelt attack is refused with those that there are."""
    done = CliRunner().invoke(app, ["--attack", "lop"])
    assert done.exit_code == 1
    assert "loop" in done.stderr
