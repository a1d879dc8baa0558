"""What came of a run, step by step, also in a file: a run that was interrupted goes on from what it has."""

from collections import Counter
from pathlib import Path

import msgspec

from caxton.errors import ConfigurationError
from faultlab.hostile.trial import Tried


class Step(msgspec.Struct, frozen=True):
    """One step of a run: a kind, a round of frames, or a litter of mutants.

    rows: what was tried, with what it cost. mutants: how often each outcome came. frames: how many went to each kind of
    socket. figures: of an attack that lasted. problems: what did not hold.
    """

    name: str
    rows: list[Tried] = []
    mutants: dict[str, int] = {}
    frames: dict[str, int] = {}
    figures: dict[str, float] = {}
    problems: list[str] = []


class Record:
    """The steps of a run under one seed, kept in a file if there is one.

    Raises ConfigurationError for a file that is no such record, or one of another seed than is asked for.
    """

    def __init__(self, path: Path | None, seed: int | None, another: int) -> None:
        self._path = path
        self.steps: list[Step] = []
        lines = path.read_bytes().splitlines() if path is not None and path.exists() else []
        try:
            kept = [msgspec.json.decode(line, type=Step) for line in lines]
            self.seed = int(kept[0].figures["seed"]) if kept else another if seed is None else seed
        except (msgspec.MsgspecError, KeyError) as error:
            raise ConfigurationError("--keep", f"{path} is no record of a run: {error}", "name another file") from None
        if seed not in {None, self.seed}:
            raise ConfigurationError("--keep", f"{path} is a run of seed {self.seed}", "name another file, or no seed")
        self.steps = kept[1:]
        if not kept:
            self._write(Step("begun", figures={"seed": self.seed}))

    def has(self, name: str) -> bool:
        """Tell whether a step is done."""
        return any(step.name == name for step in self.steps)

    def add(self, step: Step) -> None:
        """Keep what came of a step."""
        self.steps.append(step)
        self._write(step)

    @property
    def rows(self) -> list[Tried]:
        """What was tried, in order; rounds of one thing are one row."""
        rows: dict[tuple[str, str, str], Tried] = {}
        for row in (row for step in self.steps for row in step.rows):
            key = row.kind, row.encoding, row.lane
            rows[key] = rows[key].with_(row) if key in rows else row
        return list(rows.values())

    @property
    def mutants(self) -> Counter[str]:
        """How often each outcome of mutants came."""
        return sum((Counter(step.mutants) for step in self.steps), Counter())

    @property
    def frames(self) -> Counter[str]:
        """How many frames went to each kind of socket."""
        return sum((Counter(step.frames) for step in self.steps), Counter())

    @property
    def problems(self) -> list[str]:
        """What did not hold."""
        broken = [f"{r.kind} ({r.lane}, {r.encoding}) came to {r.outcome}" for r in self.rows if not r.held]
        return broken + [problem for step in self.steps for problem in step.problems]

    def _write(self, step: Step) -> None:
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(step) + b"\n")
