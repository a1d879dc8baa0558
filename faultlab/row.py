"""What a case came to: one row of the table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from faultlab.checker import Verdict

Show = Callable[[float, str], None]


@dataclass
class Row:
    """Filled by a case while it runs. recoveries_s: seconds from each fault to the first send acknowledged after it.

    problems: claims that did not hold; with something lost or double, they make the case fail. notes: figures beside.
    """

    case: str
    about: str
    runs: int = 0
    acknowledged: int = 0
    lost: int = 0
    double: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """True when everything held."""
        return not self.lost and not self.double and not self.problems

    def claim(self, holds: object, otherwise: str) -> None:
        """Note a problem unless the claim holds."""
        if not holds:
            self.problems.append(otherwise)

    def least(self, figure: str, value: int) -> None:
        """Note a figure, the least of all that are noted under this name."""
        self.notes[figure] = min(value, self.notes.get(figure, value))

    def add(self, verdict: Verdict) -> None:
        """Add what the checker found."""
        self.acknowledged += verdict.acknowledged
        self.lost += len(verdict.lost)
        self.double += len(verdict.double)
        self.notes.update(verdict.notes)
        for what, serials in (("lost", verdict.lost), ("double", verdict.double)):
            if serials:
                self.problems.append(f"{what}: {len(serials)}, such as {[tuple(s) for s in serials[:3]]}")

    def as_json(self) -> dict[str, Any]:
        """Return the row as `-o json` prints it."""
        recovery = {name: at(self.recoveries_s, part) for name, part in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))}
        return {
            "case": self.case,
            "about": self.about,
            "runs": self.runs,
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "double": self.double,
            "recovery_s": recovery if self.recoveries_s else None,
            "clean": self.clean,
            "problems": self.problems,
            "notes": {name: count for name, count in self.notes.items() if count},
        }


def at(values: Sequence[float], part: float) -> float | None:
    """Return the value below which this part of all lie (the nearest that was measured); None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3)
