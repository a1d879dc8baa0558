"""How a conversation stands, and how the views of several shards become one."""

from enum import IntEnum


class State(IntEnum):
    """From its first message to its end. Of two shards' states the higher one holds."""

    INITIATED = 0
    IN_PROGRESS = 1
    EXPIRED = 2
    FAILED = 3
    COMPLETED = 4

    @property
    def told(self) -> str:
        """Its name for people and programs."""
        return _TOLD[self]

    @property
    def is_end(self) -> bool:
        """True where nothing more is said, unless somebody resumes it."""
        return self >= State.EXPIRED


_TOLD = ("initiated", "in progress", "expired", "failed", "completed")
TOLD_STATES: tuple[str, ...] = _TOLD
