"""When a worker has grown beyond what it may hold. Pure: time and sizes come in."""

# A shard that needs more than the limit right after its start would else be restarted without end.
_APART_S = 30.0


class MemoryLimit:
    """`limit_bytes` of resident memory for each worker, None for no limit."""

    def __init__(self, limit_bytes: int | None) -> None:
        self.limit_bytes = limit_bytes
        self._last_s: dict[int, float] = {}

    def exceeded(self, shard: int, resident_bytes: int, now_s: float) -> int | None:
        """Return the limit when this shard's worker is beyond it and is to be restarted; at most once in 30 s each."""
        limit = self.limit_bytes
        if limit is None or resident_bytes <= limit or now_s - self._last_s.get(shard, -_APART_S) < _APART_S:
            return None
        self._last_s[shard] = now_s
        return limit
