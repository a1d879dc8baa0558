"""Sampled stacks, read: which thread was seen how often, where."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# The last part of a line of py-spy's raw format is how often the stack was seen; the first names the thread.
_THREAD = re.compile(r"thread \((0x[0-9A-Fa-f]+|\d+)\)")
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(?::(?P<line>\d+))?\)")


@dataclass(frozen=True)
class Frame:
    """A place in the code. file: from the package on, `caxton/ids.py`. line: 0 where it is not known."""

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Stack:
    """frames: the outermost first, never none. thread: the system's id. count: how often it was seen."""

    thread: int
    frames: tuple[Frame, ...]
    count: int

    @property
    def top(self) -> Frame:
        """Where it computed."""
        return self.frames[-1]


def read(lines: Iterable[str]) -> Iterator[Stack]:
    """Read the raw format of `py-spy record --threads`. Lines that are none of its stacks are left out."""
    for line in lines:
        places, _, count = line.rpartition(" ")
        thread, *rest = places.split(";")
        found = _THREAD.match(thread)
        frames = tuple(_frame(place) for place in rest)
        if found is not None and frames and count.strip().isdigit():
            yield Stack(int(found[1], 0), frames, int(count))


def _frame(place: str) -> Frame:
    found = _FRAME.fullmatch(place)
    if found is None:
        return Frame(place, "", 0)
    return Frame(found["function"], found["file"], int(found["line"] or 0))
