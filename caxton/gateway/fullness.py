"""How full the gateway is: which of its limits are near or refuse. Numbers in, verdicts out."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from caxton.delivery.levels import Level, Nearing, NearLimit
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.limits import MAX_ANSWERS_BYTES, MAX_BODIES_BYTES, MAX_OPEN_REQUESTS, MAX_REQUESTS, MAX_STREAMS
from caxton.gateway.shares import Shares
from caxton.wire.gateway_tick import MOST_NEAR

# A bound that refused somebody is told as full for so long: requests come and go between two looks.
FULL_FOR_S = 10.0


class Port(NamedTuple):
    """What is bounded at one port. most: connections."""

    counts: Counts
    most: int
    shares: Shares
    clients: Clients

    def levels(self) -> Iterator[Level]:
        """Yield how full each bound is."""
        counts = self.counts
        yield Level("connections", counts.connections, self.most)
        yield Level("requests", counts.requests, MAX_REQUESTS)
        yield Level("open_requests", counts.open_under_way, MAX_OPEN_REQUESTS)
        yield Level("streams", counts.streams, MAX_STREAMS)
        yield Level("body_bytes", counts.body_bytes, MAX_BODIES_BYTES)
        yield Level("answer_bytes", counts.answer_bytes, MAX_ANSWERS_BYTES)
        yield from self.clients.levels()
        yield from self.shares.levels()


class Fullness:
    """Owned by the gateway's loop, which looks each second."""

    def __init__(self, ports: Mapping[str, Port]) -> None:
        self._ports = ports
        self._nearing = Nearing()
        # Bounds that refused somebody of late, and until when each is told as full.
        self._refused: dict[Level, float] = {}

    def look(self, now_s: float, now_ms: int) -> list[NearLimit]:
        """Return the limits that are near or reached, the fullest first (now: on any clock, and in ms since 1970)."""
        self._refused = {level: until_s for level, until_s in self._refused.items() if until_s > now_s}
        for name, port in self._ports.items():
            for (bound, whose), most in port.counts.full.items():
                self._refused[Level(f"{name}_{bound}", most, most, whose)] = now_s + FULL_FOR_S
            port.counts.full.clear()
        levels = {(level.limit, level.whose): level for level in chain(self._levels(), self._refused)}
        near, _ = self._nearing.look(levels.values(), now_ms)
        return near[:MOST_NEAR]

    def _levels(self) -> Iterator[Level]:
        for name, port in self._ports.items():
            for level in port.levels():
                yield level._replace(limit=f"{name}_{level.limit}")
