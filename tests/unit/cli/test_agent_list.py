"""`caxton agent list` and `caxton deadletter list` with more than fits on a page."""

import json
from contextlib import asynccontextmanager

import pytest
from typer.testing import CliRunner

import caxton
from caxton.acl.envelope import Envelope
from caxton.cli.main import app
from caxton.wire.calls import AgentView, DeadLetter, Failed
from caxton.wire.told import DeadLetterStats

MANY = 250


def agent(number):
    return AgentView(
        agent_id=number + 1,
        name=f"agent-{number:03}",
        state="running",
        shard=0,
        encoding="content",
        capabilities=(),
        module=bytes(32),
        instantiated=False,
        queued=0,
        limits={},
        counters={"run": number},
    )


def letter(number):
    return DeadLetter(number, 1, "expired", Failed("MessageExpired", {}), 1, 0, 5, Envelope(bytes(16), 7, 5, 7, b"hi"))


class Agents:
    def __init__(self, found, total):
        self.found, self.total = found, total

    async def __aiter__(self):
        for number in range(self.found):
            yield agent(number)


class Client:
    def __init__(self, many):
        self.many = many

    def agents(self, name, state, limit):
        return Agents(self.many if limit is None else min(limit, self.many), self.many)

    async def dead_letters(self, limit=None, **_which):
        for number in range(self.many if limit is None else min(limit, self.many)):
            yield letter(number)

    async def dead_letter_stats(self):
        return DeadLetterStats(self.many, {}, None, 0, capacity=0, evicted=0)


@pytest.fixture(params=["agent", "deadletter"])
def listed(request, monkeypatch):
    """List what there are 250 of, unless told otherwise."""

    def run(*options, many=MANY):
        @asynccontextmanager
        async def connect(_runtime_dir, **_options):
            yield Client(many)

        monkeypatch.setattr(caxton, "connect", connect, raising=False)
        return CliRunner().invoke(app, [request.param, "list", *options])

    return run


def rows(shown):
    """Count the lines that are about something; one is the names, one the count."""
    return len(shown.stdout.splitlines()) - 2


def test_a_page_is_shown_and_how_to_see_more(listed):
    """As text a hundred are listed, and standard error says how to see the rest."""
    shown = listed()

    assert rows(shown) == 100
    assert "there are 150 more" in shown.stderr
    assert "see them with --all, or --limit" in shown.stderr


@pytest.mark.parametrize(("options", "count"), [(["--limit", "3"], 3), (["--all"], MANY), (["--limit", "1000"], MANY)])
def test_the_command_line_says_how_many(listed, options, count):
    """--limit shows so many, --all what there is; the hint stands there only when something was left out."""
    shown = listed(*options)

    assert rows(shown) == count
    assert ("more" in shown.stderr) is (count < MANY)


@pytest.mark.parametrize(("options", "count"), [([], MANY), (["--limit", "3"], 3), (["--all"], MANY)])
def test_json_is_whole_unless_told_otherwise(listed, options, count):
    """As JSON all of it is printed, as one array on one line, or as many as --limit says."""
    shown = listed(*options, "-o", "json")

    assert len(json.loads(shown.stdout)) == count
    assert shown.stdout.count("\n") == 1
    assert shown.stderr == ""


def test_nothing_is_an_empty_list(listed):
    """Without anything to list there are the names alone, or an empty array."""
    assert listed("-o", "json", many=0).stdout == "[]\n"
    assert rows(listed(many=0)) == 0
