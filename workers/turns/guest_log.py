"""What guests write through `caxton_v1.log`: kept for whoever asks, and written to this process's log, not too fast."""

import logging
from time import monotonic

from caxton.acl.envelope import Envelope
from caxton.acl.trace_context import read
from caxton.ids import MessageId
from workers.agents.registry import Agent
from workers.turns.traced import context_of
from workers.watching.logs import Logs

LINES_PER_S = 200
# What the sandbox hands over: 0 debug, 1 info, 2 warning, 3 error (docs/abi.md).
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
_log = logging.getLogger("caxton.guest")


class GuestLog:
    """Writes at most 200 lines a second for all agents together. Each agent counts its lines and what is dropped.

    What is kept in `logs` has bounds of its own.
    """

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._second = 0
        self._lines = 0

    def write(self, agent: Agent, level: int, line: str | None, handled: Envelope, wall_ms: int) -> bool:
        """Write a line, bounded and escaped by the sandbox. Levels: 0 debug, 1 info, 2 warning, 3 error.

        False when it is dropped here. None is a line that the sandbox dropped, beyond the quota of its turn.
        """
        agent.count("log_lines")
        self._logs.write(agent.agent_id, level, line, handled.message_id, wall_ms)
        if line is None:
            agent.count("log_dropped")
            return False
        second = int(monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > LINES_PER_S:
            agent.count("log_dropped")
            return False
        about = {"agent": agent.manifest.name, "message_id": str(MessageId(handled.message_id))}
        if context := context_of(handled):
            about["trace_id"] = read(context).trace
        _log.log(_LEVELS[level], "%s: %s", agent.manifest.name, line, extra=about)
        return True
