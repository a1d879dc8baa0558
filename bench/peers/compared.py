"""What the rows of all peers come to: the better of several runs, requests and contract nets apart, and the ratios."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.peers.catalogue import CAXTON, Peer
from bench.peers.child import NO_SUCH_FORM, OK, Row, row_of
from bench.peers.form import CONTRACT_NET


def better_of(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each form of a peer: its highest rate, and the lowest latency and computing of all rounds.

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
    fastest = max(one, other, key=lambda row: float(row["per_s"]))
    latencies = [row["latency_us"] for row in (one, other) if row["latency_us"] is not None]
    return fastest | {
        "computing_us": min(one["computing_us"], other["computing_us"]),
        "latency_us": min(latencies, key=lambda latency: int(latency["p50"]), default=None),
    }


def best_first(rows: Sequence[Row]) -> list[Row]:
    """Sort rows by their rate; those without one are last."""
    return sorted(rows, key=lambda row: row["per_s"] or 0, reverse=True)


def requests_of(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that are about requests and their answers, and those that say why there are none."""
    return [row for row in rows if not _is_net(row)]


def nets_of(rows: Sequence[Row], peers: Sequence[Peer]) -> list[Row]:
    """Return the rows that are about contract nets; a peer that holds none has a row that says why."""
    without = {peer.name: row_of(peer, NO_SUCH_FORM, reason=peer.why_no_net) for peer in peers if peer.why_no_net}
    measured = [row for row in rows if row["peer"] not in without and (_is_net(row) or row["status"] != OK)]
    return [*measured, *without.values()]


def _is_net(row: Row) -> bool:
    return (row["form"] or "").startswith(CONTRACT_NET)


def ratios(rows: Sequence[Row], forms: Mapping[str, str]) -> list[Row]:
    """Return for each form of each peer how many times as fast Caxton is in these forms of its own, by their names.

    None where Caxton itself has no figure.
    """
    caxton = {row["form"]: row["per_s"] for row in rows if row["peer"] == CAXTON.name}
    return [
        {"peer": row["peer"], "form": row["form"]}
        | {name: _ratio(caxton.get(form), row["per_s"]) for name, form in forms.items()}
        for row in rows
        if row["status"] == OK and row["peer"] != CAXTON.name
    ]


def _ratio(caxton: float | None, peer: float) -> float | None:
    return round(caxton / peer, 3) if caxton and peer else None


def named(rows: Iterable[Row], rate: str) -> list[dict[str, Any]]:
    """Return the rows with the name of what their rate counts."""
    return [{rate if name == "per_s" else name: value for name, value in row.items()} for row in rows]
