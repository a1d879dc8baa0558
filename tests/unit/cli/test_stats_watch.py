"""`caxton stats --watch` beside a runtime that is busy for a moment, or for longer."""

import pytest
from typer.testing import CliRunner

from caxton.cli.commands import stats as room
from caxton.cli.main import app
from caxton.cli.output import print_lines
from caxton.errors import ResourceExhausted, Timeout

FULL, LATE = ResourceExhausted("calls at the desk at once", 64), Timeout("the supervisor's figures", 5.0)


@pytest.fixture
def watch(monkeypatch):
    """Watches what is shown, one after the other; what is no text is raised, and the end is Ctrl-C."""

    def run(*shown):
        left = [*shown]

        def show(*_, **__):
            if not left:
                raise KeyboardInterrupt
            one = left.pop(0)
            if not isinstance(one, str):
                raise one
            print_lines([one])

        monkeypatch.setattr(room, "_show", show)
        return CliRunner().invoke(app, ["stats", "--watch", "0.5"])

    return run


def test_what_passes_is_said_and_it_goes_on(watch):
    """On standard error; what works next is shown."""
    done = watch("first", FULL, LATE, "second")
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if line in {"first", "second"}] == ["first", "second"]
    assert [line.endswith("; trying again") for line in done.stderr.splitlines()] == [True, True]


def test_what_does_not_pass_is_an_error(watch, monkeypatch):
    """Before anything was shown, and a minute after."""
    assert (watch(FULL).exit_code, watch(FULL).stderr.endswith(f"caxton: {FULL}\n")) == (1, True)
    monkeypatch.setattr(room, "PATIENCE_S", 0.0)
    assert watch("first", LATE, "never").exit_code == 1
