import asyncio

import pytest

from caxton.errors import Timeout
from caxton.gateway import vitals as vitals_module
from caxton.gateway.vitals import Vitals


class Supervisor:
    """Is asked, and answers when it is let: with its answer, or with why there is none."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0
        self.go = asyncio.Event()

    async def __call__(self, timeout_s):
        self.asked += 1
        await self.go.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("answer", ["well", Timeout("the supervisor", 5.0)])
async def test_those_who_ask_share_one_question(answer, monkeypatch, one_turn_of_the_loop):
    """And what came of it, also when nobody answered: one after the other, each would wait as long as all before it."""
    monkeypatch.setattr(vitals_module, "FRESH_S", 3600.0)
    supervisor = Supervisor(answer)
    vitals = Vitals(supervisor)
    asking = [asyncio.get_running_loop().create_task(vitals.health()) for _ in range(10)]
    await one_turn_of_the_loop()
    supervisor.go.set()

    assert await asyncio.gather(*asking, return_exceptions=True) == [answer] * 10
    assert supervisor.asked == 1


async def test_after_a_failure_it_is_asked_again(monkeypatch):
    """As soon as what is known is no longer fresh."""
    monkeypatch.setattr(vitals_module, "FRESH_S", 0.0)
    supervisor = Supervisor(Timeout("the supervisor", 5.0), "well")
    supervisor.go.set()
    vitals = Vitals(supervisor)
    with pytest.raises(Timeout):
        await vitals.health()
    assert await vitals.health() == "well"
