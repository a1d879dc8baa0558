"""All that a collector is told by OTLP, each signal for itself: one that is slow holds up no other."""

import asyncio
from collections.abc import Awaitable, Callable

from caxton.client.client import Client
from caxton.records import kept_from_now
from caxton.telemetry.exported import LOGS, METRICS, TRACES, Exported
from caxton.telemetry.logs import NOT_TOLD, LogExport
from caxton.telemetry.metric_export import MetricExport
from caxton.telemetry.moment import Moment
from caxton.telemetry.origin import is_wanted
from caxton.telemetry.spans import SpanExport


async def export(client: Client, look: Callable[[], Awaitable[Moment]], exported: Exported) -> None:
    """Export until this is cancelled. client: of the runtime. look: returns all metrics of now."""
    async with asyncio.TaskGroup() as tasks:
        if is_wanted(TRACES):
            tasks.create_task(SpanExport(client, exported).run())
        if is_wanted(METRICS):
            tasks.create_task(MetricExport(look, exported).run())
        if is_wanted(LOGS):
            tasks.create_task(LogExport(client, kept_from_now(NOT_TOLD), exported).run())
