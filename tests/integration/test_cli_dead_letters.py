"""`caxton deadletter`, `caxton ledger` and `caxton stats` against a running runtime."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import caxton.guests
from caxton.cli.main import app
from caxton.client.own_runtime import own_runtime

ECHO = str(Path(caxton.guests.__file__).parent / "echo.wasm")


@pytest.fixture
def run():
    """Run a command on a runtime of this test alone."""
    with own_runtime(1) as directory:

        def run_one(*arguments, given=None):
            return CliRunner(env={"CAXTON_RUNTIME_DIR": str(directory)}).invoke(
                app, [*map(str, arguments)], input=given
            )

        yield run_one


def told(result, code=0):
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def refused(result, error, code=1):
    assert (result.exit_code, result.stdout) == (code, "")
    answer = json.loads(result.stderr)
    assert answer["error"] == error
    return answer


def ledger(run):
    return told(run("ledger", "-o", "json"))["durable"]["all"]


def letters_of(run, *options):
    """Return the dead letters for the agent: failures to commands that have ended by now may stand beside them."""
    return told(run("deadletter", "list", "--agent", "tally", *options, "-o", "json"))


def until(holds, timeout_s=60.0):
    """Ask again and again until it holds."""
    give_up_at = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < give_up_at


def bury(run, *words, options=()):
    """Send words to an agent that is paused, and stop it."""
    told(run("agent", "deploy", "tally", ECHO, "-o", "json"))
    told(run("agent", "pause", "tally", "-o", "json"))
    for word in words:
        told(run("message", "send", "tally", word, *options, "-o", "json"))
    told(run("agent", "stop", "tally", "-o", "json"))


def test_what_waited_for_a_stopped_agent_is_in_the_dead_letters(run):
    """Every message of a stopped agent's queue is listed, found by filters, shown with its content, and counted."""
    bury(run, "press", "book", "press")

    letters = letters_of(run)
    (reason,) = {letter["reason"] for letter in letters}
    agent_id = letters[0]["receiver"]
    contents = [told(run("deadletter", "show", letter["id"], "-o", "json"))["content"] for letter in letters]
    stats = told(run("deadletter", "stats", "-o", "json"))
    by_sender = told(run("deadletter", "list", "--sender", letters[1]["sender"], "-o", "json"))

    assert contents == ["press", "book", "press"]
    assert [letter["content_bytes"] for letter in letters] == [5, 4, 5]
    for filtered in (["--reason", reason], ["--agent", "tally"], ["--agent", agent_id], ["--id", letters[0]["id"]]):
        assert told(run("deadletter", "list", *filtered, "-o", "json"))[0] == letters[0]
    for nothing in (["--reason", "poison"], ["--sender", "tally"], ["--before", "2001-01-01"]):
        assert told(run("deadletter", "list", *nothing, "-o", "json")) == []
    assert by_sender == [letters[1]]
    assert letters_of(run, "--limit", 2) == letters[:2]
    assert stats["messages_by_reason"][reason] == 3
    assert stats["total_messages"] >= 3
    assert letters[0]["id"] in run("deadletter", "list").stdout
    assert "press" in run("deadletter", "show", letters[0]["id"]).stdout
    assert reason in run("deadletter", "stats").stdout


def test_a_dead_letter_tells_the_name_that_it_was_sent_to(run):
    """Also when the agent of that name is gone."""
    bury(run, "one")
    run("agent", "remove", "tally")
    (letter,) = told(run("deadletter", "list", "-o", "json"))

    assert letter["receiver_name"] == "tally"


def test_what_looks_like_markup_or_controls_a_terminal_is_shown_as_text(run):
    """Names and contents are shown as they are, and what of a content does not print is escaped."""
    names = ["[/]", "[red]", "[link=https://example.org]click[/link]", ":boom:"]
    for name in names:
        told(run("agent", "deploy", name, ECHO, "-o", "json"))
    bury(run, "[/] [red]secret[/red] \x1b[2J\u202e\nend")

    shown = run("deadletter", "show", letters_of(run)[0]["id"])

    assert all(name in run("agent", "list").stdout for name in names)
    assert "[/] [red]secret[/red] \\x1b[2J\\u202e\\nend\n" in shown.stdout
    assert "[/]" in run("agent", "inspect", "[/]").stdout


def test_requeued_letters_are_handled_once(run):
    """Dead letters that are sent again get new ids, are handled, and are dead no more; the ledger balances."""
    bury(run, "press", "book", "press")
    before = letters_of(run)
    told(run("agent", "remove", "tally", "-o", "json"))
    told(run("agent", "deploy", "tally", ECHO, "-o", "json"))

    first = told(run("deadletter", "requeue", "--id", before[0]["id"], "-o", "json"))
    rest = told(run("deadletter", "requeue", "--agent", "tally", "-o", "json"))
    until(lambda: ledger(run)["pending"] == 0)

    assert list(first["message_ids"]) == [before[0]["id"]]
    assert set(rest["message_ids"]) == {letter["id"] for letter in before[1:]}
    assert not {letter["message_id"] for letter in before} & set(rest["message_ids"].values())
    assert letters_of(run) == []
    # What was answered to commands that have ended is in the ledger too, so it is the agent who says how often it ran.
    assert ledger(run)["balanced"]
    assert told(run("agent", "inspect", "tally", "-o", "json"))["counters"]["run"] == 3


def test_a_letter_that_is_not_there(run):
    """Showing it is a typed error, as is a name that none can have: then nothing is sent or lost, of others too."""
    bury(run, "press")
    (letter,) = letters_of(run)

    for command in (
        ["show", "0-999999"],
        ["requeue", "--id", letter["id"], "--id", "31-1"],
        ["purge", "--yes", "--id", letter["id"], "--id", "31-1"],
    ):
        refused(run("deadletter", *command, "-o", "json"), "DeadLetterNotFound")
    for command in (["purge", "--yes", "--id", letter["id"], "--id", "seventeen"], ["show", "seventeen"]):
        refused(run("deadletter", *command, "-o", "json"), "ValidationError", code=2)

    assert letters_of(run) == [letter]


def test_requeue_and_purge_may_be_repeated(run):
    """Of named letters those that are still there are seen to and told; then the others are a typed error."""
    bury(run, "press", "book")
    first, second = (letter["id"] for letter in letters_of(run))
    told(run("deadletter", "requeue", "--id", first, "-o", "json"))

    repeated = run("deadletter", "requeue", "--id", first, "--id", second, "-o", "json")
    forgotten = run("deadletter", "purge", "--yes", "--id", first, "--id", second, "-o", "json")

    assert list(told(repeated, code=1)["message_ids"]) == [second]
    assert told(forgotten, code=1) == {"purged": 0}
    for result, gone in ((repeated, first), (forgotten, f"{first}, {second}")):
        error = json.loads(result.stderr)
        assert (error["error"], f"number {gone};" in error["message"]) == ("DeadLetterNotFound", True)
    assert ledger(run)["balanced"]


def test_a_name_that_is_nobodys_is_an_error(run):
    """A filter by a name that no agent and no dead letter has is an error, and says who may be meant."""
    bury(run, "press")

    for command in (["list"], ["requeue"], ["purge", "--yes"]):
        for field in ("--agent", "--sender"):
            answer = refused(run("deadletter", *command, field, "taly", "-o", "json"), "AgentNotFound")
            assert answer["fields"] == {"agent": "taly"}
            assert "did you mean tally?" in answer["message"]
    assert told(run("deadletter", "list", "--sender", "8000000000000001", "-o", "json")) == []
    # A client that has ended has no name, and an agent that was removed is found by its own.
    told(run("agent", "remove", "tally", "-o", "json"))
    assert len(letters_of(run)) == 1


def test_a_purge_forgets_what_was_chosen(run):
    """A confirmed purge forgets the dead letters that were chosen, and only these; the ledger balances still."""
    bury(run, "press", "book")
    first, second = letters_of(run)
    refused(run("deadletter", "purge", "--all", "-o", "json"), "ConfigurationError")

    assert told(run("deadletter", "purge", "--yes", "--agent", "tally", "--limit", 1, "-o", "json")) == {"purged": 1}
    assert letters_of(run) == [second]
    assert run("deadletter", "purge", "--yes", "--agent", "tally").stdout == "forgot 1 dead letter\n"

    assert letters_of(run) == []
    assert ledger(run)["balanced"]
    refused(run("deadletter", "show", first["id"], "-o", "json"), "DeadLetterNotFound")


def test_what_waits_too_long_is_expired(run):
    """What waited for a paused agent beyond its moment is not handled: it is counted as expired, and listed so."""
    told(run("agent", "deploy", "tally", ECHO, "-o", "json"))
    told(run("agent", "pause", "tally", "-o", "json"))
    moment_s = int(time.time()) + 5
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment_s))
    told(run("message", "send", "tally", "press", "--expires-at", moment, "-o", "json"))

    assert ledger(run)["pending"] == 1
    until(lambda: run("health").exit_code == 0 and time.time() > moment_s)
    told(run("agent", "resume", "tally", "-o", "json"))
    until(lambda: ledger(run)["expired"] == 1)

    figures = ledger(run)
    assert (figures["pending"], figures["balanced"]) == (0, True)
    assert told(run("agent", "inspect", "tally", "-o", "json"))["counters"]["run"] == 0
    assert len(letters_of(run, "--reason", "expired")) == 1


def test_a_drained_agent_handles_what_waits(run):
    """An agent that is stopped with --drain handles what waits for it first; nothing of it is dead."""
    told(run("agent", "deploy", "tally", ECHO, "-o", "json"))
    for _ in range(3):
        told(run("message", "send", "tally", "press", "-o", "json"))

    told(run("agent", "stop", "tally", "--drain", "-o", "json"))
    until(lambda: ledger(run)["pending"] == 0)

    figures = ledger(run)
    assert (figures["processed"], figures["dead"]) == (3, 0)


def test_stats_tell_the_ledger_and_the_dead_letters(run):
    """`caxton stats` has the durable lane's figures and the dead letters, beside what it had; as text too."""
    bury(run, "press")

    values = told(run("stats", "-o", "json"))
    text = run("stats").stdout

    assert values["problem"] is None
    assert values["ledger"]["dead"] >= 1
    assert values["ledger"]["balanced"]
    assert values["dead_letters"]["total_messages"] >= 1
    assert "dropped by the supervisor: nothing" in text
    assert "durable lane, ever: accepted " in text
    assert " of 100,000 (agent_stopped 1)" in text
    assert " s ago; " in (shown := run("deadletter", "stats").stdout)
    assert "; room for 100,000; evicted: 0" in shown
    assert "in flight" in run("ledger").stdout
