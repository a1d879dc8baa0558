"""What the gateway itself did since it started, and has: of each port, by `http` and `metrics`."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from caxton.telemetry.exported import Exported
from caxton.telemetry.family import MOST_VALUES, Family, Kind, counter, gauge

Samples: TypeAlias = dict[tuple[str, ...], float]

# The status of a request that was not answered, because nobody read it.
UNREAD = "none"


class PortFigures(NamedTuple):
    """Of one port. answered: requests by status, 0 where nobody read the answer. refused, cut_off: by reason."""

    answered: Mapping[int, int]
    refused: Mapping[str, int]
    cut_off: Mapping[str, int]
    hung_up: int
    under_way: int
    streams: int
    body_bytes: int
    answer_bytes: int
    connections: int


class GatewayFigures(NamedTuple):
    """ports: what is at each, by its name. unasked: messages that no request waited for. clients: of the runtime.

    bid_bytes: what bidders answered these, in negotiations under way. kept_age_s: since the ledger, dead letters and
    conversations were counted. cpu_s, resident_bytes, started_s: of its process; started in seconds since 1970.
    exported: by OTLP.
    """

    ports: Mapping[str, PortFigures]
    unasked: int
    clients: int
    bid_bytes: int
    kept_age_s: float
    cpu_s: float
    resident_bytes: int
    started_s: float
    exported: Exported


def gateway_families(figures: GatewayFigures) -> Iterator[Family]:
    """Yield what a gateway tells of itself."""
    statuses: Samples = {
        (port, str(status) if status else UNREAD): float(count)
        for port, one in figures.ports.items()
        for status, count in one.answered.items()
    }
    says = "requests to the gateway, by the status of their answers; `none` where nobody read it"
    yield Family("caxton_gateway_requests", Kind.COUNTER, says, ("port", "status"), statuses)
    says = "what the gateway refused before anything was done, by the limit or the check that refused it"
    yield _by_reason("caxton_gateway_refused", says, figures, lambda one: one.refused)
    says = "connections that the gateway ended, by why"
    yield _by_reason("caxton_gateway_cut_off", says, figures, lambda one: one.cut_off)
    says = "requests, streams aside, whose callers hung up before they were answered"
    hung_up: Samples = {(port,): float(one.hung_up) for port, one in figures.ports.items()}
    yield Family("caxton_gateway_hung_up", Kind.COUNTER, says, ("port",), hung_up)
    for name, says, value_of in _PRESENT:
        values: Samples = {(port,): value_of(one) for port, one in figures.ports.items()}
        yield Family(f"caxton_gateway_{name}", Kind.GAUGE, says, ("port",), values)
    yield gauge("caxton_gateway_clients", "clients of the runtime that the gateway has open", figures.clients)
    says = "what bidders answered in negotiations that are under way, as long as these last"
    yield gauge("caxton_gateway_bid_bytes", says, figures.bid_bytes)
    says = "messages from agents that no request waited for, which the gateway took and nobody read"
    yield counter("caxton_gateway_unasked_messages", says, figures.unasked)
    says = "how long ago what is kept was counted: the ledger, dead letters, conversations"
    yield gauge("caxton_scrape_kept_age_seconds", says, figures.kept_age_s)
    yield counter("caxton_gateway_cpu_seconds", "computing time of the gateway", figures.cpu_s)
    yield gauge("caxton_gateway_resident_memory_bytes", "resident memory of the gateway", figures.resident_bytes)
    yield gauge("caxton_gateway_start_time_seconds", "when the gateway started, since 1970", figures.started_s)
    taken: Samples = {(signal,): float(count) for signal, count in figures.exported.taken.items()}
    says = "spans, points of metrics and lines of logs that a collector took by OTLP"
    yield Family("caxton_otlp_exported", Kind.COUNTER, says, ("signal",), taken)
    dropped: Samples = {key: float(count) for key, count in figures.exported.dropped.items()}
    says = "those that it did not take, or that were gone before they were read"
    yield Family("caxton_otlp_dropped", Kind.COUNTER, says, ("signal", "reason"), dropped)


_PRESENT: tuple[tuple[str, str, Callable[[PortFigures], float]], ...] = (
    ("requests_under_way", "requests that the gateway works on", lambda one: one.under_way),
    ("streams", "streams of events that last", lambda one: one.streams),
    ("body_bytes", "bodies that are being read or answered", lambda one: one.body_bytes),
    ("answer_bytes", "answers that are being sent", lambda one: one.answer_bytes),
    ("connections", "connections to the gateway", lambda one: one.connections),
)


def _by_reason(
    name: str, says: str, figures: GatewayFigures, counts_of: Callable[[PortFigures], Mapping[str, int]]
) -> Family:
    counts: Samples = {
        (port, reason): float(count)
        for port, one in figures.ports.items()
        for reason, count in sorted(counts_of(one).items())[:MOST_VALUES]
    }
    return Family(name, Kind.COUNTER, says, ("port", "reason"), counts)
