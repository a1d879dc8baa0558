"""Lines for whoever reads a descriptor: a runtime neither waits nor ends for a reader, and tells what it left out."""

import logging
import os
import select
import stat
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType

import msgspec

from caxton.printable import printable

# How a log is written.
CONSOLE, JSON = LOG_FORMATS = ("console", "json")
# What a record may say beside its text, as the `extra` of who logs it.
OF_A_MESSAGE = ("agent", "message_id", "trace_id")
# What may log from another level on than the rest of a process: the logger `caxton.guest` is what guests log.
MODULES = ("gateway", "guest", "worker")
# A pipe that has room at all has room for as much at once.
_AT_ONCE = select.PIPE_BUF
# Of a line of a log, in bytes. Processes share the descriptor: what is written at once has no other's line inside, and
# no guest's text stands at the beginning of a line.
MOST_OF_LINE = _AT_ONCE - 2
_CUT = " … (cut)"


class Lines:
    """Writes lines to a descriptor that stays its owner's; writing never waits and never fails.

    missed: lines that found no room, a full disk or nobody, since the last one that was written.
    """

    def __init__(self, descriptor: int) -> None:
        self._given = descriptor
        self._descriptor = _never_waiting(descriptor)
        self._room = select.poll()
        self._room.register(self._descriptor, select.POLLOUT)
        # The line before was not written to its end, which the next one must not become a part of.
        self._cut = False
        self.missed = 0

    def write(self, line: str) -> bool:
        """Write a line, which must have no line ends inside; returns whether all of it was written."""
        rest = b"\n" * self._cut + line.encode(errors="backslashreplace") + b"\n"
        try:
            while rest and self._room.poll(0):
                written = os.write(self._descriptor, rest[:_AT_ONCE])
                rest = rest[written:]
                self._cut = True
        except OSError:
            pass  # full, closed, or nobody is left to read it: the next line may find it better
        if rest:
            self.missed += 1
            return False
        self._cut = False
        self.missed = 0
        return True

    def close(self) -> None:
        """Give back what was opened; nothing is written after it. Closing twice is fine."""
        if self._descriptor != self._given:
            os.close(self._descriptor)
            self._descriptor = self._given
        self._room = select.poll()


class LogLines(logging.Handler):
    """Writes log records to a descriptor, printable, one a line; a traceback has its lines indented below it.

    What is longer than a line may be is cut. is_json: whether each record is one JSON object instead, with its
    traceback inside, of which the end is kept.
    """

    def __init__(self, descriptor: int, *, is_json: bool = False) -> None:
        super().__init__()
        self._lines = Lines(descriptor)
        self.is_json = is_json

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, and how many before it were left out."""
        try:
            if self.is_json:
                self._lines.write(self._values(record, self._lines.missed))
                return
            head, *traced = self._told(record)
        except Exception:  # noqa: BLE001 (arguments that do not fit the message are a bug, and not one to end for)
            self.handleError(record)
            return
        missed = self._lines.missed
        note = f" ({missed} lines before this one were not shown)" if missed else ""
        self._lines.write(_cut(head, MOST_OF_LINE - len(note)) + note)
        for line in traced:
            self._lines.write(_cut(line, MOST_OF_LINE))

    def close(self) -> None:
        """Give back what was opened. Closing twice is fine."""
        self._lines.close()
        super().close()

    def _values(self, record: logging.LogRecord, missed: int) -> str:
        values: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": printable(record.getMessage()),
            "pid": record.process,
        }
        values |= {name: value for name in OF_A_MESSAGE if (value := getattr(record, name, None)) is not None}
        if missed:
            values["missed"] = missed
        if record.exc_info is not None:
            values["exception"] = (self.formatter or logging.Formatter()).formatException(record.exc_info)
        return _fitting(values)

    def _told(self, record: logging.LogRecord) -> list[str]:
        head = printable(f"{record.name}: {record.getMessage()}")
        if record.exc_info is None:
            return [head]
        traced = (self.formatter or logging.Formatter()).formatException(record.exc_info)
        return [head, *(f"    {printable(line)}" for line in traced.splitlines())]


def _cut(line: str, most: int) -> str:
    """Return a line with at most so many bytes."""
    raw = line.encode(errors="backslashreplace")
    if len(raw) <= most:
        return line
    return raw[: most - len(_CUT.encode())].decode(errors="ignore") + _CUT


def _fitting(values: dict[str, object]) -> str:
    """Return a record as one JSON object that fits a line."""
    encoded = msgspec.json.encode(values)
    for name in ("exception", "event"):
        text = str(values.get(name, ""))
        while len(encoded) > MOST_OF_LINE and text:
            keeps = len(text) * 3 // 4
            text = text[:keeps] if name == "event" else text[len(text) - keeps :]
            values[name] = text + _CUT if name == "event" else _CUT + text
            encoded = msgspec.json.encode(values)
    return encoded.decode()


def log_to(descriptor: int, level: int) -> None:
    """Write this process's log to a descriptor, with the errors that end it or one of its threads."""
    logging.basicConfig(level=level, handlers=[LogLines(descriptor)])
    log = logging.getLogger("caxton")

    def tell(kind: type[BaseException], error: BaseException, traced: TracebackType | None) -> None:
        log.critical("an error that nobody foresaw", exc_info=(kind, error, traced))

    def tell_of_thread(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
            tell(ended.exc_type, ended.exc_value, ended.exc_traceback)

    sys.excepthook = tell
    threading.excepthook = tell_of_thread


def log_as(form: str) -> None:
    """Write this process's log as "console" or "json" from now on."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogLines):
            handler.is_json = form == JSON


def log_from(level: int, modules: Mapping[str, int]) -> None:
    """Log from a level on, as `logging` has it, and some modules from others."""
    logging.getLogger("caxton").setLevel(level)  # of libraries nobody wants to read more
    for module in MODULES:
        logging.getLogger(f"caxton.{module}").setLevel(modules.get(module, logging.NOTSET))


def _never_waiting(descriptor: int) -> int:
    """Return another way to the same pipe or terminal on which writing never waits; where there is none, the same one.

    O_NONBLOCK on the one that we were given would hold for everybody who shares it, such as the shell.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        pass
    return descriptor
