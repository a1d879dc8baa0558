"""The limits that are near, of all shards and of the runtime itself: what health shows, and what is told once."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from caxton.delivery.levels import Level, Nearing, NearLimit
from caxton.supervisor import events
from caxton.supervisor.desk.reasons import ShardSeen
from caxton.supervisor.events import Event
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.told import LimitWarning


class NearLimits:
    """Owned by the supervisor, which looks often. tell: told of each limit once it is near."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._own = Nearing()
        self._known: set[tuple[int | None, str, str, int]] = set()

    def look(
        self, shards: Sequence[ShardSeen], own: Sequence[Level], now_ms: int, gateway: Sequence[NearLimit] = ()
    ) -> list[LimitWarning]:
        """Take in what shards and the gateway say, and how full the runtime itself is (now: ms since 1970).

        Returns what is near.
        """
        levels, _ = self._own.look(chain(own, _memory(shards)), now_ms)
        found = [_warning(None, near) for near in (*levels, *gateway)]
        for shard in shards:
            if shard.state is ShardState.READY:
                found += [_warning(shard.number, near) for near in shard.condition.near]
        known = self._known
        self._known = {_key(one) for one in found}
        for one in found:
            if _key(one) not in known:
                self._tell(events.limit_near(one))
        return found


def _memory(shards: Sequence[ShardSeen]) -> Iterator[Level]:
    for shard in shards:
        yield Level("memory", shard.resident_bytes, shard.memory_limit or 0, f"the worker of shard {shard.number}")


def _warning(shard: int | None, near: NearLimit) -> LimitWarning:
    return LimitWarning(near.limit, shard, near.whose, near.have, near.most, near.text, near.since_ms)


def _key(one: LimitWarning) -> tuple[int | None, str, str, int]:
    return one.shard, one.limit, one.whose, one.since
