"""Metrics of one moment, for everybody who asks within a second: a scrape costs as much however many ask."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from caxton.errors import CaxtonError, Timeout
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.limits import LOOK_TIMEOUT_S, PART_TIMEOUT_S, SCRAPE_FRESH_S
from caxton.telemetry.agent_families import MOST_AGENTS
from caxton.telemetry.exposition import Format, written
from caxton.telemetry.families import Parts, families
from caxton.telemetry.family import Told
from caxton.telemetry.gateway_families import GatewayFigures, PortFigures, gateway_families

T = TypeVar("T")

# For whom the runtime is looked at: somebody who may not do more than others, and never does.
PRINCIPAL = "gateway:metrics"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Scrapes:
    """Keeps what was told last for a second; those who ask meanwhile share one look, and its failure.

    clients: of the runtime, for this alone. counts: of each port of the gateway. callers: how many clients others have.
    """

    def __init__(self, clients: Clients, counts: Mapping[str, Counts], callers: Callable[[], int]) -> None:
        self._clients = clients
        self._counts = counts
        self._callers = callers
        self._started_s = time.time()
        self._looking = asyncio.Lock()
        self._until_s = 0.0
        self._told: list[Told] = []
        self._texts: dict[Format, bytes] = {}
        self._error: CaxtonError | None = None

    async def text(self, form: Format) -> bytes:
        """Return what Prometheus reads; raises what looking raised, Timeout."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() >= self._until_s:
                await self._look()
                self._until_s = loop.time() + SCRAPE_FRESH_S
            if self._error is not None:
                raise self._error
            if form not in self._texts:
                # Beside the loop: it takes some milliseconds.
                self._texts[form] = await asyncio.to_thread(written, self._told, form)
            return self._texts[form]

    async def _look(self) -> None:
        self._texts.clear()
        self._told, self._error = [], None
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S), self._clients.acting_for(PRINCIPAL) as client:
                stats, health, ledger, letters, conversations, busiest = await asyncio.gather(
                    client.stats(),
                    client.health(),
                    _part(client.ledger),
                    _part(client.dead_letter_stats),
                    _part(client.conversation_stats),
                    _part(lambda: client.busiest(limit=MOST_AGENTS)),
                )
        except TimeoutError:
            self._error = Timeout("looking at the runtime", LOOK_TIMEOUT_S)
        except CaxtonError as error:
            self._error = error
        else:
            parts = Parts(ledger, letters, conversations, busiest)
            self._told = [*families(stats, health, parts), *gateway_families(self._figures())]

    def _figures(self) -> GatewayFigures:
        ports = {
            name: PortFigures(
                dict(one.answered),
                dict(one.refused),
                dict(one.cut_off),
                one.under_way,
                one.streams,
                one.body_bytes,
                one.connections,
            )
            for name, one in self._counts.items()
        }
        unasked = sum(one.unasked for one in self._counts.values())
        return GatewayFigures(ports, unasked, self._callers(), time.process_time(), _resident_bytes(), self._started_s)


async def _part(call: Callable[[], Awaitable[T]]) -> T | None:
    """Return what a call tells, None where a shard does not answer it."""
    try:
        async with asyncio.timeout(PART_TIMEOUT_S):
            return await call()
    except (CaxtonError, TimeoutError):
        return None


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (no file on a disk)
        return int(file.read().split()[1]) * _PAGE_BYTES
