import io
import json
import sys

import pytest
import typer

from caxton.cli.output import (
    Format,
    print_content,
    print_json,
    print_table,
    print_text,
    report_error,
    reports_errors,
)
from caxton.errors import AgentNotFound, QueueFull, RuntimeNotFound


@pytest.mark.parametrize("output", list(Format))
def test_no_runtime_is_3_and_everything_else_is_1(output, capsys):
    """RuntimeNotFound exits with 3, every other error with 1, and standard output stays empty."""
    assert report_error(RuntimeNotFound("/run"), output) == 3
    assert report_error(AgentNotFound("echo"), output) == 1
    assert capsys.readouterr().out == ""


def test_an_error_in_json_has_its_name_fields_and_message(capsys):
    """In JSON an error is one object on one line of standard error."""
    report_error(QueueFull("echo", 5, 8), Format.JSON)

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["error"] == "QueueFull"
    assert told["fields"] == {"receiver": "echo", "depth": 5, "capacity": 8}
    assert "5 of 8" in told["message"]


@pytest.mark.parametrize("value", [b"\x00\xff", 2**80, {1: "number as a key"}, object(), "no UTF-8 \udcff"])
def test_what_json_does_not_know_is_printed_as_text(value, capsys):
    """Bytes, large numbers and other things do not break the output."""
    print_json({"value": value})

    assert "value" in json.loads(capsys.readouterr().out)


def test_a_command_ends_with_the_code_of_its_error(capsys):
    """A command's error is printed in the format that was asked for, and its exit code says what kind it is."""

    @reports_errors
    def command(*, output: Format) -> None:
        raise RuntimeNotFound("/nowhere")

    for output in Format:
        with pytest.raises(typer.Exit) as ended:
            command(output=output)
        assert ended.value.exit_code == 3
    text, as_json = capsys.readouterr().err.splitlines()
    assert text.startswith("caxton: no runtime is serving in /nowhere")
    assert json.loads(as_json)["error"] == "RuntimeNotFound"


def test_other_errors_are_bugs_and_pass():
    """What is no CaxtonError is not dressed up as one."""

    @reports_errors
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_a_table_shows_every_row(capsys):
    """A table shows what it was given, and nothing where there is nothing."""
    print_table("agents", ["name", "state"], [["echo", "running"], ["late", None]])

    shown = capsys.readouterr().out
    assert all(word in shown for word in ("agents", "name", "echo", "running", "late"))
    assert "None" not in shown


@pytest.mark.parametrize("text", ["\x1b[2J\x9b", "\u202egnp\u2066", "line\nline\r", "\udcff\x7f", "\U000e0041 👍"])
def test_json_holds_what_does_not_print_as_escapes(text, capsys):
    """JSON on a terminal controls nothing there, and says exactly what it was given."""
    print_json({"text": text})

    (line,) = capsys.readouterr().out.split("\n")[:-1]
    assert line.isprintable()
    assert json.loads(line) == {"text": text}


def test_text_and_errors_are_single_lines(capsys):
    """A line for people and an error stay one line each, whatever names are in them."""
    print_text("deployed two\nlines\x1b[31m")
    report_error(AgentNotFound("two\nlines\u202e"), Format.TEXT)

    told = capsys.readouterr()
    assert told.out == "deployed two\\nlines\\x1b[31m\n"
    assert told.err.startswith("caxton: there is no agent two\\nlines\\u202e; ")
    assert told.err.count("\n") == 1


ANSWER = b"\x1b[2J one\ttwo\nthree \xe2\x80\xae\xff"


def test_content_goes_into_a_pipe_byte_for_byte(capfdbinary):
    """What is no terminal gets the bytes and nothing else."""
    print_content(ANSWER)

    assert capfdbinary.readouterr().out == ANSWER


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_content_on_a_terminal_is_printable_and_ends_its_line(capsys, monkeypatch, end):
    """On a terminal what does not print is escaped, lines and tabs stay, and there is one line end at the end."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_content(ANSWER + end)

    assert capsys.readouterr().out == "\\x1b[2J one\ttwo\nthree \\u202e\\xff\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_json_in_every_encoding(monkeypatch, encoding):
    """What an encoding has no characters for is written as JSON writes it, for a program that reads it."""
    said = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", said)
    print_json({"name": "žluť 木 👍 é"})

    assert json.loads(said.buffer.getvalue().decode(encoding)) == {"name": "žluť 木 👍 é"}
