"""Takes a limit out of the code: wherever it is used, not where it is defined, so that tests still know its edge."""

import ast
from collections.abc import Iterator

from faultlab.limits.account import Constant


def without(source: str, module: str, constant: Constant, others: frozenset[tuple[str, str]]) -> str:
    """Return a module's source in which each use of a constant is a number that is never reached.

    Its definition stays. So does what another limit, one of `others`, is made of: that one holds as before. Texts name
    the limit as it was.
    """
    tree = ast.parse(source)
    known = _known_as(tree, module, constant)
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    waiting: list[ast.AST] = [node for node in tree.body if not _defines(node, module, others)]
    # From the end, so that places before it stay where they are.
    for node in sorted(_uses(waiting, known), key=lambda n: (n.lineno, n.col_offset), reverse=True):
        line = lines[node.lineno - 1]
        written = line[node.col_offset : node.end_col_offset].decode()
        lines[node.lineno - 1] = line[: node.col_offset] + _off(written, constant) + line[node.end_col_offset :]
    return b"".join(lines).decode()


def _off(written: str, constant: Constant) -> bytes:
    """Return what stands in the place of a use; of a table of pairs it is the table with another most."""
    if not constant.key:
        return f"({constant.never})".encode()
    return f"{{**{written}, {constant.key!r}: ({written}[{constant.key!r}][0], {constant.never})}}".encode()


def _known_as(tree: ast.Module, module: str, constant: Constant) -> set[str]:
    """Return what a module calls a constant: by its name, or as an attribute of the module that it is in."""
    known = {constant.name} if module == constant.module else set()
    package, _, room = constant.module.rpartition(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == constant.module:
            known |= {alias.asname or alias.name for alias in node.names if alias.name == constant.name}
        elif isinstance(node, ast.ImportFrom) and node.module == package:
            known |= {f"{alias.asname or room}.{constant.name}" for alias in node.names if alias.name == room}
        elif isinstance(node, ast.Import):
            names = [alias.asname or alias.name for alias in node.names if alias.name == constant.module]
            known |= {f"{name}.{constant.name}" for name in names}
    return known


def _uses(waiting: list[ast.AST], known: set[str]) -> Iterator[ast.expr]:
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in known:
            if isinstance(node.ctx, ast.Load):
                yield node
        elif not isinstance(node, ast.JoinedStr):
            waiting += ast.iter_child_nodes(node)


def _defines(node: ast.stmt, module: str, others: frozenset[tuple[str, str]]) -> bool:
    """True for a line of a module that gives a limit its number; a table has several, and others than limits."""
    if isinstance(getattr(node, "value", None), ast.Dict):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    named = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return any((module, part.id) in others for part in named if isinstance(part, ast.Name))
