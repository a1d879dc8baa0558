"""What a worker answers about its dead letters, beside the letters themselves (`caxton.wire.calls`)."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import UuidBytes

_Number = Annotated[int, msgspec.Meta(ge=0)]


class DeadLetterFigures(msgspec.Struct, array_like=True, tag=27, frozen=True):
    """Of one shard; `caxton.wire.told` has those of all. oldest_died_at: ms since 1970, None when there are none."""

    total: int
    by_reason: dict[str, int]
    oldest_died_at: int | None
    size_bytes: int
    capacity: int
    evicted: int


class Requeued(msgspec.Struct, array_like=True, tag=28, frozen=True):
    """The new message ids by the numbers of the dead letters that they were; `more`: others fit the filter too.

    up_to: the last number that was given when the filter came, or its own `up_to`: whoever goes on asks up to there.
    """

    message_ids: dict[int, UuidBytes]
    more: bool
    up_to: _Number = 0


class Purged(msgspec.Struct, array_like=True, tag=29, frozen=True):
    """How many dead letters are forgotten; `more`: others fit the filter too. up_to: as of `Requeued`."""

    count: int
    more: bool
    up_to: _Number = 0
