"""All that a collector is told by OTLP, each signal for itself: one that is slow holds up no other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from caxton.client.client import Client
from caxton.records import kept_from_now
from caxton.telemetry.exported import LOGS, METRICS, SIGNALS, TRACES, Exported
from caxton.telemetry.logs import NOT_TOLD, LogExport
from caxton.telemetry.metric_export import MetricExport
from caxton.telemetry.moment import Moment
from caxton.telemetry.origin import is_wanted
from caxton.telemetry.spans import SpanExport


async def export(client: Client, look: Callable[[], Awaitable[Moment]], exported: Exported) -> None:
    """Export until this is cancelled, or one signal fails. client: of the runtime. look: returns all metrics of now."""
    wanted = {signal for signal in SIGNALS if is_wanted(signal)}
    own = kept_from_now(NOT_TOLD)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.Event().wait())  # where nothing is wanted there is nothing to do
            if TRACES in wanted:
                tasks.create_task(SpanExport(client, exported).run())
            if METRICS in wanted:
                tasks.create_task(MetricExport(look, exported).run())
            if LOGS in wanted:
                tasks.create_task(LogExport(client, own, exported).run())
    finally:
        logging.getLogger().removeHandler(own)
