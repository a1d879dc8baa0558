"""A copy of the tree in which limits are turned off, one after the other, and tests run; the tree is not touched."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from caxton.errors import ConfigurationError
from faultlab.limits.account import Limit, Line
from faultlab.limits.change import without
from faultlab.limits.outcome import Outcome, Seen, outcome

CODE = ("caxton", "workers")
_TREES = (*CODE, "bench", "faultlab", "tests", "docs", "scripts")
_TIMEOUT_S, _KILLED_AFTER_S = 60, 150.0
_read = msgspec.json.Decoder(Seen)


class Scratch:
    """Inside a `with`, a copy of the tree under `root`, in a folder of its own that goes at the end."""

    def __init__(self, root: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="caxton-limits-", ignore_cleanup_errors=True)
        self._tree = Path(self._folder.name) / "tree"
        self._changes = 0
        for name in _TREES:
            shutil.copytree(root / name, self._tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in root.iterdir():
            if path.is_file():
                shutil.copy2(path, self._tree)
        self._sources = {
            path: path.read_text(encoding="utf-8")
            for name in CODE
            for path in sorted((self._tree / name).rglob("*.py"))
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def tried(self, limit: Limit, others: frozenset[tuple[str, str]]) -> Outcome:
        """Turn one limit off, run its test and put the limit back. others: constants of limits that are to stay."""
        changed = self._without(limit, others)
        if not changed:
            return Outcome("not used", "no code asks for it")
        with self._written(changed):
            return self.run(limit.test)

    def run(self, test: str) -> Outcome:
        """Run one test on the copy as it is."""
        place, _, name = test.partition("::")
        seen = self._tree.parent / "seen"
        seen.write_bytes(b"")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "faultlab.limits.witness",
        ]
        command += ["--timeout", str(_TIMEOUT_S), place]
        # A run of pytest inside another one is its own.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {
            "PYTHONPATH": str(self._tree),
            "CAXTON_LIMITS_TEST": name,
            "CAXTON_LIMITS_SEEN": str(seen),
        }
        try:
            code = subprocess.run(
                command, cwd=self._tree, env=environment, capture_output=True, timeout=_KILLED_AFTER_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return Outcome("unclear", f"it had not ended after {_KILLED_AFTER_S:.0f} s")
        return outcome([_read.decode(line) for line in seen.read_bytes().splitlines()], code)

    def _without(self, limit: Limit, others: frozenset[tuple[str, str]]) -> dict[Path, str]:
        """Return the files that are another without the limit. Raises ConfigurationError for an odd line."""
        if isinstance(limit.off, Line):
            return self._without_line(limit.off)
        changed = {}
        for path, source in self._sources.items():
            if limit.off.name in source:
                module = ".".join(path.relative_to(self._tree).with_suffix("").parts)
                changed[path] = without(source, module, limit.off, others)
        return {path: source for path, source in changed.items() if source != self._sources[path]}

    def _without_line(self, line: Line) -> dict[Path, str]:
        path = self._tree / line.file
        if self._sources.get(path, "").count(line.old) != 1:
            raise ConfigurationError(
                "docs/limits.toml", f"{line} does not stand there once", "write it as it stands there"
            )
        return {path: self._sources[path].replace(line.old, line.new)}

    @contextmanager
    def _written(self, changed: dict[Path, str]) -> Iterator[None]:
        """Let the files be others inside the block, of a time that none has had before: compiled code goes by it."""
        kept = {path: path.stat() for path in changed}
        self._changes += 1
        later_s = time.time() + self._changes
        try:
            for path, source in changed.items():
                path.write_text(source, encoding="utf-8")
                os.utime(path, (later_s, later_s))
            yield
        finally:
            for path, stat in kept.items():
                path.write_text(self._sources[path], encoding="utf-8")
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
