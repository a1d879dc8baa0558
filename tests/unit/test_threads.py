import asyncio
import gc
import threading

import pytest

from caxton.threads import to_its_end


async def test_what_the_work_returns_or_raises_is_told():
    """As if there were no thread."""
    assert await to_its_end(lambda: 5) == 5
    with pytest.raises(KeyError):
        await to_its_end(lambda: {}[0])


async def test_whoever_is_cancelled_waits_for_the_end(one_turn_of_the_loop):
    """The work is told that it may end early; what it raises then is nobody's business."""
    said = []
    told, end, ended = threading.Event(), threading.Event(), threading.Event()

    def work():
        end.wait()
        ended.set()
        raise ValueError

    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
    async with asyncio.TaskGroup() as group:
        working = group.create_task(to_its_end(work, told.set))
        await one_turn_of_the_loop()
        working.cancel()
        await one_turn_of_the_loop()
        await one_turn_of_the_loop()
        waited = told.is_set() and not working.done()
        end.set()

    assert waited
    assert ended.is_set()
    assert working.cancelled()
    del working
    gc.collect()
    assert said == []
