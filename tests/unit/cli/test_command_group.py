"""The table of commands, and command lines that are wrong."""

import json
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import caxton
from caxton.cli.main import COMMANDS, app

HEAVY = ("asyncio", "msgspec", "pydantic", "rich", "sqlite3", "uvloop", "zmq", "caxton.client")


@pytest.fixture
def invoke():
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def commands_of(group):
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


def test_the_table_says_what_each_command_says_of_itself():
    """The sentence that stands for a command in the table begins its own help."""
    found = commands_of(get_command(app))

    assert [*found] == [*COMMANDS]
    assert {name: command.help.partition("\n")[0] for name, command in found.items()} == COMMANDS


def test_every_help_has_examples(invoke):
    """The help of every command and of every group shows examples of it."""
    root = get_command(app)
    lines = [[]]
    for name, command in commands_of(root).items():
        lines += [[name], *([name, below] for below in getattr(command, "commands", ()))]

    shown = {" ".join(line): " ".join(invoke(*line, "--help").stdout.split()) for line in lines}

    assert len(shown) > 20
    assert [line for line, text in shown.items() if f"Examples: caxton {line}".strip() not in text] == []


def test_a_group_tells_its_commands_by_whole_sentences(invoke):
    """No sentence of a command is cut short in the help of its group."""
    groups = {name: command for name, command in commands_of(get_command(app)).items() if hasattr(command, "commands")}
    shown = {name: " ".join(invoke(name, "--help").stdout.split()) for name in groups}

    said = [
        (name, below.help.partition("\n")[0]) for name, group in groups.items() for below in group.commands.values()
    ]
    assert len(said) > 20
    assert [sentence for name, sentence in said if sentence not in shown[name]] == []


def test_what_may_be_left_out_is_in_one_pair_of_brackets(invoke):
    """As in `[CONTENT]`."""
    assert " {NAME|ID|@CAPABILITY} [CONTENT]" in " ".join(invoke("message", "send", "--help").stdout.split())
    assert " [-- FLAGS...]" in " ".join(invoke("config", "show", "--help").stdout.split())


def test_help_loads_nothing_heavy():
    """`caxton --help` loads neither the client nor any library that only commands need."""
    script = f"""
import sys
from caxton.cli.main import app
try:
    app(["--help"])
except SystemExit:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("package", "remedy"), [("zmq", "pip install"), ("sqlite3", "use a Python that has it")])
def test_a_package_that_does_not_load_is_an_error_like_others(package, remedy):
    """Which one it is, and what to do; in the format that is asked for."""
    script = f"""
import sys
sys.modules[{package!r}] = None
from caxton.cli.main import app
app(["doctor", "-o", "json"])
"""
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)

    told = json.loads(done.stderr)
    assert (done.returncode, done.stdout, told["error"]) == (1, "", "ConfigurationError")
    assert f"the package {package}: it does not load" in told["message"]
    assert remedy in told["message"]


def test_the_version_is_told(invoke):
    """`caxton --version` prints the version, and does nothing else."""
    shown = invoke("--version")

    assert (shown.exit_code, shown.stdout) == (0, f"caxton {caxton.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "path", "says"),
    [
        (["agnt"], "caxton", "there is no command 'agnt'; did you mean agent?"),
        (["\x1b[2J"], "caxton", "there is no command '\\x1b[2J'"),
        (["agent", "lst"], "caxton agent", "Did you mean 'list'"),
        (["serve", "--workers", "two"], "caxton serve", "--workers"),
        (["serve", "--wrokers", "2"], "caxton serve", "No such option: --wrokers"),
        (["agent", "inspect"], "caxton agent inspect", "NAME|ID"),
        (["deadletter", "list", "--reason", "expird"], "caxton deadletter list", "did you mean expired?"),
        (["deadletter", "list", "--reason", "weather"], "caxton deadletter list", "there are agent_not_found, "),
        (["deadletter", "list", "--all", "--limit", "3"], "caxton deadletter list", "it goes with no --limit"),
        (["agent", "list", "--all", "--limit", "3"], "caxton agent list", "it goes with no --limit"),
    ],
)
def test_a_wrong_command_line_is_an_error_like_others(invoke, arguments, path, says):
    """What is wrong with a command line is one line that ends with where to look, or an object, and exit code 2."""
    as_text = invoke(*arguments)
    assert (as_text.exit_code, as_text.stdout) == (2, "")
    assert as_text.stderr.startswith("caxton: the command line: ")
    assert says in as_text.stderr
    assert as_text.stderr.endswith(f"; see `{path} --help`\n")
    assert as_text.stderr.count("\n") == 1

    for option in (["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"], ["-o", "text", "-o", "json"]):
        as_json = invoke(arguments[0], *option, *arguments[1:])
        assert (as_json.exit_code, as_json.stdout) == (2, "")
        assert json.loads(as_json.stderr)["error"] == "ConfigurationError"


@pytest.mark.parametrize("arguments", [["-o", "json", "-o", "text"], ["--", "-o", "json"], ["-o", "xml"], ["json"]])
def test_text_is_what_is_not_asked_for_as_json(invoke, arguments):
    """The last output format counts, and what stands behind -- is no option."""
    assert invoke("agnt", *arguments).stderr.startswith("caxton: ")


@pytest.mark.parametrize("group", [[], ["agent"], ["message"], ["deadletter"], ["demo"]])
def test_a_group_alone_shows_its_help(invoke, group):
    """A group without a command shows its help, with exit code 2, for nothing was done."""
    shown = invoke(*group)

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert shown.stderr.startswith(f"Usage: {' '.join(['caxton', *group])} ")


def test_an_option_in_front_of_the_command_is_told_where_it_stands(invoke):
    """Who writes `caxton -o json health` is shown where options stand."""
    assert "behind the command, as in `caxton health -o json`" in invoke("-o", "json", "health").stderr
    assert "behind the command" not in invoke("healht").stderr


def test_a_value_that_can_be_none_is_a_wrong_command_line(invoke):
    """What a call refuses before anything is sent ends with 2, as what the options refuse does."""
    assert invoke("deadletter", "requeue").exit_code == 2
