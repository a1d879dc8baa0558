"""The project as files: what the tests of the house look at."""

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

CODE = ("caxton", "workers", "bench", "faultlab", "tests")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def sources(root: Path) -> Callable[..., list[Path]]:
    """List the Python files of the given folders; of all of them when none is given."""

    def of(*folders: str) -> list[Path]:
        found = [path for folder in folders or CODE for path in sorted((root / folder).rglob("*.py"))]
        assert found, f"no Python file in {folders or CODE}: looking in the wrong place"
        return found

    return of


@pytest.fixture(scope="session")
def pages(root: Path) -> list[Path]:
    """The Markdown pages: README, CHANGELOG, docs and those that stand beside code."""
    found = sorted(root.glob("*.md"))
    for folder in ("docs", *CODE):
        found += sorted((root / folder).rglob("*.md"))
    assert found, "no page at all: looking in the wrong place"
    return found


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], ast.Module]:
    """Parse a Python file, once for all who look at it. Nobody may change what is returned."""
    return cache(lambda path: ast.parse(path.read_text(encoding="utf-8"), str(path)))


@pytest.fixture(scope="session")
def shown_by(root: Path, tree: Callable[[Path], ast.Module]) -> Callable[[str], bool]:
    """Tell whether there is the test that a `path::name` names."""

    def is_there(test: str) -> bool:
        place, _, name = test.partition("::")
        path = root / place
        if not path.is_file() or not name.startswith("test_"):
            return False
        return any(
            isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name for n in ast.walk(tree(path))
        )

    return is_there
