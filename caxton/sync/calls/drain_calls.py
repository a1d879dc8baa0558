"""`caxton.client.calls.drain_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from caxton.client.calls.agent_calls import DRAIN_TIMEOUT_S
from caxton.client.calls.drain_calls import Drained
from caxton.client.connection import Agent
from caxton.sync.calls.agent_calls import AgentCalls


class DrainCalls(AgentCalls):
    """`drain`."""

    def drain(self, agent: Agent, *, timeout_s: float = DRAIN_TIMEOUT_S) -> Drained:
        """Let an agent finish what it has and take nothing new, and return when it has stopped.

        Until then it is given messages of the conversations in which it takes part, and what is for its capabilities
        goes to others. It stops when nothing waits for it and no conversation with it is active: of one in a protocol
        its own lines count, any other is active until its time is over. It stops at `timeout_s` at the latest, up to a
        day. It goes on over restarts, and where nobody waits for it. Draining it again sets another timeout. Raises
        InvalidStateTransition for an agent that has stopped or failed, AgentNotFound for one that is removed meanwhile.
        """
        return self._run(self._client.drain(agent, timeout_s=timeout_s))
