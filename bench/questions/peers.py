"""How Caxton compares: the same work by its peers and by itself, in one run on one machine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bench.options import RESULTS_DIR, Payload, ResultsDir
from bench.output import Bar, bar
from bench.peers.catalogue import CAXTON, PEERS, Peer
from bench.peers.child import Row, run
from bench.peers.compared import best_first, better_of, named, nets_of, ratios, requests_of
from bench.peers.form import BATCHED, CONTRACT_NET, ONE_BY_ONE
from bench.peers.nets import BIDDERS
from bench.results import finish
from caxton.cli.output import Format, Output, print_table, reports_errors

_START_S = 120.0
# More than the trials, the measurement and the requests one at a time of six forms take.
_SHARE_OF_ALL_FORMS = 18
NUMERATORS = {"batched": f"{BATCHED}, volatile", "one_by_one": f"{ONE_BY_ONE}, volatile"}
NET_NUMERATORS = {lane: f"{CONTRACT_NET}, {lane}" for lane in ("volatile", "durable")}


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
    requests, nets = requests_of(best), nets_of(best, plan.order)
    return {
        "peers": named(requests, "round_trips_per_s"),
        "ratios": ratios(requests, NUMERATORS),
        "ratio_is": "round trips a second of Caxton in that form, volatile, over those of the peer",
        "contract_nets": named(nets, "rounds_per_s"),
        "contract_net_ratios": ratios(nets, NET_NUMERATORS),
        "contract_net_ratio_is": "rounds a second of Caxton's contract nets on that lane over those of the peer",
        "bidders": BIDDERS,
        "payload": plan.payload,
        "seconds": plan.seconds,
        "rounds": plan.rounds,
    }


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
    """The same requests and answers, and contract nets, by other runtimes and by this one, in one run.

    A peer that is not installed, or that fails, has a row that says so; the exit code is 0.
    """
    plan = Plan(tuple(only.split(",")), payload, seconds, rounds)
    with bar(total=plan.runs) as progress:
        result = measure(plan, progress)
    if output is Format.TEXT:
        _print(result)
    finish("peers", result, output, results, tables=("peers", "ratios", "contract_nets", "contract_net_ratios"))


_MEASURED = ["computing µs", "under way", "p50 µs", "p99 µs", "processes", "version"]


def _print(result: Mapping[str, Any]) -> None:
    title = f"Requests and answers of {result['payload']} bytes, best first; latencies are of one at a time"
    columns = ["peer", "form", "round trips/s", *_MEASURED, "Caxton batched is", "Caxton one by one is", "note"]
    print_table(title, columns, list(_lines(result["peers"], "round_trips_per_s", result["ratios"], NUMERATORS)))
    title = f"Contract nets with {result['bidders']} bidders, best first; latencies are of one round at a time"
    columns = ["peer", "form", "rounds/s", *_MEASURED, "Caxton volatile is", "Caxton durable is", "note"]
    nets, net_ratios = result["contract_nets"], result["contract_net_ratios"]
    print_table(title, columns, list(_lines(nets, "rounds_per_s", net_ratios, NET_NUMERATORS)))


def _lines(
    rows: Sequence[Mapping[str, Any]], rate: str, ratios: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> Iterator[list[object]]:
    ratio_of = {(each["peer"], each["form"]): each for each in ratios}
    for row in rows:
        latency, ratio = row["latency_us"] or {}, ratio_of.get((row["peer"], row["form"]), {})
        yield [
            row["peer"],
            row["form"] or row["status"],
            None if row[rate] is None else f"{row[rate]:,}",
            row["computing_us"],
            row["under_way"],
            latency.get("p50"),
            latency.get("p99"),
            row["processes"],
            row["version"],
            *(ratio.get(name) and f"{ratio[name]} times" for name in names),
            row["note"] or row.get("reason") or row.get("install"),
        ]
