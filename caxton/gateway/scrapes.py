"""Metrics of one moment, for everybody who asks within a second: a scrape costs as much however many ask."""

import asyncio
import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from caxton.client.client import Client
from caxton.errors import CaxtonError, Timeout
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.kept_look import Kept, KeptLook, part
from caxton.gateway.limits import LOOK_TIMEOUT_S, PART_TIMEOUT_S, SCRAPE_FRESH_S
from caxton.telemetry.agent_families import MOST_AGENTS
from caxton.telemetry.exemplars import AT_ONCE, Exemplars
from caxton.telemetry.exported import Exported
from caxton.telemetry.exposition import Format, written
from caxton.telemetry.families import Parts, families
from caxton.telemetry.gateway_families import GatewayFigures, PortFigures, gateway_families
from caxton.telemetry.moment import Moment
from caxton.wire.spans import SpanCursor

# For whom the runtime is looked at: somebody who may not do more than others, and never does.
PRINCIPAL = "gateway:metrics"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Scrapes:
    """Keeps what was told last for a second; those who ask meanwhile share one look, and its failure.

    Opened by `async with`. clients: of the runtime, for this alone. counts: of each port of the gateway. callers: the
    clients that others have. exported: by OTLP.
    """

    def __init__(self, clients: Clients, counts: Mapping[str, Counts], callers: Clients, exported: Exported) -> None:
        self._clients = clients
        self._exported = exported
        self._counts = counts
        self._callers = callers
        self._started_s = time.time()
        self._kept = KeptLook(clients, PRINCIPAL)
        self._looking = asyncio.Lock()
        self._until_s = 0.0
        self._moment: Moment | None = None
        self._exemplars = Exemplars()
        self._spans_read = SpanCursor()
        # Whether somebody has asked for metrics in a form that has exemplars.
        self._with_exemplars = False
        self._texts: dict[Format, bytes] = {}
        self._error: CaxtonError | None = None

    async def __aenter__(self) -> Self:
        await self._kept.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._kept.__aexit__(kind, error, traceback)

    async def text(self, form: Format) -> bytes:
        """Return what Prometheus reads; raises what looking raised, Timeout."""
        self._with_exemplars = self._with_exemplars or form is Format.OPEN_METRICS
        async with self._looking:
            moment = await self._fresh()
            if form not in self._texts:
                # Beside the loop: it takes some milliseconds.
                self._texts[form] = await asyncio.to_thread(written, [*moment.run, *moment.gateway], form)
            return self._texts[form]

    async def moment(self) -> Moment:
        """Return what a collector is told; raises what `text` raises."""
        self._with_exemplars = True
        async with self._looking:
            return await self._fresh()

    async def _fresh(self) -> Moment:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._until_s:
            await self._look()
            self._until_s = loop.time() + SCRAPE_FRESH_S
        if self._moment is None:
            raise self._error or Timeout("looking at the runtime", LOOK_TIMEOUT_S)
        return self._moment

    async def _look(self) -> None:
        self._texts.clear()
        self._moment = self._error = None
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S), self._clients.acting_for(PRINCIPAL) as client:
                self._kept.begin()
                stats, health, busiest, *_ = await asyncio.gather(
                    client.stats(),
                    client.health(),
                    part(lambda: client.busiest(limit=MOST_AGENTS), PART_TIMEOUT_S),
                    part(self._kept.first, PART_TIMEOUT_S),
                    part(lambda: self._read_spans(client), PART_TIMEOUT_S),
                )
        except TimeoutError:
            self._error = Timeout("looking at the runtime", LOOK_TIMEOUT_S)
        except CaxtonError as error:
            self._error = error
        else:
            kept = self._kept.kept or Kept(None, None, None)
            parts = Parts(kept.ledger, kept.dead_letters, kept.conversations, busiest)
            run = [self._exemplars.within(one) for one in families(stats, health, parts)]
            own = [*gateway_families(self._figures())]
            self._moment = Moment(run, stats.uptime_s, own, self._started_s)

    async def _read_spans(self, client: Client) -> None:
        """Read which turns were sampled since the last look, for exemplars."""
        if self._with_exemplars:
            told = await client.spans(self._spans_read, limit=AT_ONCE)
            self._spans_read = told.cursor
            self._exemplars.add(told.spans)

    def _figures(self) -> GatewayFigures:
        ports = {
            name: PortFigures(
                dict(one.answered),
                dict(one.refused),
                dict(one.cut_off),
                one.hung_up,
                one.under_way,
                one.streams,
                one.body_bytes,
                one.answer_bytes,
                one.connections,
            )
            for name, one in self._counts.items()
        }
        unasked = sum(one.unasked for one in self._counts.values())
        return GatewayFigures(
            ports,
            unasked,
            len(self._callers),
            self._callers.bid_bytes,
            self._kept.age_s,
            time.process_time(),
            _resident_bytes(),
            self._started_s,
            self._exported,
        )


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (no file on a disk)
        return int(file.read().split()[1]) * _PAGE_BYTES
