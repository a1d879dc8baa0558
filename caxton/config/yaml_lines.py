"""YAML as a configuration needs it: sections of scalars, each with its line. Nothing else is built, whatever is asked.

Of what YAML has beyond that, nothing is obeyed: an anchor, an alias or a tag is a mistake, and so is a key that comes
twice. Scalars stay text, so `no` is no truth value and 1:30 no number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from caxton.config.keys import BY_PATH, SECTIONS
from caxton.printable import shown

# Mistakes beyond these are counted only.
MOST_MISTAKES = 50
# Lists and mappings within each other: a section within the file, and what stands there by mistake.
MAX_DEPTH = 8
_NO_CHARACTER = "it has a character that YAML does not allow"
_WRITE_SO = "write `key: value`, indented by spaces"


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a file. line: from 1. key: what it is about, "" for the file as a whole."""

    line: int
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        about = f"{self.key}: " if self.key else ""
        return f"{self.line}: {about}{self.problem}; {self.remedy}"


class Scalar(NamedTuple):
    """A value: its path, such as router.max_retries, its text, whether that is quoted, and its line."""

    path: str
    text: str
    quoted: bool
    line: int


class UnreadableError(Exception):
    """The file says nothing any more from here on."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


class Document:
    """What a text says: scalars in order, and mistakes."""

    def __init__(self, text: str) -> None:
        self.scalars: list[Scalar] = []
        self.mistakes: list[Mistake] = []
        try:
            self._events: Iterator[Any] = _events(text)
            self._read()
        except UnreadableError as error:
            self.mistakes.append(error.mistake)

    def _read(self) -> None:
        next(self._events)  # the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return  # an empty file sets nothing
        event = next(self._events)
        if isinstance(event, yaml.MappingStartEvent):
            self._mapping("", event)
        elif _is_nothing(event):
            self._look(event, "")
        else:
            problem = f"{_kind(event)} where keys are wanted"
            raise UnreadableError(Mistake(_line(event), "", problem, f"begin with {' or '.join(SECTIONS)}:"))
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._note(event, "", "a second document begins", "keep one; remove the line ---")

    def _mapping(self, section: str, start: Any) -> None:
        self._look(start, section)
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._note(event, section, f"{_kind(event)} in the place of a key", "write a key and a colon")
                self._pass_over(event)
                self._pass_over(next(self._events))
                continue
            path = f"{section}.{event.value}" if section else event.value
            self._look(event, path)
            twice = path in lines
            if twice:
                self._note(event, path, f"it stands on line {lines[path]} already", "keep one of them")
            lines.setdefault(path, _line(event))
            self._value(path, next(self._events), twice=twice, is_inside=bool(section))

    def _value(self, path: str, event: Any, *, twice: bool, is_inside: bool) -> None:
        if twice:
            self._pass_over(event)
        elif path in BY_PATH and "." in path and not is_inside:
            section, _, name = path.partition(".")
            self._note(event, path, "it does not stand in its section", f"write {name} below {section}:, indented")
            self._pass_over(event)
        elif path in SECTIONS:
            if isinstance(event, yaml.MappingStartEvent):
                self._mapping(path, event)
            elif _is_nothing(event):
                self._look(event, path)
            else:
                self._note(event, path, f"{_kind(event)} where its keys are wanted", "write them below it, indented")
                self._pass_over(event)
        elif isinstance(event, yaml.ScalarEvent):
            if self._look(event, path):
                self.scalars.append(Scalar(path, event.value, event.style is not None, _line(event)))
        else:
            # A key that there is not is told as that; its value is passed over.
            self.scalars.append(Scalar(path, "", quoted=True, line=_line(event)))
            if path in BY_PATH:
                self._note(event, path, f"{_kind(event)} where a value is wanted", "write one value")
            self._pass_over(event)

    def _look(self, event: Any, path: str) -> bool:
        """Note what of YAML is not obeyed; returns whether there was nothing of the kind."""
        if event.anchor is not None:
            self._note(event, path, "an anchor (&)", "write the value itself in each place")
        if event.tag is not None:
            self._note(event, path, f"a tag ({shown(event.tag)})", "write the value without it")
        return event.anchor is None and event.tag is None

    def _pass_over(self, event: Any) -> None:
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            if depth > MAX_DEPTH:
                problem = f"more than {MAX_DEPTH} lists and mappings within each other"
                raise UnreadableError(Mistake(_line(event), "", problem, "write values, in their sections"))
            event = next(self._events)

    def _note(self, event: Any, path: str, problem: str, remedy: str) -> None:
        self.mistakes.append(Mistake(_line(event), path, problem, remedy))


def _events(text: str) -> Iterator[Any]:
    """Yield what a parser finds. Raises UnreadableError for what is no YAML."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_event():
            yield loader.get_event()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableError(Mistake(line, "", _NO_CHARACTER, "remove it, or write it in quotes, as \\x00")) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        problem = f"it is no YAML: {error.problem or error.context}"
        raise UnreadableError(Mistake(line, "", problem, _WRITE_SO)) from None
    except (ValueError, OverflowError):  # the parser's own, of numbers that no character or version has
        line = 1 if loader is None else int(loader.line) + 1
        raise UnreadableError(Mistake(line, "", "it is no YAML: a number is too large", _WRITE_SO)) from None


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _is_nothing(event: Any) -> bool:
    """True where a value is left out; it may be written as null or ~."""
    return isinstance(event, yaml.ScalarEvent) and event.style is None and event.value in {"", "~", "null"}


def _kind(event: Any) -> str:
    if isinstance(event, yaml.AliasEvent):
        return "an alias (*)"
    if isinstance(event, yaml.SequenceStartEvent):
        return "a list"
    return "a mapping" if isinstance(event, yaml.MappingStartEvent) else "a value"
