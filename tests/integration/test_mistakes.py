"""A table of mistakes: what people type, write and call, and what they are told, with the exit code.

A row more is a line more: `COMMANDS` are command lines, `MANIFESTS` are files for `caxton agent validate`, `CALLS` are
calls of a client. One runtime serves them all; no row changes anything in it.
"""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import caxton
import caxton.guests
from caxton import errors
from caxton.cli.main import app
from caxton.client.own_runtime import own_runtime

ECHO = str(Path(caxton.guests.__file__).parent / "echo.wasm")
FAILED, WRONG, NO_RUNTIME = 1, 2, 3

# A command line; its exit code, the error's type, and some of what it says. In a line {echo} is a module, {files} a
# folder with the manifests below, and {nowhere} a folder without a runtime.
COMMANDS = [
    ("dance", WRONG, "ConfigurationError", "there is no command 'dance'"),
    ("agnet list", WRONG, "ConfigurationError", "did you mean agent?"),
    ("agent dance", WRONG, "ConfigurationError", "No such command 'dance'"),
    ("--limit 3 agent list", WRONG, "ConfigurationError", "options stand behind the command"),
    ("agent list --limit 0", WRONG, "ConfigurationError", "0 is not in the range 1<=x"),
    ("agent list --limit 3 --all", WRONG, "ConfigurationError", "--all"),
    ("agent list --state asleep", WRONG, "ValidationError", "running, attached, detached"),
    ("agent list --namee x", WRONG, "ConfigurationError", "Possible options: --name"),
    ("config validate", WRONG, "ConfigurationError", "Missing argument"),
    ("config validate {files}/nowhere.yaml", FAILED, "ConfigurationError", "No such file"),
    ("config validate {files}", FAILED, "ConfigurationError", "it is no file"),
    ("config show --preset prod", FAILED, "ConfigurationError", "development, testing, production"),
    ("config show --config {files}/nowhere.yaml", FAILED, "ConfigurationError", "CAXTON_CONFIG_PATH"),
    ("serve --config {files}/good.toml", FAILED, "ConfigurationError", "begin with runtime or gateway or router:"),
    ("serve --log-level loud", WRONG, "ConfigurationError", "choose from debug, info, warning, error"),
    ("agent list --runtime-dir {nowhere}", NO_RUNTIME, "RuntimeNotFound", "caxton serve"),
    ("agent inspect", WRONG, "ConfigurationError", "Missing argument"),
    ("agent inspect ecco", FAILED, "AgentNotFound", "did you mean echo?"),
    ("agent inspect ' echo'", WRONG, "ValidationError", "blanks at its ends"),
    ("agent pause ffffffffffffffff", FAILED, "AgentNotFound", "ffffffffffffffff"),
    ("agent resume echo", FAILED, "InvalidStateTransition", "is running already"),
    ("agent stop stopped", FAILED, "InvalidStateTransition", "remove it and deploy it again"),
    ("agent drain echo --timeout -1", WRONG, "ConfigurationError", "--timeout"),
    ("agent remove nobody", FAILED, "AgentNotFound", "there is no agent nobody"),
    ("agent deploy new", WRONG, "ConfigurationError", "name the agent and then the module"),
    (f"agent deploy {'x' * 300}", WRONG, "ConfigurationError", "name the agent and then the module"),
    ("agent deploy new missing.wasm", WRONG, "ConfigurationError", "missing.wasm"),
    ("agent deploy {echo}", WRONG, "ConfigurationError", "name the agent first, as in `caxton agent deploy echo "),
    ("agent deploy new {files}/text.wasm", FAILED, "InvalidModule", "it is text: assemble it first"),
    ("agent deploy new {files}/good.toml", FAILED, "InvalidModule", "compile it first"),
    ("agent deploy echo {echo}", FAILED, "AgentAlreadyRegistered", "choose another name"),
    ("agent deploy '' {echo}", WRONG, "ValidationError", "1 to 200 characters"),
    ("agent deploy 'new ' {echo}", WRONG, "ValidationError", "blanks at its ends"),
    ("agent deploy tool:x {echo}", WRONG, "ValidationError", "reserved"),
    ("agent deploy 00000000c0ffee00 {echo}", WRONG, "ValidationError", "add another character"),
    ("agent deploy new {echo} --encoding json", WRONG, "ConfigurationError", "'--encoding': 'json' is not one of"),
    ("agent deploy new {echo} --max-fuel 1", WRONG, "ConfigurationError", "10000"),
    ("agent deploy new {echo} --max-memory-mb 257", WRONG, "ConfigurationError", "257 is not in the range 1<=x<=256"),
    ("agent deploy new {echo} --capability ''", WRONG, "ValidationError", "1 to 100 characters"),
    ("agent deploy new {echo} --weight 101", WRONG, "ConfigurationError", "101 is not in the range 1<=x<=100"),
    ("agent deploy new {echo} --escalate-to new", WRONG, "ValidationError", "escalate to itself"),
    ("agent deploy new {echo} --root {files}", WRONG, "ConfigurationError", "it is for manifests"),
    ("agent deploy {files}/good.toml --weight 3", WRONG, "ConfigurationError", "stands in its manifest"),
    ("agent deploy {files}/nowhere.toml", WRONG, "ConfigurationError", "there is no manifest"),
    ("agent deploy {files}/bad.toml", FAILED, "InvalidManifest", "did you mean weight?"),
    ("apply", WRONG, "ConfigurationError", "Missing option"),
    ("apply -f {files}/nowhere.toml", FAILED, "InvalidManifest", "nowhere.toml: No such file or directory; correct it"),
    ("apply -f {files}/bad.toml", FAILED, "InvalidManifest", "did you mean weight?"),
    ("apply -f {files}/good.toml --prune", WRONG, "ValidationError", "without a name"),
    ("apply -f {files}/taken.toml", FAILED, "ConfigurationError", "agent echo cannot be changed in place"),
    ("apply -f {files}/good.toml --drain-timeout -1", WRONG, "ConfigurationError", "-1.0 is not in the range 0.0<=x"),
    ("agent validate", WRONG, "ConfigurationError", "Missing argument"),
    ("message send echo", WRONG, "ConfigurationError", "give the content"),
    ("message send nobody hello", FAILED, "AgentNotFound", "nobody"),
    ("message send @nothing hello", FAILED, "NoCapableAgents", "nothing"),
    ("message send stopped hello", FAILED, "AgentNotRunning", "stopped"),
    ("message send echo hello --performative shout", WRONG, "ConfigurationError", "inform"),
    ("message send echo hello --reliability always", WRONG, "ConfigurationError", "at_least_once"),
    ("message send echo hello --timeout-ms 1", WRONG, "ConfigurationError", "1000"),
    ("message send echo hello --max-retries 11", WRONG, "ConfigurationError", "11 is not in the range 1<=x<=10"),
    ("message send echo hello --priority 7", WRONG, "ConfigurationError", "high"),
    ("message send echo hello --conversation talk", WRONG, "ParseError", "say new, or take an id that"),
    ("message send echo hello world", WRONG, "ConfigurationError", "a content with blanks stands in quotes"),
    ("message request echo hello --timeout soon", WRONG, "ConfigurationError", "'soon' is not a valid number"),
    ("message request echo hello --timeout nan", WRONG, "ConfigurationError", "'--timeout': nan is not a valid number"),
    ("message show no-id", WRONG, "ParseError", "no-id"),
    ("message show 00000000-0000-4000-8000-000000000001", FAILED, "MessageNotFound", "00000000-0000"),
    ("capability advertise echo --weight 0", WRONG, "ConfigurationError", "0 is not in the range 1<=x"),
    ("conversation show 00000000-0000-4000-8000-000000000001", FAILED, "ConversationNotFound", "00000000-0000"),
    ("deadletter show 0-1", FAILED, "DeadLetterNotFound", "0-1"),
    ("deadletter list --reason bored", WRONG, "ConfigurationError", "bored"),
    ("deadletter list --agent nobody", FAILED, "AgentNotFound", "nobody"),
    ("conversation show 7", WRONG, "ParseError", "take an id that `caxton conversation list` shows"),
    ("deadletter requeue", WRONG, "ValidationError", "--all"),
    ("deadletter requeue 0-17", WRONG, "ConfigurationError", "named by --id, as in `--id 0-17`"),
    ("doctor --workers 2", WRONG, "ConfigurationError", "behind --, as in `caxton doctor -- --workers 2`"),
    ("health --json", WRONG, "ConfigurationError", "for JSON say -o json"),
    ("attach no_such_module", FAILED, "ConfigurationError", "no_such_module"),
    ("serve --workers 33", WRONG, "ConfigurationError", "33 is not in the range 1<=x<=32"),
    ("serve --retention 'a week'", WRONG, "ConfigurationError", "a week"),
    ("serve --runtime-dir {runtime} --data-dir {files}/data", FAILED, "ConfigurationError", "in use by process"),
    ("health --runtime-dir {nowhere}", NO_RUNTIME, "RuntimeNotFound", "CAXTON_RUNTIME_DIR"),
    ("stats -o xml", WRONG, "ConfigurationError", "xml"),
    ("reshard --workers 4 --data-dir {nowhere}", FAILED, "ConfigurationError", "{nowhere}"),
]

GOOD = f'name = "new"\nwasm = "{ECHO}"\n'
# What stands behind a good manifest, or in its place; the line, the key and some of what is said of it.
MANIFESTS = [
    (GOOD + "weihgt = 3", 3, "weihgt", "did you mean weight?"),
    (GOOD + "max_fuel = 20_000", 3, "max_fuel", "there is no such key"),
    (GOOD + "limits = { max_memory_mb = 1 }", 3, "limits.max_memory_mb", "did you mean max_memory_bytes?"),
    (GOOD + "[limits]\nmax_execution_ms = 0.5", 4, "limits.max_execution_ms", "from 1 to 10000"),
    (GOOD + 'encoding = "msgpak"', 3, "encoding", "did you mean msgpack?"),
    (GOOD + 'capabilities = ["a", "a"]', 3, "capabilities[1]", "is there twice"),
    (GOOD + 'profile = "strict"', 3, "profile", 'say profile = "default"'),
    (GOOD + 'imports = ["caxton_v1.lgo"]', 3, "imports[0]", "did you mean caxton_v1.log?"),
    (GOOD + 'imports = "none"', 3, "imports", "is not a list of texts"),
    (GOOD + "version = 1", 3, "version", "1 is not text"),
    (GOOD + 'escalate_to = "new"', 3, "escalate_to", "does not escalate to itself"),
    (GOOD + "weight = [", 3, "", "no TOML"),
    (GOOD + "weight = 3\nweight = 4", 4, "", "cannot overwrite a value"),
    ('wasm = "echo.wasm"', 1, "", "there is no name"),
    ('name = "new"', 1, "", "there is no wasm"),
    (f"[[agent]]\n{GOOD}[[agent]]\n{GOOD}", 5, "name", "is the name of the one at"),
    (f'system = "a\\nb"\n[[agent]]\n{GOOD}', 1, "system", "do not print"),
    (GOOD.replace(ECHO, "text.wasm"), 2, "wasm", "no WebAssembly"),
    (GOOD.replace(ECHO, "/nowhere.wasm"), 2, "wasm", "No such file"),
]  # fmt: skip

# A call of a client without a loop; what it raises, and some of what that says.
CALLS = [
    (lambda c: c.deploy("", ECHO), errors.ValidationError, "name"),
    (lambda c: c.deploy("new ", ECHO), errors.ValidationError, "blanks"),
    (lambda c: c.deploy("new", "nowhere.wasm"), errors.InvalidModule, "No such file"),
    (lambda c: c.deploy("new", 5), errors.ValidationError, "a path or bytes"),
    (lambda c: c.deploy("new", ECHO, encoding="json"), errors.Unsupported, "msgpack"),
    (lambda c: c.deploy("new", ECHO, capabilities="x"), errors.ValidationError, "list of texts"),
    (lambda c: c.deploy("new", ECHO, version="1 "), errors.ValidationError, "version"),
    (lambda c: c.deploy("new", ECHO, weight=0), errors.ValidationError, "from 1 to 100"),
    (lambda c: c.deploy_many("new"), errors.ValidationError, "list of Deployment"),
    (lambda _: caxton.Limits(max_fuel=1), errors.ValidationError, "10000"),
    (lambda _: caxton.read_manifest("nowhere.toml"), errors.InvalidManifest, "No such file"),
    (lambda c: c.send("nobody", b""), errors.AgentNotFound, "nobody"),
    (lambda c: c.send(1.5, b""), errors.ValidationError, "1.5"),
    (lambda c: c.send(None, b""), errors.ValidationError, "None"),
    (lambda c: c.send("echo", "text"), errors.ValidationError, "encoding"),
    (lambda c: c.send("echo", object(), encoding="json"), errors.SerializationError, "object"),
    (lambda c: c.request("echo", b"", timeout_s="5"), errors.ValidationError, "number of seconds"),
    (lambda c: c.request("echo", b"", timeout_s=None), errors.ValidationError, "number of seconds"),
    (lambda c: c.send_batch([("echo", b"")]), errors.ValidationError, "caxton.Message"),
    (lambda c: c.inspect("ecco"), errors.AgentNotFound, "ecco"),
    (lambda c: c.agents(limit=-1), errors.ValidationError, "limit"),
    (lambda c: c.attach("new", None), errors.ValidationError, "not a function"),
    (lambda c: c.advertise("echo", add="x"), errors.ValidationError, "list of texts"),
    (lambda c: c.remove("nobody"), errors.AgentNotFound, "nobody"),
]


@pytest.fixture(scope="module")
def runtime():
    """A runtime with `echo`, and `stopped`, which is."""
    with own_runtime(1) as directory, caxton.connect_sync(directory) as client:
        client.deploy("echo", ECHO)
        client.deploy("stopped", ECHO)
        client.stop("stopped")
        yield directory


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with files that are wrong, and one manifest that is not."""
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(ECHO, folder)
    good = GOOD.replace(ECHO, "echo.wasm")
    (folder / "good.toml").write_text(good)
    (folder / "bad.toml").write_text(good + "weihgt = 3\n")
    (folder / "taken.toml").write_text(good.replace('"new"', '"echo"') + 'encoding = "msgpack"\n')
    (folder / "text.wasm").write_text("(module)")
    return folder


@pytest.fixture
def run(runtime, files, tmp_path):
    """Runs a command line as it stands in the table; its result, and what stood in its places."""
    places = {"echo": ECHO, "files": str(files), "nowhere": str(tmp_path), "runtime": str(runtime)}

    def one(line, *options):
        words = [word.format(**places) for word in shlex.split(line)]
        return CliRunner(env={"CAXTON_RUNTIME_DIR": str(runtime)}).invoke(app, [*words, *options])

    one.places = places
    return one


@pytest.fixture(scope="module")
def client(runtime):
    with caxton.connect_sync(runtime) as client:
        yield client


@pytest.mark.parametrize(("line", "code", "error", "says"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_mistake_on_the_command_line(run, line, code, error, says):
    """It has the exit code and the error that the table says, as one line of text and as JSON, and no traceback."""
    as_text, as_json = run(line), run(line, "-o", "json")

    assert (as_text.exit_code, as_text.stdout) == (code, "")
    (told,) = as_text.stderr.splitlines()
    assert told.startswith("caxton: ")
    assert says.format(**run.places) in told
    if "-o" not in line:
        answer = json.loads(as_json.stderr)
        assert (as_json.exit_code, as_json.stdout, answer["error"]) == (code, "", error)
        assert told == f"caxton: {answer['message']}"


@pytest.mark.parametrize(("text", "line", "key", "says"), MANIFESTS, ids=[f"{row[2]}: {row[3]}" for row in MANIFESTS])
def test_a_mistake_in_a_manifest(run, files, text, line, key, says):
    """`caxton agent validate` tells its line, its key and what is wrong, and exits with 1."""
    path = files / "agent.toml"
    path.write_text(text)
    as_json = run(f"agent validate {path} --root / --no-compile -o json")
    found = [(one["line"], one["key"], one["problem"]) for one in json.loads(as_json.stdout)["mistakes"]]

    assert (as_json.exit_code, as_json.stderr) == (FAILED, "")
    assert [one for one in found if one[:2] == (line, key) and says in one[2]], found


@pytest.mark.parametrize(("call", "error", "says"), CALLS, ids=[f"{n}: {row[2]}" for n, row in enumerate(CALLS)])
def test_a_mistake_in_a_call(client, call, error, says):
    """It raises the type that the table says, with the reason, and nothing else."""
    with pytest.raises(error) as raised:
        call(client)
    assert type(raised.value) is error
    assert says in str(raised.value)


def test_no_mistake_has_done_anything(client):
    """The agents are those that were there before."""
    assert {agent.name: agent.state for agent in client.agents()} == {"echo": "running", "stopped": "stopped"}


def test_the_table_is_long():
    """Sixty rows at least, and none of them twice."""
    assert len(COMMANDS) + len(MANIFESTS) + len(CALLS) >= 60
    assert len({row[0] for row in COMMANDS}) == len(COMMANDS)
