"""One form in which a peer is asked, measured: how many round trips a second, and how long one alone takes.

A form is two functions. `Loop(under_way, seconds)` keeps so many messages under way for so long and returns round trips
a second; `Alone(seconds)` asks one at a time and returns what each took. Both raise WrongAnswer when an answer differs
from the message. In forms of CONTRACT_NET a whole negotiation stands for a message and its answer.
"""

import gc
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from bench.load.closed_loop import WrongAnswer
from bench.load.latencies import Latencies
from bench.peers.surroundings import computed_since, computing_s

Loop = Callable[[int, float], float]
Alone = Callable[[float], dict[str, int]]

ONE_BY_ONE = "one by one"
BATCHED = "batched"
CONTRACT_NET = "contract net"
# What is tried, to find how many messages under way are best for a peer.
FEW = (16, 64, 256, 1_024)
MANY = (*FEW, 4_096)
FRAMES_OF_256 = tuple(256 * frames for frames in (4, 8, 16, 32))
# Of the measured seconds: a trial of one number, which is the warm-up too, and the requests one at a time.
TRIAL_SHARE = 0.15
ALONE_SHARE = 0.3
# Below this a rate keeps a decimal, which some negotiations need.
_MANY_PER_S = 1_000


@dataclass(frozen=True)
class Form:
    """A form of asking. under_way: the numbers to try. alone: None where one at a time is not of this form.

    processes: how many it goes through, where that is not what is told of the peer.
    """

    name: str
    loop: Loop
    under_way: Sequence[int]
    alone: Alone | None = None
    note: str = ""
    processes: int | None = None

    def measure(self, seconds: float) -> dict[str, Any]:
        """Try every number under way, measure the best for so many seconds, and then one message at a time."""
        best = max(self.under_way, key=lambda number: self.loop(number, seconds * TRIAL_SHARE))
        before, began_s = computing_s(), time.perf_counter()
        per_s = self.loop(best, seconds)
        count = per_s * (time.perf_counter() - began_s)
        row = {
            "form": self.name,
            "per_s": round(per_s) if per_s >= _MANY_PER_S else round(per_s, 1),
            "computing_us": round(computed_since(before) / max(1.0, count) * 1e6, 1),
            "under_way": best,
            "latency_us": None if self.alone is None else self.alone(seconds * ALONE_SHARE),
            "note": self.note,
        }
        return row if self.processes is None else row | {"processes": self.processes}


def report(version: str, processes: int, forms: Sequence[Form], seconds: float) -> None:
    """Measure every form of a peer that is ready, and print one line of JSON on standard output.

    processes: how many a round trip goes through, the client among them.
    """
    gc.collect()
    gc.freeze()  # as every client does here: what is there before the load is not looked at again
    rows = [form.measure(seconds) for form in forms]
    print(json.dumps({"version": version, "processes": processes, "rows": rows}), flush=True)


def check(answer: object, content: object) -> None:
    """Raise WrongAnswer unless the answer is what was sent."""
    if answer != content:
        raise WrongAnswer(f"{answer!r:.80} is not the answer")


def alone(ask: Callable[[], object], content: bytes, seconds: float) -> dict[str, int]:
    """Call `ask`, which returns the answer, one time after the other; return p50 and p99 in microseconds."""
    latencies, clock = Latencies(), time.perf_counter
    end_s = clock() + seconds
    while (began_s := clock()) < end_s:
        check(ask(), content)
        latencies.record(clock() - began_s)
    return two_percentiles(latencies)


def two_percentiles(latencies: Latencies) -> dict[str, int]:
    """Return the two percentiles that the table shows."""
    summary = latencies.summary()
    return {name: summary[name] for name in ("p50", "p99")}


def arguments() -> tuple[bytes, float]:
    """Return what a child was told on its command line: the content, of so many bytes, and the seconds.

    From here on SIGTERM ends the child as `sys.exit` does: what it has started is stopped.
    """
    signal.signal(signal.SIGTERM, _end)
    payload, seconds = sys.argv[1:]
    return b"x" * int(payload), float(seconds)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)
