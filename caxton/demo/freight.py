"""What is to be carried, the rows of a table, and what carriers ask for it. Agents' work is held to what is here."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from caxton.errors import StorageError, ValidationError

# Columns that a table needs; others are shown.
NEEDED = ("km", "kg")
MOST_ROWS = 1_000_000
# What the carriers of the example calculate with (caxton/guests/carrier.c).
_MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Job:
    """One row. values: all of it, by the table's columns."""

    line: int
    km: int
    kg: int
    values: Mapping[str, str]

    @property
    def content(self) -> bytes:
        """What a call for proposals says: the row, its numbers as such."""
        return msgspec.json.encode({**self.values, "km": self.km, "kg": self.kg})

    @property
    def title(self) -> str:
        """What it is, for people."""
        others = [value for name, value in self.values.items() if name not in NEEDED]
        return f"{', '.join(others)}: {self.km:,} km, {self.kg:,} kg"


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a carrier asks, in cents, and what it does not carry."""

    base: int
    per_km: int
    per_kg: int
    most_km: int
    most_kg: int

    @property
    def content(self) -> bytes:
        """What a carrier is told of it."""
        return msgspec.json.encode(asdict(self))

    def price(self, km: int, kg: int) -> int | None:
        """Return what a job costs, or None if this carrier does not do it."""
        if km > self.most_km or kg > self.most_kg:
            return None
        return self.base + km * self.per_km + kg * self.per_kg


def award(job: Job, tariffs: Sequence[Tariff]) -> tuple[int, int] | None:
    """Return whose price is the lowest, the first of those that are equal, with that price; None if nobody does it."""
    prices = [(tariff.price(job.km, job.kg), place) for place, tariff in enumerate(tariffs)]
    price, place = min(((price, place) for price, place in prices if price is not None), default=(None, -1))
    return None if price is None else (place, price)


def jobs_of(path: Path) -> Iterator[Job]:
    """Read a table, a row at a time.

    Raises StorageError when it cannot be read, ValidationError with the line for a table without `km` and `kg`, what is
    no whole number in them, and more than 1,000,000 rows.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (rows.fieldnames or ())]
            if missing:
                raise ValidationError(str(path), f"its first line names no column {' and no column '.join(missing)}")
            for count, row in enumerate(rows):
                if count >= MOST_ROWS:
                    raise ValidationError(str(path), f"it has more than {MOST_ROWS:,} rows")
                yield _job(path, rows.line_num, row)
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValidationError(str(path), f"it is no table of UTF-8 text: {error}") from None


def _job(path: Path, line: int, row: Mapping[str | None, str | None]) -> Job:
    numbers = []
    for name in NEEDED:
        text = row[name] or ""
        if not (text.isascii() and text.isdigit()) or int(text) > _MOST:
            raise ValidationError(f"{path}, line {line}", f"{name} is {text!r:.40}, and no whole number up to {_MOST}")
        numbers.append(int(text))
    values = {name: value for name, value in row.items() if isinstance(name, str) and isinstance(value, str)}
    km, kg = numbers
    return Job(line, km, kg, values)
