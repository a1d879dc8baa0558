import asyncio
from importlib.util import find_spec

import pytest

import caxton.testing
from caxton.telemetry.exported import Exported

if find_spec("uvicorn") is None or find_spec("opentelemetry.sdk") is None:
    pytest.skip("uvicorn or OpenTelemetry is not installed: pip install '.[http,otel]'", allow_module_level=True)

from caxton.gateway import serving


async def test_what_cannot_be_exported_ends_nothing_else(tmp_path, monkeypatch, caplog):
    """A runtime that cannot be reached is tried again, with a warning each time, until the gateway ends."""
    monkeypatch.setattr(serving, "FIRST_EXPORT_PAUSE_S", 0.001)
    monkeypatch.setattr(serving, "LONGEST_EXPORT_PAUSE_S", 0.002)
    exporting = asyncio.get_running_loop().create_task(serving._export(tmp_path, None, Exported()))

    async def tried_again():
        return exporting.done() or len(caplog.records) > 2

    await caxton.testing.eventually(tried_again)
    assert not exporting.done()
    exporting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exporting
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert "no runtime is serving" in caplog.records[0].getMessage()
