"""The account of everything kept: complete, and as the code says."""

import ast
import importlib
import re
import runpy

import pytest

from caxton.client.session import session_book
from caxton.errors import BY_NAME
from caxton.store import ledger
from caxton.supervisor.desk.reasons import KINDS
from caxton.wire.counters import COUNTERS

# What a constant is called that bounds something, unless it is a time.
BOUND = re.compile(r"(^|_)(MAX|MOST|KEPT|LONGEST|LARGEST|CAPACITY|WINDOW|POOL|AT_ONCE|OVERSHOOT|ENOUGH)(_|$)")
TIME = re.compile(r"_(S|MS|NS)$")
# Where things are kept for others. Commands, the demo and the kit for tests end with the program of one user.
ROOMS = (
    "workers",
    "caxton/client",
    "caxton/supervisor",
    "caxton/links",
    "caxton/transport",
    "caxton/store",
    "caxton/gateway",
)
PASSING = re.compile(r"caxton\.(cli|demo|testing)\b")
NAME_IT = "say in docs/limits.toml what these bound or keep, then run `python docs/limits_page.py`:\n"
GROWS = {"deque", "dict", "set", "list", "defaultdict", "OrderedDict", "bytearray", "Counter"}
GROWS |= {"WeakKeyDictionary", "WeakValueDictionary"}


@pytest.fixture(scope="module")
def written(root):
    return runpy.run_path(str(root / "docs/limits_page.py"))


@pytest.fixture(scope="module")
def account(written):
    return written["account"]()


@pytest.fixture(scope="module")
def kept(account):
    return account["kept"]


def module_of(root, path):
    return ".".join(path.relative_to(root).with_suffix("").parts)


def named(node):
    """Names that a statement gives a value, each with it."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [(node.target, node.value)]
    if not isinstance(node, ast.Assign):
        return []
    target = node.targets[0]
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        return list(zip(target.elts, node.value.elts, strict=True))
    return [(target, node.value)]


def grows(value):
    """True for an empty container, or a field that begins with one."""
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List):
        return not value.elts
    if not isinstance(value, ast.Call):
        return False
    called = ast.unparse(value.func).rpartition(".")[2]
    if called == "field":
        return any(k.arg == "default_factory" and ast.unparse(k.value) in GROWS for k in value.keywords)
    return called in GROWS


def containers(module, kind):
    """Attributes of a class that begin as empty containers."""
    for node in ast.walk(kind):
        for target, value in named(node):
            own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            if grows(value) and (own or (isinstance(target, ast.Name) and node in kind.body)):
                yield f"{module}.{kind.name}.{target.attr if own else target.id}"


def test_the_page_is_what_account_and_code_say(root, written, kept):
    """The page is the one that `python docs/limits_page.py` makes."""
    is_made = (root / "docs/limits.md").read_text(encoding="utf-8") == written["page"](kept)
    assert is_made, "write it anew with `python docs/limits_page.py`"


def test_every_bound_in_the_code_is_in_the_account(root, sources, tree, account):
    """Whoever bounds something says in docs/limits.toml what that is, or under [other] that nothing is kept there."""
    told = {bound.partition(" ")[0] for entry in account["kept"] for bound in entry["bounds"]} | set(account["other"])
    missing = []
    for path in sources("caxton", "workers"):
        module = module_of(root, path)
        names = [t.id for node in tree(path).body for t, _ in named(node) if isinstance(t, ast.Name)]
        for name in (n for n in names if BOUND.search(n) and not TIME.search(n) and not PASSING.match(module)):
            value = getattr(importlib.import_module(module), name)
            if isinstance(value, int | float) and not {f"{module}.{name}", f"{module}.*"} & told:
                missing.append(f"{module}.{name}")

    assert not missing, NAME_IT + "\n".join(missing)


def test_every_container_is_in_the_account(root, sources, tree, kept):
    """What is kept is under the `holds` of some entry of docs/limits.toml, by its name or as one of its class."""
    held = {place for entry in kept for place in entry.get("holds", ())}
    found = {
        place
        for path in sources(*ROOMS)
        for kind in ast.walk(tree(path))
        if isinstance(kind, ast.ClassDef)
        for place in containers(module_of(root, path), kind)
    }

    missing = sorted(p for p in found if p not in held and f"{p.rpartition('.')[0]}.*" not in held)

    assert found
    assert not missing, NAME_IT + "\n".join(missing)


def test_what_the_account_names_is_there(written, account, shown_by):
    """Every constant has a number and every class is there; tests, errors, counters, gauges and reasons exist."""
    counters = {*COUNTERS, *session_book.COUNTERS, *ledger.COUNTERS}
    lost = []
    for entry in account["kept"]:
        tests = written["tests_of"](entry)
        lost += [test for test in tests if not shown_by(test)]
        assert len(tests) in {1, len(entry["bounds"]) + len(entry.get("off", ()))}, entry["what"]
        for key, known in (("error", BY_NAME), ("counter", counters), ("gauge", counters), ("reason", KINDS)):
            lost += [entry[key]] if key in entry and entry[key] not in known else []
        for place in entry.get("holds", ()):
            module, kind, _ = place.rsplit(".", 2)
            lost += [] if hasattr(importlib.import_module(module), kind) else [place]
        assert all(written["value_of"](bound.partition(" ")[0]) > 0 for bound in entry["bounds"])
    for constant in account["other"]:
        module, _, name = constant.rpartition(".")
        lost += [] if name == "*" or hasattr(importlib.import_module(module), name) else [constant]

    assert lost == []


def test_nobody_is_left_without_a_word(kept):
    """Who goes beyond a bound gets an error, or it is counted, or the account says what happens instead."""
    assert [entry["what"] for entry in kept if not {"error", "counter", "beyond"} & entry.keys()] == []


def test_what_is_never_reached_is_said_of_bounds(account):
    """Where another number than the usual one turns a limit off, it is one of those that are kept account of."""
    bounds = {bound.partition(" ")[0] for entry in account["kept"] for bound in entry["bounds"]}
    assert account["never"].keys() <= bounds


def test_what_is_turned_off_stands_there_once(root, kept):
    """Lines of code that hold a limit, without a constant of its own, are found as the account has them."""
    lines = [line for entry in kept for line in entry.get("off", ())]
    assert lines
    assert [line for line in lines if (root / line["file"]).read_text("utf-8").count(line["old"]) != 1] == []
