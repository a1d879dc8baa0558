"""The agents that a command line names: `module` means all in it, `module:name` one."""

import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module
from traceback import walk_tb
from types import ModuleType

from caxton.client.hosting.definition import KEPT_AS, definition_of
from caxton.errors import CaxtonError, ConfigurationError
from caxton.printable import one_line, shown

# What an error says of itself beyond this is cut.
_MAX_REASON = 300


def agents_of(specs: Sequence[str]) -> list[object]:
    """Import what is named, from the present directory too, and return the agents, each once, in order.

    Raises ConfigurationError for what is no such name, a module or an agent that there is not, a module without agents,
    and one that cannot be imported, with the place. Errors of Caxton that a module raises are raised.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")
    found: list[object] = []
    for spec in specs:
        found += [each for each in _named(spec) if not any(each is other for other in found)]
    return found


def _named(spec: str) -> Iterator[object]:
    name, colon, attribute = spec.partition(":")
    module = _module(spec, name)
    if not colon:
        yield from _all_in(spec, module)
        return
    agent: object = module
    for part in attribute.split("."):
        if not part or not hasattr(agent, part):
            near = get_close_matches(part, [key for key, value in vars(module).items() if hasattr(value, KEPT_AS)], 1)
            hint = f"is {name}:{near[0]} meant?" if near else f"see what {name} defines"
            raise ConfigurationError(shown(spec), f"module {name} has no {shown(attribute)}", hint)
        agent = getattr(agent, part)
    definition_of(agent)
    yield agent


def _module(spec: str, name: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        hint = f"name the module: {name.removesuffix('.py').strip('./').replace('/', '.')}"
        raise ConfigurationError(shown(spec), "that is a file", hint)
    try:
        return import_module(name)
    except (ModuleNotFoundError, ValueError) as error:
        if _place(error):  # the module's own error, or that of something that it imports
            raise _broken(spec, name, error) from error
        raise ConfigurationError(shown(spec), "there is no such module", "run this where the module is") from None
    except CaxtonError:
        raise
    except Exception as error:
        raise _broken(spec, name, error) from error


def _broken(spec: str, name: str, error: Exception) -> ConfigurationError:
    """Return the error for a module that cannot be imported: where, and why."""
    if isinstance(error, SyntaxError):
        place, reason = f"{error.filename}:{error.lineno}", error.msg
    else:
        place, reason = _place(error) or name, str(error)
    problem = f"it cannot be imported: {place}: {type(error).__name__}: {one_line(reason, _MAX_REASON)}"
    return ConfigurationError(shown(spec), problem, f"mend it; `python -c 'import {name}'` shows how it came there")


def _place(error: Exception) -> str:
    """Return the line of a module that was being run, the innermost of several; "" when none was."""
    lines = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    ]
    return lines[-1] if lines else ""


def _all_in(spec: str, module: ModuleType) -> Iterator[object]:
    agents = [value for value in vars(module).values() if hasattr(value, KEPT_AS)]
    if not agents:
        hint = "decorate a function or a class with @caxton.agent(name)"
        raise ConfigurationError(shown(spec), "there is no agent in this module", hint)
    yield from agents
