"""What the routes of the gateway work with: one of each, for all requests."""

from dataclasses import dataclass

from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.vitals import Vitals


@dataclass(frozen=True)
class House:
    """clients: of the runtime, by principal. vitals: how the runtime is. counts: what the gateway did and refused."""

    clients: Clients
    vitals: Vitals
    counts: Counts
