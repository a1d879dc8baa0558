"""Metrics by OpenTelemetry's protocol: what Prometheus would read, told to a collector every so often."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricsData

from caxton.errors import CaxtonError
from caxton.printable import shown
from caxton.telemetry.collector_line import BoundedExporter
from caxton.telemetry.exported import METRICS, Exported
from caxton.telemetry.moment import Moment
from caxton.telemetry.origin import resource
from caxton.telemetry.points import Starts, metrics_data, points_of
from caxton.telemetry.sender import Exporter, Sender

INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
# In seconds: what holds where nobody says, and what looks at a runtime are worth.
DEFAULT_PERIOD_S, LEAST_PERIOD_S, LONGEST_PERIOD_S = 60.0, 1.0, 86_400.0
_MS_PER_S = 1_000
log = logging.getLogger("caxton.gateway")


class MetricExport:
    """Exports all metrics of a moment, one moment at a time; one that is late is left out.

    look: returns them; raises CaxtonError where the runtime does not tell them. What is not taken is counted in
    `exported`, and not told again: counters are told whole each time.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[Moment]],
        exported: Exported,
        exporter: Exporter[MetricsData] | None = None,
    ) -> None:
        self._look = look
        self._sender = Sender(METRICS, BoundedExporter(OTLPMetricExporter) if exporter is None else exporter, exported)
        self._resource = resource()
        self._starts = Starts()

    async def run(self) -> None:
        """Export until this is cancelled."""
        loop, wanted_s = asyncio.get_running_loop(), period_s(os.environ.get(INTERVAL, ""))
        try:
            while True:
                began_s = loop.time()
                await self.tell()
                await asyncio.sleep(wanted_s - (loop.time() - began_s) % wanted_s)
        finally:
            self._sender.close()

    async def tell(self) -> None:
        """Export what there is now."""
        try:
            moment = await self._look()
        except CaxtonError as error:
            log.warning("metrics are not read now: %s", error)
            return
        now_ns = time.time_ns()
        began_ns = self._starts.of(moment.uptime_s, now_ns)
        make = partial(metrics_data, moment, began_ns, now_ns, self._resource)
        await self._sender.send(make, points_of(moment))


def period_s(text: str) -> float:
    """Return the seconds of what the variable says in milliseconds; what it cannot be is logged, and not taken."""
    try:
        wanted_s = int(text) / _MS_PER_S if text.strip() else DEFAULT_PERIOD_S
    except ValueError:
        wanted_s = 0.0
    if LEAST_PERIOD_S <= wanted_s <= LONGEST_PERIOD_S:
        return wanted_s
    log.warning("%s is %s, which is no number of ms from 1000 to 86400000: it is 60000", INTERVAL, shown(text))
    return DEFAULT_PERIOD_S
