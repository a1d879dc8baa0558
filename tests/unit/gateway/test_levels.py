import asyncio
import logging
import os
from contextlib import asynccontextmanager

import pytest

from caxton.config.setting import Setting
from caxton.errors import NetworkError
from caxton.gateway.levels import Levels
from caxton.lines import MODULES
from caxton.wire.gateway_spec import SETTINGS_CHANGED


class Runtime:
    """Clients of a runtime with these answers. asked: set with each question."""

    def __init__(self, *answers):
        self.answers, self.asked = [*answers], asyncio.Event()

    @asynccontextmanager
    async def acting_for(self, principal):
        assert principal == "somebody"
        yield self

    async def settings(self):
        self.asked.set()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [Setting(key=key, value=value, source="change") for key, value in answer.items()]


@pytest.fixture
def levels_as_before():
    """Let loggers have the levels that they had, when the test is over."""
    loggers = [logging.getLogger(name) for name in ("caxton", *(f"caxton.{module}" for module in MODULES))]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


async def test_a_gateway_logs_as_the_settings_have_it(levels_as_before, one_turn_of_the_loop, caplog):
    """Whenever it is told that they have changed; also after it could not ask."""
    runtime = Runtime(
        NetworkError("the runtime", "gone"), {"runtime.log_level": "error", "runtime.log_levels": "gateway=debug"}
    )
    following = asyncio.get_running_loop().create_task(Levels(runtime, "somebody").follow())
    for _ in range(2):
        runtime.asked.clear()
        os.kill(os.getpid(), SETTINGS_CHANGED)
        await runtime.asked.wait()
    while runtime.answers or logging.getLogger("caxton.gateway").level != logging.DEBUG:
        await one_turn_of_the_loop()
    following.cancel()
    asyncio.get_running_loop().remove_signal_handler(SETTINGS_CHANGED)

    assert logging.getLogger("caxton").level == logging.ERROR
    assert logging.getLogger("caxton.worker").level == logging.NOTSET
    assert "settings have changed, and are not told" in caplog.text
