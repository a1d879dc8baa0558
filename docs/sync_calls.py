"""Writes caxton/sync/calls, the calls without a loop, from those of the client: `python docs/sync_calls.py`.

A test holds them to the client's: names, signatures and what they say.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCES, WRITTEN = ROOT / "caxton/client/calls", ROOT / "caxton/sync/calls"
MODULES = tuple(sorted(path.stem for path in SOURCES.glob("*_calls.py")))
# What has another form without a loop, and where that is.
TWINS = {
    "AgentListing": "caxton.sync.returned",
    "AttachedAgent": "caxton.sync.returned",
    "BatchHandler": "caxton.sync.called",
    "Connection": "caxton.sync.connection",
    "EachHandler": "caxton.sync.called",
    "Hosting": "caxton.sync.returned",
    "Inbox": "caxton.sync.returned",
    "Subscription": "caxton.sync.returned",
    "ValueHandler": "caxton.sync.called",
    "ValuesHandler": "caxton.sync.called",
}
# What is said of a loop, and what is said where there is none.
SAID = {
    "To be iterated with `async for`, or awaited for a list of all.": "To be iterated with `for`.",
    "to be iterated with `async for`, or awaited for a list of all.": "to be iterated with `for`.",
    "to be iterated with `async for`. It may be awaited, too.": "to be iterated with `for`.",
    "until this task is cancelled or one": "until Ctrl-C or until one",
    "an `async with`": "a `with`",
    "an `async for`": "a `for`",
    "`async with`": "`with`",
    "`async for`": "`for`",
}


class Import(NamedTuple):
    """`from module import name as known`."""

    module: str
    name: str
    known: str


def written(module: str) -> str:
    """Return the text of a module of calls without a loop, not formatted."""
    source = (SOURCES / f"{module}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    (kind,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Calls"))
    body = "\n\n".join(_methods(kind, source.splitlines()))
    class_says = _said(ast.get_docstring(kind, clean=False) or "")
    bases = ", ".join(map(ast.unparse, kind.bases))
    text = f'class {kind.name}({bases}):\n    """{class_says}"""\n\n{body}\n'
    imports = "\n".join(_imports(module, tree, text))
    head = f"`caxton.client.calls.{module}` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."
    return f'"""{head}"""\n\n{imports}\n\n\n{text}'


def written_all() -> str:
    """Return the text of the module that has all calls, as the client has them."""
    tree = ast.parse((SOURCES.parent / "client.py").read_text(encoding="utf-8"))
    (client,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    bases = [ast.unparse(base) for base in client.bases]
    imports = sorted(
        f"from {_home(one.module or '', name.name)} import {name.name}"
        for one in _from_imports(tree)
        for name in one.names
        if name.name in bases
    )
    head = '"""All calls of the client, without a loop, as `docs/sync_calls.py` writes them: nothing to be edited."""'
    inside = "".join(f"    {base},\n" for base in bases)
    says = '    """Everything that a client without a loop may be asked."""'
    return f"{head}\n\n" + "\n".join(imports) + f"\n\n\nclass AllCalls(\n{inside}):\n{says}\n"


def same(one: str, other: str) -> bool:
    """Tell whether two texts are the same program, however they are formatted and their imports sorted."""
    return _program(one) == _program(other)


def _program(text: str) -> list[str]:
    tree = ast.parse(text)
    imports = sorted(f"{one.module} {name.name} {name.asname}" for one in _from_imports(tree) for name in one.names)
    return imports + [ast.dump(node) for node in tree.body if not isinstance(node, ast.ImportFrom)]


def _from_imports(tree: ast.Module) -> list[ast.ImportFrom]:
    return [node for node in tree.body if isinstance(node, ast.ImportFrom)]


def _said(text: str) -> str:
    for loop, none in SAID.items():
        text = text.replace(loop, none)
    return text


def _methods(kind: ast.ClassDef, lines: list[str]) -> Iterator[str]:
    functions = [node for node in kind.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    overloaded = {function.name for function in functions if function.decorator_list}
    for function in functions:
        if function.name.startswith("_") or function.name == "close":
            continue
        first = function.body[0]
        signature = "\n".join(lines[function.lineno - 1 : first.lineno - 1])
        signature = signature.replace("async def ", "def ", 1).replace("AsyncIterator[", "Iterator[")
        if function.decorator_list:
            stub = "\n".join(lines[function.lineno - 1 : function.end_lineno])
            yield f"    @overload\n{stub.replace('async def ', 'def ', 1)}"
        else:
            says = _said(ast.get_docstring(function, clean=False) or "")
            body = _body(function, is_overloaded=function.name in overloaded)
            yield f'{signature}\n        """{says}"""\n' + "\n".join(f"        {line}" for line in body)


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_overloaded: bool) -> list[str]:
    """Return the lines that hand a call to the loop."""
    name, returned = function.name, ast.unparse(function.returns) if function.returns else "None"
    given = _given(function)
    if name == "attach":
        given = given.replace(", handler,", ", called.handler,")
        return [
            "called = Called(handler, concurrency)",
            "attach: Callable[..., attached.AttachedAgent] = self._client.attach",
            f"agent = self._made(partial(attach, {given}))",
            "return AttachedAgent(self._thread, agent, called)",
        ]
    if returned.startswith("AsyncIterator["):
        return [f"return self._iterated(self._client.{name}({given}))"]
    if isinstance(function, ast.AsyncFunctionDef):
        if not is_overloaded:
            return [f"return self._run(self._client.{name}({given}))"]
        typed = f"{name}: Callable[..., Coroutine[Any, Any, {returned}]] = self._client.{name}"
        return [typed, f"return self._run({name}({given}))"]
    if name == "agent":  # decorates, and asks nobody
        return [f"return self._client.agent({given})"]
    made = f"self._made(partial(self._client.{name}{', ' * bool(given)}{given}))"
    return [f"return {returned}(self._thread, {made})" if returned in TWINS else f"return {made}"]


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    taken = function.args
    given = [one.arg for one in [*taken.posonlyargs, *taken.args] if one.arg != "self"]
    given += [f"*{taken.vararg.arg}"] if taken.vararg else []
    return ", ".join(given + [f"{one.arg}={one.arg}" for one in taken.kwonlyargs])


def _imports(module: str, tree: ast.Module, text: str) -> Iterator[str]:
    """Import what a text uses, from where its source does or from its source."""
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    known = {
        Import(one.module or "", name.name, name.asname or name.name)
        for one in _from_imports(tree)
        for name in one.names
    }
    known |= {Import(f"caxton.client.calls.{module}", name, name) for name in _defined(tree)}
    known |= {Import("typing", "Any", "Any"), Import("functools", "partial", "partial")}
    known |= {Import("collections.abc", name, name) for name in ("Callable", "Coroutine", "Iterator")}
    known |= {Import("caxton.sync.called", "Called", "Called"), Import("caxton.client.attached", "agent", "attached")}
    for module_of, name, as_name in sorted(known):
        if as_name in used:
            suffix = "" if name == as_name else f" as {as_name}"
            yield f"from {_home(module_of, name)} import {name}{suffix}"


def _home(module: str, name: str) -> str:
    if name in TWINS:
        return TWINS[name]
    if name.endswith("Calls") and module.startswith("caxton.client.calls."):
        return module.replace("caxton.client", "caxton.sync")
    return module


def _defined(tree: ast.Module) -> Iterator[str]:
    """Name what a module defines, besides its calls."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.endswith("Calls"):
            yield node.name
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name):
                    yield part.id


if __name__ == "__main__":
    for _module in MODULES:
        (WRITTEN / f"{_module}.py").write_text(written(_module), encoding="utf-8")
    (WRITTEN / "all_calls.py").write_text(written_all(), encoding="utf-8")
    for _tidy in (["check", "-q", "--select", "I", "--fix"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *_tidy, str(WRITTEN)], check=True)
