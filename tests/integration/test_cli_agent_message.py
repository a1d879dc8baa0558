"""`caxton agent` and `caxton message` against a running runtime."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import caxton.guests
from caxton.cli.main import app
from caxton.client.own_runtime import own_runtime

GUESTS = Path(caxton.guests.__file__).parent
ECHO, COUNTER, SPLITTER = (str(GUESTS / f"{name}.wasm") for name in ("echo", "counter", "splitter"))
CAXTON = [sys.executable, "-P", "-m", "caxton"]
ANY_BYTES = bytes(range(256))


@pytest.fixture(scope="module")
def runtime():
    with own_runtime(1) as directory:
        yield directory


@pytest.fixture
def run(runtime):
    """Run a command on the runtime; whatever agents it leaves are removed at the end."""

    def run_one(*arguments, given=None):
        return CliRunner(env={"CAXTON_RUNTIME_DIR": str(runtime)}).invoke(app, [*map(str, arguments)], input=given)

    yield run_one
    for agent in json.loads(run_one("agent", "list", "-o", "json").stdout):
        run_one("agent", "remove", agent["agent_id"])


@pytest.fixture
def echo(run):
    """Deploy an echo agent; its id."""
    return told(run("agent", "deploy", "echo", ECHO, "-o", "json"))["agent_id"]


def told(result):
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)


def refused(result, code, error):
    assert result.exit_code == code
    assert result.stdout == ""
    answer = json.loads(result.stderr)
    assert answer["error"] == error
    return answer


def test_deploy_list_inspect_stop_remove(run):
    """An agent can be deployed, seen, stopped and removed, and every command says so as JSON."""
    limits = ["--max-memory-mb", 1, "--max-fuel", 20_000, "--max-execution-ms", 7, "--max-message-bytes", 100]
    limits += ["--max-output-bytes", 200, "--max-output-messages", 3, "--mailbox-capacity", 600, "--max-hops", 9]
    deployed = told(
        run(
            "agent",
            "deploy",
            "split",
            SPLITTER,
            "--encoding",
            "msgpack",
            "--capability",
            "split",
            *limits,
            "-o",
            "json",
        )
    )
    agent_id = deployed["agent_id"]
    assert deployed == {"agent_id": agent_id, "name": "split"}
    (listed,) = told(run("agent", "list", "-o", "json"))
    seen = told(run("agent", "inspect", "split", "-o", "json"))
    assert seen == listed
    assert seen == told(run("agent", "inspect", agent_id, "-o", "json"))
    assert seen["limits"] == {
        "max_memory_bytes": 1 << 20,
        "max_fuel": 20_000,
        "max_execution_ms": 7,
        "max_message_bytes": 100,
        "max_output_bytes": 200,
        "max_output_messages": 3,
        "mailbox_capacity": 600,
        "max_hops": 9,
    }
    assert (seen["agent_id"], seen["state"], seen["encoding"]) == (agent_id, "running", "msgpack")
    assert (seen["capabilities"], seen["instantiated"]) == (["split"], False)
    assert told(run("agent", "stop", "split", "-o", "json")) == {"agent_id": agent_id, "stopped": True}
    assert told(run("agent", "inspect", "split", "-o", "json"))["state"] == "stopped"
    refused(run("message", "send", "split", "word", "-o", "json"), 1, "AgentNotRunning")
    assert told(run("agent", "remove", "split", "-o", "json")) == {"agent_id": agent_id, "removed": True}
    assert told(run("agent", "list", "-o", "json")) == []


def test_agents_are_listed_by_pattern_and_state(run):
    """A list may be of some of the agents, from whichever shards, in the order of their names."""
    for name in ("tally-b", "echo", "tally-c", "tally-a"):
        told(run("agent", "deploy", name, ECHO, "-o", "json"))
    told(run("agent", "pause", "tally-b", "-o", "json"))

    def names(*options):
        return [agent["name"] for agent in told(run("agent", "list", *options, "-o", "json"))]

    assert names("--name", "tally-*") == ["tally-a", "tally-b", "tally-c"]
    assert names("--name", "tally-*", "--state", "running") == ["tally-a", "tally-c"]
    assert names("--limit", 2) == ["echo", "tally-a"]
    assert names("--name", "tally") == []
    assert "there are 3 more agents" in run("agent", "list", "--limit", 1).stderr
    refused(run("agent", "list", "--state", "asleep", "-o", "json"), 2, "ValidationError")


def test_the_same_for_people(run):
    """Without -o json the same commands print lines and tables."""
    assert run("agent", "deploy", "tally", COUNTER, "--encoding", "msgpack").stdout.startswith("deployed tally, id ")
    assert "tally" in run("agent", "list").stdout
    assert run("message", "send", "tally", "press").stdout.startswith("committed 5 bytes with tally, message ")
    placed = run("message", "send", "tally", "press", "--reliability", "at_most_once")
    assert placed.stdout.startswith("placed 5 bytes with tally, message ")
    assert run("agent", "pause", "tally").stdout == "paused tally\n"
    assert run("agent", "resume", "tally").stdout == "resumed tally\n"
    inspected = run("agent", "inspect", "tally").stdout
    assert "max_memory_bytes" in inspected
    assert "running" in inspected
    assert run("agent", "stop", "tally").stdout == "stopped tally\n"
    assert run("agent", "remove", "tally").stdout == "removed tally\n"


def test_an_answer_is_printed_byte_for_byte(run, echo, tmp_path):
    """Content comes from the argument, a file or standard input, and the answer's goes to standard output as it is."""
    file = tmp_path / "content"
    file.write_bytes(ANY_BYTES)
    assert run("message", "request", "echo", "größer").stdout_bytes == "größer".encode()
    assert run("message", "request", "echo", "").stdout_bytes == b""
    assert run("message", "request", "echo", "--file", file).stdout_bytes == ANY_BYTES
    assert run("message", "request", "echo", "-", given=ANY_BYTES).stdout_bytes == ANY_BYTES


def test_arguments_and_pipes_of_a_shell(runtime, run, echo):
    """In a process of its own, bytes of an argument that are no UTF-8 arrive as they are, and so do those of a pipe."""
    environment = os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)}
    for arguments, given in ((["gr\udcf6\udcdfer"], b""), (["-"], b"gr\xf6\xdfer")):
        done = subprocess.run(
            [*CAXTON, "message", "request", "echo", *arguments],
            input=given,
            capture_output=True,
            env=environment,
            timeout=60,
            check=True,
        )
        assert (done.stdout, done.stderr) == (b"gr\xf6\xdfer", b"")


def test_an_answer_as_json(run, echo, tmp_path):
    """As JSON an answer has its act, its sender and its content, as text if it is text and in base64 if not."""
    answer = told(run("message", "request", "echo", "hello", "-o", "json"))
    assert (answer["performative"], answer["sender"], answer["content"]) == ("inform", echo, "hello")
    assert len(answer["in_reply_to"]) == 36
    file = tmp_path / "content"
    file.write_bytes(ANY_BYTES)
    answer = told(run("message", "request", "echo", "--file", file, "-o", "json"))
    assert base64.b64decode(answer["content_base64"]) == ANY_BYTES
    assert "content" not in answer


def test_send_places_the_message(run, tmp_path):
    """A message that was sent is in the mailbox: a request after it finds it handled."""
    run("agent", "deploy", "tally", COUNTER, "--encoding", "msgpack")
    sent = told(run("message", "send", "tally", "press", "--performative", "request", "-o", "json"))
    assert (sent["reliability"], sent["performative"], sent["bytes"]) == ("at_least_once", "request", 5)
    assert len(sent["message_id"]) == 36
    run("message", "send", "tally", "-", given=b"press")
    report = run("message", "request", "tally", "\ntop 1").stdout_bytes
    assert report[4:12] == (2).to_bytes(8, "little")
    assert report.endswith(b"press")


def test_what_is_sent_to_a_paused_agent_waits(run):
    """A paused agent handles nothing; once resumed it has handled what was sent meanwhile."""
    run("agent", "deploy", "tally", COUNTER, "--encoding", "msgpack")
    agent_id = told(run("agent", "inspect", "tally", "-o", "json"))["agent_id"]
    assert told(run("agent", "pause", "tally", "-o", "json")) == {"agent_id": agent_id, "paused": True}
    told(run("message", "send", "tally", "press", "-o", "json"))
    paused = told(run("agent", "inspect", "tally", "-o", "json"))
    assert (paused["state"], paused["queued"], paused["counters"]["run"]) == ("paused", 1, 0)
    assert told(run("agent", "resume", "tally", "-o", "json")) == {"agent_id": agent_id, "resumed": True}
    report = run("message", "request", "tally", "\ntop 1").stdout_bytes
    assert report[4:12] == (1).to_bytes(8, "little")


def test_an_idempotency_key_is_for_the_durable_lane(run, echo):
    """A key on the volatile lane is refused with what to do instead; on the durable lane it is taken."""
    key = ("--idempotency-key", "order-17")
    send = ("message", "send", "echo", "hello", *key, "-o", "json")
    assert refused(run(*send, "--reliability", "at_most_once"), 2, "ValidationError")["fields"]["field"] == (
        "idempotency_key"
    )
    assert told(run(*send, "--priority", "high", "--timeout-ms", 5_000, "--max-retries", 1))["bytes"] == 5
    assert told(run(*send, "--max-hops", 100_000))["bytes"] == 5


def test_a_name_that_looks_like_an_id(run, echo):
    """16 hex digits are the agent of that id, and no new agent is named so: it would be taken for the other one."""
    assert run("message", "request", echo, "by id").stdout == "by id"
    assert run("message", "request", echo.upper(), "by id").stdout == "by id"
    for name in (echo, echo.upper(), "00000000c0ffee00"):
        error = refused(run("agent", "deploy", name, ECHO, "-o", "json"), 2, "ValidationError")
        assert "how ids are written" in error["fields"]["problem"]
    assert [agent["name"] for agent in told(run("agent", "list", "-o", "json"))] == ["echo"]


def test_what_is_refused_says_why(run, echo, tmp_path):
    """Each error has its type, the name on the command line and exit code 1."""
    text = tmp_path / "text.wasm"
    text.write_text("(module)")
    assert refused(run("agent", "inspect", "nobody", "-o", "json"), 1, "AgentNotFound")["fields"] == {"agent": "nobody"}
    refused(run("agent", "remove", "nobody", "-o", "json"), 1, "AgentNotFound")
    refused(run("agent", "stop", "ffffffffffffffff", "-o", "json"), 1, "AgentNotFound")
    refused(run("message", "request", "nobody", "hello", "-o", "json"), 1, "AgentNotFound")
    refused(run("agent", "deploy", "echo", ECHO, "-o", "json"), 1, "AgentAlreadyRegistered")
    refused(run("agent", "deploy", "text", text, "-o", "json"), 1, "InvalidModule")
    failed = run("agent", "inspect", "nobody")
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "there is no agent nobody; there is echo" in failed.stderr
    assert "did you mean echo?" in run("agent", "pause", "ecco").stderr


def test_a_failing_agent_is_an_error(run):
    """An agent's own error code is the error of the request, and counts among its failures."""
    run("agent", "deploy", "tally", COUNTER, "--encoding", "msgpack")
    answer = refused(run("message", "request", "tally", "\nnonsense", "-o", "json"), 1, "AgentError")
    assert answer["fields"] == {"agent": "tally", "error_code": -1}
    assert run("agent", "list").stdout.splitlines()[-2].split()[-2:] == ["1", "1"]


def test_a_conversation_that_a_request_begins_is_named(run, echo):
    """Beside the answer, which is printed as it is; and it goes on with what was named."""
    begun = run("message", "request", "echo", "hello", "--conversation", "new")
    named = begun.stderr.split()[-1]
    assert (begun.stdout, begun.stderr) == ("hello", f"caxton: it began conversation {named}\n")
    assert run("message", "request", "echo", "more", "--conversation", named).stderr == ""


def test_an_answer_that_does_not_come(run):
    """A request that nobody answers ends after its timeout, and says that what happened is unknown."""
    run("agent", "deploy", "tally", COUNTER, "--encoding", "msgpack")
    answer = refused(run("message", "request", "tally", "press", "--timeout", "0.2", "-o", "json"), 1, "Timeout")
    assert answer["fields"]["timeout_s"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["agent"],
        ["agent", "deploy", "a"],
        ["agent", "deploy", "a", "missing.wasm"],
        ["agent", "deploy", "a", ECHO, "--encoding", "xml"],
        ["agent", "deploy", "a", ECHO, "--encoding", "attached"],
        ["agent", "deploy", "a", ECHO, "--max-memory-mb", "0"],
        ["agent", "deploy", "a", ECHO, "--mailbox-capacity", "100001"],
        ["message", "send", "a"],
        ["message", "send", "a", "content", "--file", ECHO],
        ["message", "send", "a", "content", "--performative", "shout"],
        ["message", "send", "a", "content", "--reliability", "always"],
        ["message", "send", "a", "content", "--priority", "7"],
        ["message", "send", "a", "content", "--timeout-ms", "999"],
        ["message", "send", "a", "content", "--max-retries", "11"],
        ["message", "send", "a", "content", "--max-hops", "100001"],
        ["message", "request", "a", "content", "--timeout", "soon"],
        ["message", "request", "a", "content", "-o", "xml"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line(run, arguments):
    """A command line that cannot be meant ends with exit code 2 and does nothing; as JSON it is an error too."""
    assert run(*arguments).exit_code == 2
    if len(arguments) > 1 and "-o" not in arguments:
        refused(run(*arguments, "--output=json"), 2, "ConfigurationError")


@pytest.mark.parametrize(
    "arguments",
    [
        ["agent", "list"],
        ["agent", "inspect", "a"],
        ["agent", "pause", "a"],
        ["agent", "resume", "a"],
        ["agent", "stop", "a"],
        ["agent", "remove", "a"],
        ["agent", "deploy", "a", ECHO],
        ["message", "send", "a", "content"],
        ["message", "request", "a", "content"],
    ],
    ids=" ".join,
)
def test_no_runtime(tmp_path, arguments):
    """Where no runtime serves, the exit code is 3, and the error names the directory."""
    result = CliRunner().invoke(app, [*arguments, "--runtime-dir", str(tmp_path), "-o", "json"])
    assert refused(result, 3, "RuntimeNotFound")["fields"] == {"runtime_dir": str(tmp_path)}


@pytest.mark.parametrize(
    "command",
    [
        "agent deploy",
        "agent list",
        "agent inspect",
        "agent pause",
        "agent resume",
        "agent stop",
        "agent remove",
        "message send",
        "demo words",
    ],
)
def test_every_command_shows_examples(command):
    """--help shows how a command is used."""
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"caxton {command}" in " ".join(result.stdout.split())


def test_what_waits_is_shown_until_it_was_handled(run, echo):
    """In the list of its agent and by itself, as text and as JSON; afterwards it is kept nowhere."""
    run("agent", "pause", "echo")
    sent = [told(run("message", "send", "echo", text, "-o", "json"))["message_id"] for text in ("one", "two")]
    waiting = told(run("agent", "waiting", "echo", "-o", "json"))
    assert [(one["message_id"], one["state"], one["content_bytes"]) for one in waiting] == [
        (message_id, "waiting", 3) for message_id in sent
    ]
    shown = told(run("message", "show", sent[0], "-o", "json"))
    assert (shown["receiver"], shown["content"], shown["dead_letter"]) == (echo, "one", None)
    page = run("agent", "waiting", "echo", "--limit", 1)
    assert page.stdout.splitlines()[-1] == "1 message that waits"
    assert "--all" in page.stderr
    assert "two" in run("message", "show", sent[1]).stdout

    run("agent", "resume", "echo")
    told(run("message", "request", "echo", "x", "-o", "json"))
    assert told(run("agent", "waiting", echo, "-o", "json")) == []
    refused(run("message", "show", sent[0], "-o", "json"), 1, "MessageNotFound")
    refused(run("agent", "waiting", "nobody", "-o", "json"), 1, "AgentNotFound")
    refused(run("message", "show", "no-id", "-o", "json"), 2, "ParseError")


@pytest.mark.parametrize("lane", ["at_least_once", "at_most_once"])
def test_a_receipt_is_waited_for(run, echo, lane):
    """With --receipt a send returns when its message was handled, and says so."""
    send = ("message", "send", "echo", "hello", "--receipt", "--reliability", lane)
    assert told(run(*send, "-o", "json"))["handled"] is True
    assert run(*send).stdout.endswith("; handled\n")


def test_a_receipt_that_does_not_come(run, echo):
    """It is given up after its time, and the message waits all the same; for a known key none is waited for."""
    run("agent", "pause", "echo")
    send = ("message", "send", "echo", "hello", "--receipt", "--idempotency-key", "asked with a receipt")
    given_up = refused(run(*send, "--receipt-timeout", "0.2", "-o", "json"), 1, "Timeout")
    (waiting,) = told(run("agent", "waiting", "echo", "-o", "json"))
    assert waiting["message_id"] in given_up["fields"]["what"]
    assert told(run(*send, "-o", "json"))["handled"] is None
    assert "its key was known before" in run(*send).stdout


def test_a_message_that_was_not_handled_has_no_receipt(run):
    """With --receipt the agent's own error is the error of the send."""
    run("agent", "deploy", "tally", COUNTER, "--encoding", "msgpack")
    answer = refused(run("message", "send", "tally", "\nnonsense", "--receipt", "-o", "json"), 1, "AgentError")
    assert answer["fields"] == {"agent": "tally", "error_code": -1}
