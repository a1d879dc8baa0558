"""Programs of attached agents that wait for messages: each has one question open."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from caxton.agents.lifecycle import AgentState
from caxton.wire.calls import Exchange
from workers.agents.registry import Registry
from workers.operations.attachment import Attachment
from workers.operations.giving import Giving

_MS = 0.001
# Nobody waits longer for an answer, nor gave up longer ago: whoever says so has another clock.
FURTHEST_S, LATEST_S = 60.0, 3_600.0


class Questions:
    """Owned by `Attached`."""

    def __init__(self, registry: Registry, giving: Giving) -> None:
        self._registry = registry
        self._giving = giving
        # Whose questions are open, by agent.
        self._waiting: dict[int, list[Attachment]] = {}

    def look_again(self, agents: AbstractSet[int]) -> None:
        """Let whoever waits for messages of these agents look what there is.

        Of a group one looks, and what it finds is dealt to all; but all, when their agent was stopped or removed.
        """
        for agent_id in agents:
            agent = self._registry.find(agent_id)
            is_shared = agent is not None and agent.group is not None and agent.state is not AgentState.STOPPED
            for own in [own for own in self._waiting.get(agent_id, ()) if own.asks]:
                own.tell(look=True)
                if is_shared:
                    break

    async def wait(self, own: Attachment, asked: Exchange, check: Callable[[], object]) -> None:
        """Return when something is in its hand, or its time is over; what comes meanwhile may be nothing for it now.

        Who has given up by now, because this shard stood still, is given nothing: it asks again.
        check: raises why the session has the agent no longer.
        """
        now_s = asyncio.get_running_loop().time()
        until_s = now_s + asked.wait_ms * _MS
        if asked.until_ms and -LATEST_S < asked.until_ms * _MS - now_s < FURTHEST_S:
            until_s = min(until_s, asked.until_ms * _MS)
        while not own.hand and until_s >= now_s:
            check()
            if own.latest is not asked:
                return
            others = [other for other in self._waiting.get(asked.agent_id, ()) if other.asks]
            self._giving.give(own.agent, [own, *others])
            for other in others:
                if other.hand:
                    other.tell(look=True)
            if own.hand or not await self._told(own, until_s):
                return

    async def _told(self, own: Attachment, until_s: float) -> bool:
        """Wait until there may be something; False when it was in vain."""
        loop = asyncio.get_running_loop()
        if until_s <= loop.time():
            return False
        future: asyncio.Future[bool] = loop.create_future()
        own.waiting = future
        agent_id = own.agent.agent_id
        self._waiting.setdefault(agent_id, []).append(own)
        timer = loop.call_at(until_s, _answer_no, future)
        try:
            return await future
        finally:
            timer.cancel()
            if own.waiting is future:
                own.waiting = None
            self._waiting[agent_id].remove(own)
            if not self._waiting[agent_id]:
                del self._waiting[agent_id]


def _answer_no(future: "asyncio.Future[bool]") -> None:
    if not future.done():
        future.set_result(False)
