"""On which line of a TOML text each key stands, and whether it may be parsed at all.

The standard library's `tomllib` tells no lines, and takes time that grows with the square of the parts of a dotted key,
and a frame of the interpreter for each bracket that is open. So the text is scanned first: once, from its beginning to
its end, with bounds on how deep it goes and how much there is in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# How deep tables and arrays may lie in each other: a system's agent's limits are four deep.
MAX_DEPTH = 8
# Keys and elements of arrays in one file.
MAX_PLACES = 500_000
# Whatever a text begins with, one way alone goes on from there, so nothing is looked at more than twice. (Possessive
# quantifiers would say so, and Python 3.11.2 has them wrong.)
_PIECES = re.compile(
    r"""(?P<blank>[ \t]+|\#[^\n]*)
      | (?P<end>\r?\n)
      | (?P<quoted>\"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}
                  |'{3}(?:[^']|'{1,2}(?!'))*'{3,5}
                  |"(?!"")(?:[^"\\\n]|\\[^\n])*"
                  |'(?!'')[^'\n]*')
      | (?P<bare>[A-Za-z0-9_-]+)
      | (?P<mark>[][{}=,.:+])""",
    re.VERBOSE | re.DOTALL,
)
Key = tuple[str | int, ...]


class Unreadable(Exception):
    """The text cannot be read from this line on."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """An array or an inline table whose end is still to come.

    at: in an array, the number of the element. last: the key of the value that is read.
    """

    key: Key
    is_table: bool
    at: int = 0
    wants_key: bool = True
    last: Key = ()


@dataclass(slots=True)
class Places:
    """Keys, each a path of names and of numbers of elements, with the line that each is on, from 1."""

    lines: dict[Key, int] = field(default_factory=dict)

    def line(self, key: Key) -> int:
        """Return the line of a key, or of what it stands in; 1 for the whole text."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def note(self, key: Key, line: int) -> None:
        """Enter a key where it is met first. Raises Unreadable beyond the bounds."""
        if len(key) > 2 * MAX_DEPTH:
            raise Unreadable(line, f"keys lie more than {MAX_DEPTH} deep in each other")
        if self.lines.setdefault(key, line) == line and len(self.lines) > MAX_PLACES:
            raise Unreadable(line, f"there are more than {MAX_PLACES:,} keys and values")


def places_of(text: str) -> Places:
    """Return where the keys of a text are; of what is no TOML, whatever they may be. Raises Unreadable."""
    return _Scan(text).places()


class _Scan:
    """One scan. It judges no grammar but strings and depth: what is wrong otherwise tomllib says."""

    def __init__(self, text: str) -> None:
        self._pieces = _pieces(text)
        self._found = Places()
        # How many tables an array of tables has.
        self._tables: dict[Key, int] = {}
        self._within: Key = ()

    def places(self) -> Places:
        """Scan it all."""
        for kind, piece, line in self._pieces:
            if kind == "end":
                continue
            if piece == "[":
                self._header(line)
            else:
                key = self._key(kind, piece, line, "=")
                self._note_all(self._within, key, line)
                self._value((*self._within, *key))
        return self._found

    def _header(self, line: int) -> None:
        kind, piece, _ = self._next(line)
        is_array = piece == "["
        if is_array:
            kind, piece, _ = self._next(line)
        names = self._key(kind, piece, line, "]")
        key: Key = ()
        for place, name in enumerate(names):
            key = (*key, name)
            self._found.note(key, line)
            if is_array and place == len(names) - 1:
                self._tables[key] = self._tables.get(key, 0) + 1
            if key in self._tables:
                key = (*key, self._tables[key] - 1)
                self._found.note(key, line)
        self._within = key
        for kind, _, _ in self._pieces:
            if kind == "end":
                return

    def _next(self, line: int) -> tuple[str, str, int]:
        return next(self._pieces, ("end", "", line))

    def _key(self, kind: str, piece: str, line: int, until: str) -> list[str]:
        """Return the parts of a key that begins with this piece, up to a mark or the end of the line."""
        parts: list[str] = []
        while kind != "end" and piece != until:
            if kind != "mark":
                parts.append(piece[1:-1] if kind == "quoted" else piece)
            if len(parts) > MAX_DEPTH:
                raise Unreadable(line, f"a key of more than {MAX_DEPTH} parts")
            kind, piece, _ = self._next(line)
        return parts

    def _note_all(self, within: Key, parts: list[str], line: int) -> None:
        for place in range(len(parts)):
            self._found.note((*within, *parts[: place + 1]), line)

    def _value(self, key: Key) -> None:
        """Scan a value to its end: the end of the line, unless a bracket is open."""
        opened: list[_Open] = []
        for kind, piece, line in self._pieces:
            if kind == "end":
                if not opened:
                    return
            elif piece in {"]", "}"}:
                del opened[-1:]
            elif not opened:
                self._begin(opened, key, piece, line)
            elif piece == ",":
                opened[-1].at += 1
                opened[-1].wants_key = True
            else:
                self._inside(opened, kind, piece, line)

    def _inside(self, opened: list[_Open], kind: str, piece: str, line: int) -> None:
        """Scan a piece of an array or an inline table: the next key of a table, or something of a value."""
        top = opened[-1]
        if top.wants_key and top.is_table:
            parts = self._key(kind, piece, line, "=")
            self._note_all(top.key, parts, line)
            top.last, top.wants_key = (*top.key, *parts), False
            return
        if top.wants_key:
            top.last, top.wants_key = (*top.key, top.at), False
            self._found.note(top.last, line)
        self._begin(opened, top.last, piece, line)

    def _begin(self, opened: list[_Open], key: Key, piece: str, line: int) -> None:
        if piece in {"[", "{"}:
            opened.append(_Open(key, piece == "{"))
            if len(opened) > MAX_DEPTH:
                raise Unreadable(line, f"values lie more than {MAX_DEPTH} deep in each other")


def _pieces(text: str) -> Iterator[tuple[str, str, int]]:
    """Each piece with its kind and its line, without blanks and comments. Raises Unreadable where there is none."""
    at, line = 0, 1
    while at < len(text):
        found = _PIECES.match(text, at)
        if found is None:
            wrong = text[at]
            raise Unreadable(line, "text that does not end" if wrong in "\"'" else f"{wrong!a} cannot stand here")
        kind, piece = str(found.lastgroup), found.group()
        if kind != "blank":
            yield kind, piece, line
        line += piece.count("\n")
        at = found.end()
