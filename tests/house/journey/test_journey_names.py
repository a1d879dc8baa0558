"""Every name that docs/journey.md says in code style is in the code."""

import ast
import importlib
import re
from pathlib import Path

import caxton

CODE = Path(caxton.__file__).parents[1]
IN_FILE = re.compile(r"((?:caxton|workers)/[\w/]+\.\w+)(?::([\w.]+))?")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?")
# What the page says that is no name of the code: agents, and keys of a guest's message.
SAID = {"echo", "splitter", "faulty", "hello", "nobody"}


def test_every_name_on_the_page_is_in_the_code(sources, tree, page):
    """Every function, class, attribute and file that the page names in code style exists."""
    names, members = names_in([tree(path) for path in sources("caxton", "workers")])
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL))
    lost = [span for span in spans if not exists(span, names | SAID, members)]

    assert len(spans) > 100
    assert lost == []


def names_in(modules):
    """Return every name and word that the code has, and the names inside each class."""
    names, members = set(), {}
    for module in modules:
        names |= set(words_of(module))
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                members.setdefault(node.name, set()).update(words_of(node))
    return names, members


def words_of(tree):
    fields = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.keyword: "arg", ast.Constant: "value"}
    definitions = dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), "name")
    for node in ast.walk(tree):
        word = getattr(node, (fields | definitions).get(type(node), "_"), None)
        if isinstance(word, str):
            yield word


def exists(span, names, members):
    """True for what is in the code, and for what claims not to be a name."""
    if in_file := IN_FILE.fullmatch(span):
        path, name = in_file.groups()
        return (CODE / path).exists() and (name is None or defines(path, name))
    if not NAME.fullmatch(span):
        return True
    first, *rest = span.removesuffix("()").split(".")
    if not rest:
        return first in names
    return rest[0] in members.get(first, ()) or hasattr(importlib.import_module("caxton"), rest[0])


def defines(path, name):
    """True when the module at `path` has the attribute, or the class and its method."""
    value = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True
