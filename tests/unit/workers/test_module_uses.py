import asyncio

import pytest

from caxton.agents.manifest import Encoding
from caxton.errors import StorageError
from workers.agents.registry import Registry
from workers.loop.module_uses import ModuleUses


class Cache:
    """Modules that the test looks at; `broken` makes marking fail."""

    def __init__(self):
        self.marked, self.broken = [], False

    def touch_all(self, modules):
        if self.broken:
            raise StorageError("modules", "no such directory")
        self.marked.append(sorted(modules))


@pytest.fixture
def cache():
    return Cache()


def test_modules_are_counted_by_their_agents(shard):
    """A registry knows which modules its agents are made from, until the last of each is gone."""
    first, second = shard.agent(1), shard.agent(2)
    shard.agent(3, encoding=Encoding.ATTACHED)
    assert shard.registry.modules == {bytes(32): 2}
    shard.registry.remove(first.agent_id)
    shard.registry.remove(first.agent_id)
    assert shard.registry.modules == {bytes(32): 1}
    shard.registry.remove(second.agent_id)
    assert not shard.registry.modules


async def test_all_modules_are_marked_and_that_is_told(cache):
    """After each round it is known when it began; a round that failed counts for nothing."""
    registry = Registry()
    registry.modules.update([b"b", b"a", b"a"])
    uses = ModuleUses(registry, cache)
    assert uses.marked_ms == 0
    cache.broken = True
    await uses.mark()
    assert uses.marked_ms == 0
    cache.broken = False
    await uses.mark()
    assert uses.marked_ms > 0
    assert cache.marked == [[b"a", b"b"]]


async def test_it_is_done_again_and_again(cache, monkeypatch):
    """A round follows each minute."""
    monkeypatch.setattr("workers.loop.module_uses.PERIOD_S", 0.0)
    enough = asyncio.Event()
    cache.touch_all = cache.marked.append
    uses = ModuleUses(Registry(), cache)
    mark = uses.mark

    async def marked():
        await mark()
        if len(cache.marked) == 3:
            enough.set()

    uses.mark = marked
    async with asyncio.TaskGroup() as group:
        running = group.create_task(uses.run())
        await enough.wait()
        running.cancel()
