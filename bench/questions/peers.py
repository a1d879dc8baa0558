"""How Caxton compares: the same work by its peers and by itself, in one run on one machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bench.options import RESULTS_DIR, Payload, ResultsDir
from bench.output import Bar, bar
from bench.peers.catalogue import CAXTON, PEERS, Peer
from bench.peers.child import OK, Row, run
from bench.peers.form import BATCHED, ONE_BY_ONE
from bench.results import finish
from caxton.cli.output import Format, Output, print_table, reports_errors

_START_S = 60.0
# More than the trials, the measurement and the requests one at a time of four forms take.
_SHARE_OF_ALL_FORMS = 12
NUMERATORS = {"batched": f"{BATCHED}, volatile", "one_by_one": f"{ONE_BY_ONE}, volatile"}


@dataclass(frozen=True)
class Plan:
    """What is measured.

    peers: their names; Caxton is always measured too. payload: bytes of content. seconds: of each measured form.
    rounds: how often all peers are run, every other time in the opposite order.
    """

    peers: tuple[str, ...]
    payload: int
    seconds: float
    rounds: int

    @property
    def order(self) -> list[Peer]:
        """The peers in the order of the catalogue."""
        return [peer for peer in PEERS.values() if peer is CAXTON or peer.name in self.peers]

    @property
    def deadline_s(self) -> float:
        """How long one peer may take in one round."""
        return _START_S + _SHARE_OF_ALL_FORMS * self.seconds

    @property
    def runs(self) -> int:
        """How many times a peer is run."""
        return len(self.order) * self.rounds


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Run all peers, round after round, and return each one's better figures and Caxton's ratios to them."""
    rows: list[Row] = []
    runs = 0
    for number in range(plan.rounds):
        for peer in reversed(plan.order) if number % 2 else plan.order:
            bar.show(runs, f"round {number + 1}: {peer.name}")
            rows += run(peer, plan.payload, plan.seconds, plan.deadline_s)
            runs += 1
    best = best_first(better_of(rows))
    return {
        "peers": best,
        "ratios": ratios(best),
        "ratio_is": "round trips a second of Caxton in that form, volatile, over those of the peer",
        "payload": plan.payload,
        "seconds": plan.seconds,
        "rounds": plan.rounds,
    }


def better_of(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each form of a peer, the one with the highest rate, and the lowest latency of all rounds.

    A peer that did not succeed in any round keeps its last row, which says why.
    """
    found: dict[tuple[str, str | None], Row] = {}
    for row in rows:
        key = row["peer"], row["form"]
        found[key] = _better(found[key], row) if key in found else row
    succeeded = {row["peer"] for row in found.values() if row["status"] == OK}
    return [row for row in found.values() if row["status"] == OK or row["peer"] not in succeeded]


def _better(one: Row, other: Row) -> Row:
    if other["status"] != OK:
        return other
    fastest = max(one, other, key=lambda row: float(row["round_trips_per_s"]))
    latencies = [row["latency_us"] for row in (one, other) if row["latency_us"] is not None]
    return fastest | {"latency_us": min(latencies, key=lambda latency: int(latency["p50"]), default=None)}


def best_first(rows: Sequence[Row]) -> list[Row]:
    """Sort rows by their rate; those without one are last."""
    return sorted(rows, key=lambda row: row["round_trips_per_s"] or 0, reverse=True)


def ratios(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return for each form of each peer how many times as fast Caxton is, batched and one by one, both volatile.

    None where Caxton itself has no figure.
    """
    caxton = {row["form"]: row["round_trips_per_s"] for row in rows if row["peer"] == CAXTON.name}
    return [
        {"peer": row["peer"], "form": row["form"]}
        | {name: _ratio(caxton.get(form), row["round_trips_per_s"]) for name, form in NUMERATORS.items()}
        for row in rows
        if row["status"] == OK and row["peer"] != CAXTON.name
    ]


def _ratio(caxton: float | None, peer: float) -> float | None:
    return round(caxton / peer, 3) if caxton and peer else None


EXAMPLES = "Examples: python -m bench peers --seconds 3 -o json; python -m bench peers --only erlang,pyzmq --rounds 1"


def _known(only: str) -> str:
    """Refuse names of peers that there are not."""
    unknown = sorted(set(only.split(",")) - {*PEERS})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: take some of {','.join(PEERS)}")
    return only


@reports_errors
def peers(
    seconds: Annotated[float, typer.Option(min=0.2, help="Of measurement for each form of each peer.")] = 3.0,
    only: Annotated[
        str, typer.Option(callback=_known, help="Peers to measure beside Caxton, with commas between them.")
    ] = ",".join(PEERS),
    rounds: Annotated[
        int,
        typer.Option(
            min=1, max=10, help="Runs of all peers, every other one in the opposite order; the better figures count."
        ),
    ] = 2,
    payload: Payload = 100,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """The same requests and answers by other runtimes and by this one, in one run.

    A peer that is not installed, or that fails, has a row that says so; the exit code is 0.
    """
    plan = Plan(tuple(only.split(",")), payload, seconds, rounds)
    with bar(total=plan.runs) as progress:
        result = measure(plan, progress)
    if output is Format.TEXT:
        _print(result)
    finish("peers", result, output, results, tables=("peers", "ratios"))


_COLUMNS = ["peer", "form", "round trips/s", "under way", "p50 µs", "p99 µs", "processes", "version"]
_RATIOS = ["Caxton batched is", "Caxton one by one is"]


def _print(result: Mapping[str, Any]) -> None:
    title = f"Requests and answers of {result['payload']} bytes, best first; latencies are of one at a time"
    print_table(title, [*_COLUMNS, *_RATIOS, "note"], list(_lines(result)))


def _lines(result: Mapping[str, Any]) -> Iterator[list[object]]:
    ratios = {(each["peer"], each["form"]): each for each in result["ratios"]}
    for row in result["peers"]:
        rate, latency = row["round_trips_per_s"], row["latency_us"] or {}
        ratio = ratios.get((row["peer"], row["form"]), {})
        yield [
            row["peer"],
            row["form"] or row["status"],
            None if rate is None else f"{rate:,}",
            row["under_way"],
            latency.get("p50"),
            latency.get("p99"),
            row["processes"],
            row["version"],
            *(ratio.get(name) and f"{ratio[name]} times" for name in ("batched", "one_by_one")),
            row["note"] or row.get("reason") or row.get("install"),
        ]
