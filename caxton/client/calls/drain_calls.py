"""Draining an agent from a client, and waiting until it has finished what it has."""

import asyncio

import msgspec

from caxton.client.calls.agent_calls import DRAIN_TIMEOUT_S, AgentCalls
from caxton.client.connection import CALL_TIMEOUT_S, Agent
from caxton.errors import NetworkError, ShardUnavailable, Timeout
from caxton.ids import AgentId
from caxton.wire.calls import AgentView

# Between two looks at an agent that drains: doubled each time.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.05, 0.5


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """How a drain ended: with nothing left, or with what was still open at its timeout.

    messages: that waited for the agent, or were being handled: of the durable lane they are dead letters now.
    conversations: that it took part in and that were active.
    """

    agent_id: AgentId
    messages: int = 0
    conversations: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left."""
        return not (self.messages or self.conversations)


class DrainCalls(AgentCalls):
    """`drain`."""

    async def drain(self, agent: Agent, *, timeout_s: float = DRAIN_TIMEOUT_S) -> Drained:
        """Let an agent finish what it has and take nothing new, and return when it has stopped.

        Until then it is given messages of the conversations in which it takes part, and what is for its capabilities
        goes to others. It stops when nothing waits for it and no conversation with it is active: of one in a protocol
        its own lines count, any other is active until its time is over. It stops at `timeout_s` at the latest, up to a
        day. It goes on over restarts, and where nobody waits for it. Draining it again sets another timeout. Raises
        InvalidStateTransition for an agent that has stopped or failed, AgentNotFound for one that is removed meanwhile.
        """
        await self.stop(agent, drain=True, timeout_s=timeout_s)
        loop = asyncio.get_running_loop()
        until_s, pause_s = loop.time() + timeout_s + CALL_TIMEOUT_S, _FIRST_LOOK_S
        while True:
            view = await self._looked_at(agent, until_s)
            if view is not None and view.state != "draining":
                return Drained(
                    agent_id=view.id,
                    messages=view.counters.get("messages_left", 0),
                    conversations=view.counters.get("conversations_left", 0),
                )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_LOOK_S)
            if loop.time() > until_s:
                raise Timeout(f"the end of the drain of {agent}", timeout_s)

    async def _looked_at(self, agent: Agent, until_s: float) -> AgentView | None:
        """Return an agent, or None while its worker is being restarted and the time is not up."""
        try:
            return await self.inspect(agent)
        except (ShardUnavailable, NetworkError, Timeout):
            if self._reach().over is not None or asyncio.get_running_loop().time() > until_s:
                raise
            return None
