"""Exporting as a whole: what is begun, and what is left when it ends."""

import asyncio
import logging

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from caxton.errors import NetworkError
from caxton.telemetry.export import export
from caxton.telemetry.exported import Exported


class Gone:
    """A client that fails in a way that nobody foresaw."""

    async def spans(self, cursor, *, limit):
        raise ZeroDivisionError


async def test_nothing_is_left_of_one_that_fails(monkeypatch):
    """However often it is tried again, this process's records are kept once."""
    before = [*logging.getLogger().handlers]

    async def look():
        raise NetworkError("the runtime", "gone")

    for _ in range(3):
        with pytest.raises(ExceptionGroup):
            await export(Gone(), look, Exported())
    assert logging.getLogger().handlers == before


async def test_where_all_is_turned_off_nothing_is_asked(monkeypatch):
    """It waits for its end."""
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await export(None, None, Exported())
