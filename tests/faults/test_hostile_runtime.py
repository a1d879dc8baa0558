"""Hostile guests and frames on a real runtime, in short. `scripts/hostile --long` is the long form."""

import json

import pytest
from typer.testing import CliRunner

from faultlab.hostile.__main__ import app
from faultlab.hostile.corpus import kinds

# One of each file, and those that a single sandbox does not show: what a runtime makes of them lasts beyond the turn.
CHOSEN = [
    "a component",
    "data outside of the memory",
    "a loop in the start function",
    "a line as long as the memory, of controls",
    "caxton_alloc answers one byte too late",
    "half a million messages",
    "an answer beside 255 messages to agents that do not exist",
    "it answers everything, failures too, with messages to nobody",
    "it answers everything with two messages of half a MiB to itself",
]


@pytest.fixture
def tried():
    """Runs the command line and returns what it prints as JSON, with its exit code."""

    def run(*options):
        result = CliRunner().invoke(app, [*options, "-o", "json"])
        return json.loads(result.stdout.splitlines()[-1]), result.exit_code

    return run


def test_guests_meet_what_they_must_on_both_lanes_and_in_both_encodings(tried):
    """As a client meets them, hostile guests come to what they must, their neighbour answers, and the books balance."""
    options = [word for name in CHOSEN for word in ("--kind", name)]
    said, code = tried(*options)

    assert said["problems"] == []
    assert code == 0
    assert {row["kind"] for row in said["kinds"]} == set(CHOSEN)
    assert len(kinds()) > len(CHOSEN)


def test_frames_that_are_nearly_right_are_counted_and_no_more(tried):
    """Thousands of mutated frames to every socket of worker, supervisor and client leave the same processes serving."""
    said, code = tried("--kind", "nothing", "--frames", "20000", "--seed", "1")

    assert said["problems"] == []
    assert code == 0
    assert {"worker data", "worker control", "supervisor control", "supervisor calls"} <= said["frames"].keys()
    assert {"session data", "session control"} <= said["frames"].keys()


def test_operators_and_neighbours_are_answered_in_a_storm(tried):
    """Beside 10,000 dead letters at a time and agents that use all of their time, every call is answered."""
    said, _ = tried("--kind", "nothing", "--storm", "1")

    calls = {row["kind"].removeprefix("in a storm, "): row for row in said["kinds"] if "storm" in row["kind"]}
    asked = {"request", "send", "stats", "health", "inspect", "purge", "pause", "stop", "remove", "deploy"}
    assert calls.keys() >= asked
    assert {row["outcome"] for row in calls.values()} <= {"answered", "answered late"}, "how fast is another question"


def test_a_kind_that_there_is_not_is_named(tried):
    """A misspelt kind is refused with those that there are."""
    result = CliRunner().invoke(app, ["--kind", "recursoin"])

    assert result.exit_code != 0
    assert "recursion" in result.output
