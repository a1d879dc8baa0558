import inspect
import re
import runpy

import pytest

import caxton
from caxton import sync


@pytest.fixture(scope="module")
def writer(root):
    return runpy.run_path(str(root / "docs/sync_calls.py"))


def public(kind):
    """The calls of a client; what a fork calls is none."""
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")} - {"abandon"}


def shape(function):
    """What a call takes: names, order, kinds and defaults."""
    return [(one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()]


def test_the_calls_without_a_loop_are_written_from_those_of_the_client(writer, root):
    """What is in caxton/sync/calls is what `python docs/sync_calls.py` makes of the client."""
    wanted = {module: writer["written"](module) for module in writer["MODULES"]} | {
        "all_calls": writer["written_all"]()
    }
    folder = root / "caxton/sync/calls"
    stale = [
        module
        for module, text in wanted.items()
        if not (path := folder / f"{module}.py").exists() or not writer["same"](path.read_text(encoding="utf-8"), text)
    ]

    assert stale == [], "write them anew with `python docs/sync_calls.py`"
    assert {path.stem for path in folder.glob("*_calls.py")} == set(wanted)


def test_every_call_has_its_twin():
    """Both clients have the same calls, and no others."""
    assert public(sync.Client) == public(caxton.Client)


@pytest.mark.parametrize("name", sorted(public(caxton.Client)))
def test_a_call_takes_and_says_the_same_in_both_clients(name, writer):
    """A call without a loop has the parameters and the words of its twin, and nothing to await."""
    twin, call = getattr(caxton.Client, name), getattr(sync.Client, name)
    says = inspect.getdoc(call)

    assert shape(call) == shape(twin)
    assert not inspect.iscoroutinefunction(call)
    assert not re.search(r"\basync|\bawait", says)
    if name != "close":  # which may be called in any thread
        assert " ".join(says.split()) == " ".join(writer["_said"](inspect.getdoc(twin)).split())


def test_what_calls_return_has_its_twin_too():
    """What is returned that is more than a value can be asked the same without a loop."""
    for name in sync.__all__:
        if inspect.isclass(kind := getattr(sync, name)) and name != "Client":
            wanted = {one for one in vars(getattr(caxton, name)) if not one.startswith("_")}
            inside = {"full", "full_of_unread", "keep", "hold_back", "hold_at_most", "only"}
            inside |= {"pass_over", "passes_over", "listen", "drop", "rest_s"}
            assert wanted - inside <= set(dir(kind)), name


def test_connecting_takes_the_same():
    """`connect_sync` has the parameters of `connect`."""
    assert shape(caxton.connect_sync) == shape(caxton.connect)
