"""Restarts that somebody asked for: one shard after the other, so that the rest serves meanwhile."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from caxton.errors import ConfigurationError
from caxton.supervisor import events
from caxton.supervisor.events import Event
from caxton.supervisor.workforce.shard import Shard, ShardState


@dataclass
class _Turn:
    """One shard that is to get a new worker. replaces: the incarnation that served when it was asked for, or 0."""

    shard: Shard
    replaces: int
    begun: bool = False

    @property
    def over(self) -> bool:
        """True when the shard serves under a new incarnation, or was tried and given up."""
        if not self.shard.settled:
            return False
        return self.begun or self.shard.incarnation not in {0, self.replaces}


class PlannedRestarts:
    """Has at most one shard without a worker at a time. `patience_s`: how long a worker may finish what it has."""

    def __init__(self, shards: Sequence[Shard], patience_s: float, tell: Callable[[Event], None]) -> None:
        self._shards = shards
        self._patience_s = patience_s
        self._tell = tell
        self._turns: deque[_Turn] = deque()
        self._all = False

    @property
    def left(self) -> list[int]:
        """The shards whose restart has not ended yet, in order."""
        return [turn.shard.number for turn in self._turns]

    def ask_all(self) -> None:
        """Restart every worker, and try shards again that were given up.

        Raises ConfigurationError while such a restart is under way.
        """
        if self._all:
            left = ", ".join(map(str, self.left))
            raise ConfigurationError(
                "a restart", f"one is under way already (shards {left} are to come)", "wait for it; see `caxton health`"
            )
        self._all = True
        for shard in self._shards:
            self.ask(shard)
        self._tell(events.restart_began(self.left))

    def ask(self, shard: Shard) -> None:
        """Restart one shard's worker; once is enough."""
        if shard.number not in self.left:
            self._turns.append(_Turn(shard, shard.incarnation))

    def step(self) -> None:
        """Go on with what can be gone on with."""
        while self._turns:
            turn = self._turns[0]
            if not turn.over:
                _begin(turn, self._patience_s)
                return
            self._turns.popleft()
        if self._all:
            self._all = False
            absent = [shard.number for shard in self._shards if shard.state is not ShardState.READY]
            self._tell(events.restart_ended(absent))

    def forget(self) -> None:
        """Restart nobody else: the runtime drains."""
        self._turns.clear()
        self._all = False


def _begin(turn: _Turn, patience_s: float) -> None:
    """Begin, unless the shard is between two workers of its own accord."""
    if turn.begun or not turn.shard.settled:
        return
    turn.begun = True
    if turn.shard.state is ShardState.READY:
        turn.shard.retire(patience_s)
    else:
        turn.shard.revive()
