"""Mutants of the corpus by the hundred, in a process of their own: what kills it is told by the seed of its litter."""

import resource
import subprocess
import sys
import time
from collections import Counter

import msgspec

from caxton.agents.manifest import Encoding
from faultlab.commands import python
from faultlab.dice import dice
from faultlab.hostile.cell import OUTCOMES, Cell
from faultlab.hostile.corpus import kinds
from faultlab.hostile.mutants import mutant
from faultlab.hostile.trial import Tried

OF_ONE = 1_000
_TIMEOUT_S = 600.0
# Of a mutant: most that run at all run for ever, and are to be stopped soon.
_FUEL, _LARGEST_SEED = 100_000, 4_000


class Litter(msgspec.Struct):
    """How often each outcome came, and the most memory that the process had, in MiB."""

    outcomes: dict[str, int]
    peak_mib: float


def try_litter(seed: int, count: int) -> tuple[Litter, Tried, str]:
    """Return what came of a litter, as a row too, and what went wrong, "" when nothing did."""
    began_s = time.monotonic()
    done = subprocess.run(
        python("hostile.litter", seed, count), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    problem = f"mutants of seed {seed}: exit code {done.returncode}: {done.stderr[-1_000:]}" if done.returncode else ""
    litter = Litter({}, 0.0) if problem else msgspec.json.decode(done.stdout, type=Litter)
    outcome = "as guests may" if not problem else f"exit code {done.returncode}"
    row = Tried("mutants", "", "", outcome, time.monotonic() - began_s, litter.peak_mib, 0, not problem)
    return litter, row, problem


def main(seed: str, count: str) -> int:
    """Try so many mutants, print how they ended as JSON, and return 1 when one ended in a way that there is not."""
    chance = dice(int(seed))
    parents = [kind for kind in kinds() if not kind.apart and len(kind.wasm) <= _LARGEST_SEED]
    outcomes: Counter[str] = Counter()
    with Cell() as cell:
        for _ in range(int(count)):
            parent = chance.choice(parents)
            limits = msgspec.structs.replace(parent.limits, max_fuel=_FUEL)
            outcomes[cell.outcome(mutant(parent.wasm, chance), limits, chance.choice(list(Encoding)[:2]))] += 1
        if not cell.neighbour_answers():
            outcomes["the neighbour does not answer"] += 1
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    sys.stdout.buffer.write(msgspec.json.encode(Litter(dict(outcomes), peak_mib)))
    return int(not outcomes.keys() <= OUTCOMES)
