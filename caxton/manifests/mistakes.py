"""What is wrong with a manifest: all of it at once, each with its file, its line and its key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from caxton.errors import InvalidManifest
from caxton.printable import counted, printable

# Of one reading; the others are counted.
MAX_MISTAKES = 100
# What is longer is no name that was mistyped.
_LONGEST_WORD = 60
# What one of them may say.
_LONGEST_PROBLEM = 300


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong. line: from 1, 0 for the file as a whole. key: "" for no key of its own."""

    file: str
    line: int
    key: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(filter(None, (place, self.key, self.problem)))


class Mistakes:
    """Collects them, up to 100; `more` counts the others."""

    def __init__(self) -> None:
        self._found: list[Mistake] = []
        self.more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found) + self.more

    @property
    def found(self) -> Sequence[Mistake]:
        """Those that are kept: file by file, and in each by their lines."""
        files = {one.file: number for number, one in reversed([*enumerate(self._found)])}
        return sorted(self._found, key=lambda one: (files[one.file], one.line))

    @property
    def is_full(self) -> bool:
        """Whether what else is wrong is only counted."""
        return len(self._found) == MAX_MISTAKES

    def add(self, file: Path, line: int, key: str, problem: str) -> None:
        """Enter one."""
        if self.is_full:
            self.more += 1
            return
        texts = printable(str(file), 4_096), printable(key, _LONGEST_PROBLEM), printable(problem, _LONGEST_PROBLEM)
        self._found.append(Mistake(texts[0], line, texts[1], texts[2]))

    def check(self, path: Path) -> None:
        """Raise InvalidManifest if there is one."""
        if self._found:
            raise InvalidManifest(
                printable(str(path), 4_096),
                counted(len(self), "mistakes"),
                "correct it" if len(self) == 1 else "correct the file; `caxton agent validate` shows all of them",
                tuple(map(str, self.found)),
            )


def unknown(word: str, names: Iterable[str], what: str) -> str:
    """Return what to say of a word that is none of these: what is nearest, or which there are."""
    near = get_close_matches(word, [*names], 1) if len(word) <= _LONGEST_WORD else []
    return f"there is no such {what}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")
