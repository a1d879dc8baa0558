"""What the routes of the gateway work with: one of each, for all requests."""

import asyncio
from dataclasses import dataclass, field

from caxton.gateway.access.access import Access
from caxton.gateway.access.notes import AccessNotes
from caxton.gateway.access.sessions import Sessions
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.scrapes import Scrapes
from caxton.gateway.vitals import Vitals


@dataclass(frozen=True)
class House:
    """clients: of the runtime, by principal. vitals: how the runtime is. counts: what the gateway did and refused.

    access: who keeps the tokens. sessions: of pages. scrapes: what Prometheus is told. notes: what the audit
    is told of who comes. verifying: held by who looks the audit through: one at a time. stopping: set when the gateway
    is to end, so that streams do.
    """

    clients: Clients
    vitals: Vitals
    counts: Counts
    access: Access
    sessions: Sessions
    scrapes: Scrapes
    notes: AccessNotes
    verifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
