"""`caxton deadletter` and `caxton ledger` with a client that notes what it is asked."""

import json
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

import caxton
from caxton.acl.envelope import Envelope
from caxton.cli.main import app
from caxton.client.calls.letter_number import LetterNumber, not_there
from caxton.ids import AgentId, MessageId
from caxton.wire.calls import DeadLetter, Failed
from caxton.wire.told import DeadLetterStats

NEW = MessageId(bytes(15) + b"\x02")


def letter(number):
    message = Envelope(bytes(15) + b"\x01", 7, 5, 7, b"hello")
    return DeadLetter(
        number, 1, "expired", Failed("MessageExpired", {"receiver": "a", "timeout_s": 1.0}), 1, 0, 5, message
    )


class Client:
    """Two dead letters, 1-3 and 1-4, which stay; no shard but 0 and 1."""

    def __init__(self):
        self.asked = []

    def id_of(self, name):
        return AgentId(len(name))

    async def dead_letters(self, limit=None, **which):
        self.asked.append(("list", limit, {name: value for name, value in which.items() if value is not None}))
        for number in (3, 4)[:limit]:
            yield letter(number)

    async def dead_letter(self, name):
        self.asked.append(("show", name))
        if name not in {"1-3", "1-4"}:
            raise not_there(name)
        return letter(int(name[2:]))

    async def requeue(self, numbers=None, **which):
        self.asked.append(("requeue", numbers, {name: value for name, value in which.items() if value is not None}))
        return dict.fromkeys([name for name in ("1-3", "1-4") if numbers is None or name in numbers], NEW)

    async def purge(self, numbers=None, **which):
        if isinstance(numbers, str):
            if LetterNumber.parse(numbers).shard > 1:
                raise not_there(numbers)
            numbers = [numbers]
        self.asked.append(("purge", numbers, {name: value for name, value in which.items() if value is not None}))
        return sum(numbers is None or name in numbers for name in ("1-3", "1-4"))

    async def dead_letter_stats(self):
        return DeadLetterStats(2, {"expired": 2}, 61_500, 10, capacity=100_000, evicted=0)


@pytest.fixture
def client(monkeypatch):
    asked = Client()

    @asynccontextmanager
    async def connect(_runtime_dir, **_options):
        yield asked

    monkeypatch.setattr(caxton, "connect", connect, raising=False)
    return asked


def run(*arguments, given=None):
    return CliRunner().invoke(app, ["deadletter", *arguments], input=given)


def test_letters_are_listed_as_filtered(client):
    """Every filter reaches the client: names as they are, 16 hex digits as ids, moments in ms."""
    listed = run(
        "list", "--reason", "expired", "--agent", "tally", "--sender", "8000000000000001", "--limit", "1", "-o", "json"
    )

    assert [found["id"] for found in json.loads(listed.stdout)] == ["1-3"]
    # One more is asked for than is shown, to know whether there are more.
    assert client.asked == [("list", 2, {"reason": "expired", "agent": "tally", "sender": (1 << 63) + 1})]


def test_a_moment_is_local_time(client):
    """`--before` takes a day or a moment of local time."""
    run("list", "--before", "2026-01-31")
    run("list", "--before", "2026-01-31T00:00:01")

    (_, _, day), (_, _, second_later) = client.asked
    assert day["before"] == datetime(2026, 1, 31)  # noqa: DTZ001 (without a zone it is one of local time)
    assert second_later["before"] - day["before"] == timedelta(seconds=1)


def test_named_letters_are_listed(client):
    """`--id` lists those that are named, and goes with no filter."""
    listed = run("list", "--id", "1-4", "--id", "1-3")

    assert "1-4" in listed.stdout
    assert client.asked == [("show", "1-4"), ("show", "1-3")]
    assert run("list", "--id", "1-4", "--reason", "expired").exit_code == 2


def test_one_letter_shows_what_it_says(client):
    """`show` prints the content, and an error with exit code 1 for a letter that is not there."""
    assert json.loads(run("show", "1-3", "-o", "json").stdout)["content"] == "hello"
    assert "hello" in run("show", "1-3").stdout
    missing = run("show", "1-9", "-o", "json")
    assert (missing.exit_code, json.loads(missing.stderr)["error"]) == (1, "DeadLetterNotFound")
    assert len(client.asked) == 3


@pytest.mark.parametrize(
    ("options", "asked", "count"),
    [
        (["--id", "1-3"], [(["1-3"], {})], 1),
        (["--id", "1-3", "--id", "01-03", "--limit", "2"], [(["1-3"], {})], 1),
        (["--reason", "expired"], [(None, {"reason": "expired", "everything": False})], 2),
        (["--all"], [(None, {"everything": True})], 2),
        (["--agent", "tally", "--limit", "1"], [(["1-3"], {})], 1),
        (["--limit", "2"], [(["1-3", "1-4"], {})], 2),
    ],
)
def test_what_is_chosen_is_requeued_and_purged(client, options, asked, count):
    """Requeue and purge take names, a filter, all, or the oldest that fit; purge only when it is confirmed."""
    sent = run("requeue", *options, "-o", "json")
    forgotten = run("purge", "--yes", *options, "-o", "json")

    assert set(json.loads(sent.stdout)["message_ids"].values()) == {str(NEW)}
    assert (sent.exit_code, json.loads(sent.stdout)["requeued"]) == (0, count)
    assert (forgotten.exit_code, json.loads(forgotten.stdout)) == (0, {"purged": count})
    acts = [call for call in client.asked if call[0] != "list"]
    assert acts == [(act, *arguments) for act in ("requeue", "purge") for arguments in asked]


@pytest.mark.parametrize(
    ("command", "told", "text"),
    [
        (["requeue"], {"requeued": 1, "message_ids": {"1-4": str(NEW)}}, "sent 1 dead letter again"),
        (["purge", "--yes"], {"purged": 1}, "forgot 1 dead letter"),
    ],
)
def test_of_named_letters_those_that_are_there_are_seen_to(client, command, told, text):
    """What was done is printed, and then names that were not there are an error with exit code 1."""
    named = ["--id", "1-9", "--id", "1-4", "--id", "0-1"]

    as_json, as_text = run(*command, *named, "-o", "json"), run(*command, *named)

    assert (as_json.exit_code, json.loads(as_json.stdout)) == (1, told)
    error = json.loads(as_json.stderr)
    assert (error["error"], "number 1-9, 0-1;" in error["message"]) == ("DeadLetterNotFound", True)
    assert (as_text.exit_code, as_text.stdout.splitlines()[-1]) == (1, text)
    assert "number 1-9, 0-1;" in as_text.stderr


def test_named_letters_that_are_there_are_listed(client):
    """The list is whole, also as JSON, and then names that were not there are an error with exit code 1."""
    listed = run("list", "--id", "1-3", "--id", "1-9", "--id", "1-4", "-o", "json")

    assert (listed.exit_code, [found["id"] for found in json.loads(listed.stdout)]) == (1, ["1-3", "1-4"])
    assert "number 1-9;" in json.loads(listed.stderr)["message"]


def test_named_letters_of_no_shard_are_refused_before_any_is_forgotten(client):
    """A shard that there is not is told first; with a name that is none nobody is asked."""
    refused = run("purge", "--yes", "--id", "1-3", "--id", "31-1", "-o", "json")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert client.asked == []
    for command in (["list"], ["requeue"], ["purge", "--yes"]):
        refused = run(*command, "--id", "1-3", "--id", "three", "-o", "json")
        assert (refused.exit_code, refused.stdout, client.asked) == (2, "", [])
        assert "'three' is not the number of one" in json.loads(refused.stderr)["message"]


@pytest.mark.parametrize("command", [["requeue"], ["purge", "--yes"], ["requeue", "--all", "--reason", "expired"]])
def test_without_a_choice_nothing_happens(client, command):
    """Requeue and purge without names, filter or --all are an error that says what to choose, as is --all with one."""
    refused = run(*command)

    assert refused.exit_code == 2
    assert "--all" in refused.stderr
    assert client.asked == []


def test_a_purge_that_nobody_confirms_is_an_error(client):
    """Without --yes and without a terminal nothing is forgotten, and the error says what to add."""
    refused = run("purge", "--all", "-o", "json")

    assert (refused.exit_code, refused.stdout) == (1, "")
    told = json.loads(refused.stderr)
    assert (told["error"], told["fields"]["remedy"]) == ("ConfigurationError", "add --yes")
    assert client.asked == []


@pytest.mark.parametrize(("said", "code", "calls"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0)])
def test_a_purge_asks_the_person_at_the_terminal(client, monkeypatch, said, code, calls):
    """At a terminal the command asks, and forgets after a yes only."""
    monkeypatch.setattr("caxton.cli.commands.deadletter._at_a_terminal", lambda: True)

    answered = run("purge", "--all", given=said)

    assert (answered.exit_code, len(client.asked)) == (code, calls)


def test_stats_of_dead_letters(client):
    """`stats` shows totals, reasons, age, size and capacity."""
    told = json.loads(run("stats", "-o", "json").stdout)

    assert told == {
        "total_messages": 2,
        "messages_by_reason": {"expired": 2},
        "oldest_message_age_ms": 61_500,
        "queue_size_bytes": 10,
        "capacity": 100_000,
        "evicted": 0,
    }
    shown = run("stats").stdout
    assert "room for 100,000" in shown
    assert "oldest: 1 min 1 s ago" in shown
