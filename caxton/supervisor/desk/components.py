"""What is told of each part of the runtime: how it is, when it was looked at, and what was wrong in this run."""

from collections import Counter
from collections.abc import Sequence

from caxton.supervisor.desk.reasons import PROBLEM, ShardSeen
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.told import ComponentHealth, HealthReason

# Parts beside the shards, and how the reasons begin that are theirs.
_OTHERS = {"compiler": "compiler_", "files": "files_", "clients": "clients_"}
_GATEWAY = {"gateway": "gateway_"}
# Of what comes and goes as it should; the deaths of workers are counted by themselves.
_PASSING = {"shard_starting", "shard_restarting", "shard_draining", "compiler_starting"}


class Components:
    """Keeps what began. Owned by the supervisor, which looks often. last_error: the last there was, of any of them.

    has_gateway: whether there is to be one.
    """

    def __init__(self, *, has_gateway: bool = False) -> None:
        self._others = _OTHERS | _GATEWAY if has_gateway else _OTHERS
        self.last_error: str | None = None
        self._problems: set[tuple[str, str]] = set()
        self._began: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._restarts: dict[int, int] = {}

    def look(
        self, shards: Sequence[ShardSeen], reasons: Sequence[HealthReason], now_ms: int
    ) -> dict[str, ComponentHealth]:
        """Take in what holds now (ms since 1970), and return every part."""
        problems = [(_part(reason), reason) for reason in reasons if reason.level == PROBLEM]
        for shard in shards:
            if shard.restarts > self._restarts.get(shard.number, 0):
                self._restarts[shard.number] = shard.restarts
                self._note(_name(shard), f"a worker of shard {shard.number} died: {shard.last_exit}")
        for part, reason in problems:
            if reason.name not in _PASSING and (part, reason.name) not in self._problems:
                self._began[part] += 1
                self._note(part, reason.text)
        self._problems = {(part, reason.name) for part, reason in problems}
        ill = {part for part, _ in problems}
        found = {_name(shard): self._of_shard(shard, ill, now_ms) for shard in shards}
        return found | {
            part: self._told(part, "degraded" if part in ill else "healthy", now_ms) for part in self._others
        }

    def _of_shard(self, shard: ShardSeen, ill: set[str], now_ms: int) -> ComponentHealth:
        name = _name(shard)
        if shard.state is not ShardState.READY:
            return self._told(name, "unhealthy", now_ms, shard.restarts)
        status = "degraded" if name in ill else "healthy"
        return self._told(name, status, now_ms - shard.silent_ms, shard.restarts)

    def _told(self, part: str, status: str, checked_ms: int, deaths: int = 0) -> ComponentHealth:
        return ComponentHealth(status, checked_ms, self._began[part] + deaths, self._last.get(part))

    def _note(self, part: str, text: str) -> None:
        self._last[part] = self.last_error = text


def _name(shard: ShardSeen) -> str:
    return f"shard {shard.number}"


def _part(reason: HealthReason) -> str:
    if reason.shard is not None:
        return f"shard {reason.shard}"
    return next((part for part, beginning in (_OTHERS | _GATEWAY).items() if reason.name.startswith(beginning)), "")
