import inspect
import runpy
from typing import Any, get_args, get_type_hints

import pytest

import caxton
from caxton.errors import BY_NAME
from caxton.testing import ServedRuntime


@pytest.fixture(scope="module")
def made(root):
    return runpy.run_path(str(root / "docs/api_page.py"))["page"]()


def parts(kind):
    """A type, and the types that it is made of."""
    yield kind
    for one in get_args(kind):
        for part in one if isinstance(one, list) else [one]:
            yield from parts(part)


def public(kind):
    return [name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")]


def test_the_page_of_the_api_is_what_the_code_says(root, made):
    """The page is the one that `python docs/api_page.py` makes of the code and its docstrings."""
    is_made = (root / "docs/api.md").read_text(encoding="utf-8") == made
    assert is_made, "write it anew with `python docs/api_page.py`"


def test_the_page_leaves_no_call_out(made):
    """Whatever a client or a runtime for tests can be asked stands on it, and every error."""
    calls = [f"client.{name}(" for name in public(caxton.Client) if name != "abandon"]
    calls += [f"served.{name}(" for name in public(ServedRuntime)]
    errors = [f"| `{name}` |" for name in BY_NAME]

    assert [wanted for wanted in [*calls, *errors] if wanted not in made] == []


def test_the_page_has_every_public_name(made):
    """Whoever looks for what the package exports finds it there."""
    assert [name for name in caxton.__all__ if name != "__version__" and name not in made] == []


def test_no_call_takes_or_returns_what_nobody_knows():
    """In every signature of the client each type says what it is, and those that are ours can be had from `caxton`."""
    ours = [getattr(caxton, name) for name in caxton.__all__] + list(BY_NAME.values()) + [caxton.errors.CaxtonError]
    found = [
        f"{name}({where}): {part}"
        for name in public(caxton.Client)
        if name != "abandon"
        for where, hint in get_type_hints(getattr(caxton.Client, name)).items()
        for part in parts(hint)
        if part is Any or (isinstance(part, type) and part.__module__.startswith("caxton.") and part not in ours)
    ]

    assert found == []
