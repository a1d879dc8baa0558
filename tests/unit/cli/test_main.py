import pytest
from typer.testing import CliRunner

from caxton.cli.main import app


@pytest.fixture
def invoke():
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("command", ["serve", "stop", "restart", "health", "stats", "ledger"])
def test_every_command_explains_itself(invoke, command):
    """--help says what a command does and gives an example of it."""
    shown = invoke(command, "--help")

    assert shown.exit_code == 0
    assert f"caxton {command}" in shown.output
    assert "Examples:" in shown.output
    assert "--runtime-dir" in shown.output


def test_the_command_for_a_stopped_runtime_explains_itself(invoke):
    """--help of `caxton reshard` names the directory that it changes, with examples."""
    shown = invoke("reshard", "--help")

    assert shown.exit_code == 0
    assert "caxton reshard --workers 4" in " ".join(shown.output.split())
    assert "--data-dir" in shown.output


def test_without_a_command_the_commands_are_listed(invoke):
    """`caxton` alone shows what there is."""
    shown = invoke("--help")

    talk = ("agent", "message", "deadletter", "demo")
    commands = ("serve", "stop", "reshard", "restart", "health", "stats", "ledger", *talk)
    assert all(command in shown.output for command in commands)


@pytest.mark.parametrize("command", ["list", "show", "requeue", "purge", "stats"])
def test_every_command_on_dead_letters_explains_itself(invoke, command):
    """--help says what a command on dead letters does and gives an example of it."""
    shown = invoke("deadletter", command, "--help")

    assert shown.exit_code == 0
    assert f"caxton deadletter {command}" in " ".join(shown.output.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--workers", "0"),
        ("serve", "--workers", "33"),
        ("serve", "--workers", "two"),
        ("serve", "--restart-limit", "-1"),
        ("serve", "--restart-limit", "10001"),
        ("serve", "--drain-timeout", "-1"),
        ("serve", "--drain-timeout", "inf"),
        ("serve", "--worker-memory-limit", "127"),
        ("serve", "--worker-memory-limit", "1048577"),
        ("serve", "--dead-letter-capacity", "9999"),
        ("serve", "--dead-letter-capacity", "10000001"),
        ("serve", "--retry-delay-ms", "99"),
        ("serve", "--retention", "a week"),
        ("serve", "--retry-factor", "1"),
        ("serve", "--breaker-threshold", "101"),
        ("serve", "--breaker-timeout-s", "4.9"),
        ("stop", "--timeout", "0"),
        ("restart", "--timeout", "0"),
        ("deadletter", "list", "--limit", "0"),
        ("deadletter", "list", "--limit", "1000000001"),
        ("deadletter", "requeue", "--limit", "99999999999999999999999"),
        ("deadletter", "list", "--before", "yesterday"),
        ("deadletter", "show"),
        ("stats", "-o", "xml"),
        ("dance",),
    ],
)
def test_a_wrong_command_line_is_2(invoke, arguments):
    """What the command line does not allow exits with 2 before anything is done."""
    assert invoke(*arguments).exit_code == 2
