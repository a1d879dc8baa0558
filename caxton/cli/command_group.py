"""The group of all commands: names that load their modules when they are meant, and wrong command lines as errors."""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command

from caxton.cli.output import FAILED, Format, report_error
from caxton.cli.usage_mistake import usage_mistake
from caxton.errors import CaxtonError, ConfigurationError

_COMMANDS = "caxton.cli.commands"
_WRONG = 2
_OURS = {"caxton", "workers"}


class CommandGroup(TyperGroup):
    """lines: what there is, in order, with the sentence that help shows."""

    lines: ClassVar[dict[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (what typer passes)
        """Return the names in order."""
        return [*self.lines]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (the same)
        """Load a command; None for a name that there is not."""
        if cmd_name in self.lines and cmd_name not in self.commands:
            self.commands[cmd_name] = load(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (the same)
        """Write the commands' sentences, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.lines.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first word means; for none the error says which one may be meant."""
        name = args[0]
        if name not in self.lines and not name.startswith("-"):
            near = get_close_matches(name, self.lines, 1)
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that the words mean, and end with its exit code.

        A wrong command line is an error like others: typer would print it in other words, and never as JSON.
        """
        words = sys.argv[1:] if args is None else [*args]
        try:
            code = super().main(words, prog_name or "caxton", complete_var, False, windows_expand_args, **extra)
        except typer.TyperException as error:
            code = _report(error, words)
        except CaxtonError as error:  # what was read before the command began, such as a configuration file
            code = report_error(error, _format(words))
        except ImportError as error:
            code = report_error(_not_installed(error), _format(words))
        except typer.Abort:
            code = FAILED
        code = code if isinstance(code, int) else 0
        if standalone_mode:
            sys.stdout.flush()
            sys.exit(code)
        return code


def load(name: str) -> Any:
    """Return a command, or a group of them, from its module."""
    module = import_module(f"{_COMMANDS}.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(name, cls=getattr(module, "COMMAND", None), epilog=module.EXAMPLES)(getattr(module, name))
    command = get_command(app)
    for below in getattr(command, "commands", {}).values():
        below.short_help = (below.help or "").partition("\n")[0]  # whole: typer would cut it after some words
    return command


def _report(error: typer.TyperException, words: Sequence[str]) -> int:
    """Print what is wrong with the command line, in the format that it asks for."""
    if error.message.startswith("Usage:"):  # the help of a group that was given without a command
        sys.stderr.write(error.message + "\n")
        return error.exit_code
    report_error(usage_mistake(error, words), _format(words))
    return error.exit_code


def _not_installed(error: ImportError) -> ConfigurationError:
    """Return the error for a package that Caxton needs and that is not there, or does not load; raises what is ours."""
    package = (error.name or "").partition(".")[0]
    if package in _OURS:
        raise error
    of_python = package.removeprefix("_") in sys.stdlib_module_names
    remedy = (
        "use a Python that has it" if of_python else "install what Caxton needs: `pip install .` in a clone of Caxton"
    )
    return ConfigurationError(f"the package {package or 'that is needed'}", f"it does not load: {error}", remedy)


def _format(words: Sequence[str]) -> Format:
    """Return the output format that a command line asks for, though it cannot be read as a whole."""
    found, follows = Format.TEXT, False
    for word in words:
        if word == "--":
            break
        named = word if follows else word.removeprefix("--output=").removeprefix("-o")
        if named in {*Format} and (follows or named != word):
            found = Format(named)
        follows = word in {"-o", "--output"}
    return found
