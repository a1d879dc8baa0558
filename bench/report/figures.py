"""One figure of a result by its path; one that is not there is named, and is no zero and no blank."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Absent:
    """A figure that a result does not have, by its path."""

    path: str

    def __str__(self) -> str:
        return f"no `{self.path}`"


def figure(result: Mapping[str, Any], path: str) -> Any:
    """Return what is at `latency_us.p99`, say, or Absent."""
    found: Any = result
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return Absent(path)
        found = found[name]
    return found


def row_of(rows: object, **settings: object) -> Mapping[str, Any] | Absent:
    """Return the first of some rows that has these settings, or Absent, which names them."""
    for row in rows if isinstance(rows, Sequence) else ():
        if isinstance(row, Mapping) and settings.items() <= row.items():
            return row
    return Absent("row with " + ", ".join(f"{name} = {value}" for name, value in settings.items()))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return the figures of a row one by one, each with its path; lists, which are curves and samples, are left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            yield f"{prefix}{name}", value


def shown(value: object) -> str:
    """Return a figure as people read it: thousands apart, three digits of what is small, a dash for what is not."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1_000):  # noqa: PLR2004 (four digits)
        return f"{value:,.0f}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
