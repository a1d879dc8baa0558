"""The way of one signal to a collector: a request at a time, beside the loop, and never a second time."""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import Generic, Protocol, TypeVar

from caxton.telemetry.exported import GONE, NOT_TAKEN, Exported

T_contra = TypeVar("T_contra", contravariant=True)
# What an exporter of OpenTelemetry's returns where a collector took everything.
_TAKEN = "SUCCESS"
log = logging.getLogger("caxton.gateway")


class Exporter(Protocol[T_contra]):
    """What takes items away: an exporter of OpenTelemetry's.

    rejected: how many items of the last batch were not taken, though its request went well.
    """

    rejected: int

    def export(self, batch: T_contra, /) -> Enum:
        """Export a batch; blocks for as long as that takes, which its timeout bounds."""

    def shutdown(self) -> None:
        """Let a waiting export end."""


class Sender(Generic[T_contra]):
    """Exports batches of one signal, and counts what came of them.

    A collector that takes nothing is logged once, and so is that it takes something again: what logs say is exported,
    too.
    """

    def __init__(self, signal: str, exporter: Exporter[T_contra], exported: Exported) -> None:
        self._signal = signal
        self._exporter = exporter
        self._exported = exported
        self._failed = 0

    async def send(self, make: Callable[[], T_contra], items: int) -> None:
        """Export a batch of so many items, which is made beside the loop too.

        What cannot be made, or the collector does not take, is lost, and counted: it is no reason to end.
        """
        try:
            result = await asyncio.to_thread(lambda: self._exporter.export(make()))
            is_taken, why = result.name == _TAKEN, "the collector does not take them"
        except Exception as error:  # noqa: BLE001 (whatever a library does not like)
            is_taken, why = False, f"{type(error).__name__}: {error}"
        lost = min(items, self._exporter.rejected) if is_taken else items
        if lost < items:
            self._exported.taken[self._signal] += items - lost
        if lost:
            self._exported.dropped[self._signal, NOT_TAKEN] += lost
            if not self._failed:
                log.warning("%s are not exported: %s", self._signal, why)
            self._failed += lost
        elif self._failed:
            log.warning("%s are exported again; %d were not", self._signal, self._failed)
            self._failed = 0

    def missed(self, items: int) -> None:
        """Count what was gone before it was read."""
        if items:
            self._exported.dropped[self._signal, GONE] += items
            log.warning("%d of the %s were gone before they were read", items, self._signal)

    def close(self) -> None:
        """Let a waiting export end."""
        self._exporter.shutdown()
