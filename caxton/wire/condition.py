"""How a shard stands, in plain numbers and names: what a heartbeat carries, for others to decide what is wrong."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from caxton.delivery.levels import NearLimit

# Names that are told of any group; the rest is a number.
MOST_NAMED = 5
# Limits that are told of a shard because they are near, the fullest first.
MOST_NEAR = 16
Count = Annotated[int, msgspec.Meta(ge=0)]


class Named(msgspec.Struct, array_like=True, frozen=True):
    """Some agents: how many, and the names of the first few."""

    count: Count = 0
    names: Annotated[list[str], msgspec.Meta(max_length=MOST_NAMED)] = []

    @classmethod
    def of(cls, names: Sequence[str]) -> "Named":
        """Return as many names as are told, in order."""
        return cls(len(names), sorted(names)[:MOST_NAMED])


NOBODY = Named()


class Condition(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What may keep a shard from doing what it is asked to. A later field goes to the end, and has a default.

    dead_letters, dead_letter_capacity: how many there are, and may be; 0 for the capacity when the oldest goes instead.
    crowded: agents at their share of these. storage: why nothing durable is taken, or "". refused_ms, commit_ms,
    waiting_ms: for how long that is so, the commit under way takes, and something has waited while no commit was done.
    busy: the agent that had most turns meanwhile. sandboxes: instances, of so many that there may be. held_back: no
    credit is given, so much waits in mailboxes. failed, broken: agents that run no turns, because workers died in
    theirs, or for a while, because their breaker is open. modules_ms: when (ms since 1970) the modules that agents are
    made from were last marked as used, 0 for never. keys, answers: idempotency keys in use, and bytes of their answers.
    calls: of clients, which are being answered. Each with how many there may be. oldest_ms: for how long a message has
    waited that may have its turn. still_ms: for how long there were such and no turn ran, while the worker's loop went
    round; reading_ms: for how long a read of what waits on disk takes. on_disk: what waits there, in KiB, of so much
    that may; full_on_disk: agents for whom more is refused, because as much waits there for them as may for one.
    outbox: what the fullest outbox for another shard holds, of so much that it may; outbox_of: what, for which shard.
    dead_letter_bytes: of contents of dead letters, of so many that may be; 0 for these when the oldest goes instead.
    kept_back: agents that begin nothing new, because so much waits here for a shard that they send to; far: which ones.
    states: bytes of states of all agents, of so many that may be; unsaved: agents whose last state found no room.
    near: limits that are near, looked at about once a second. beyond_share: principals that are refused more.
    """

    dead_letters: Count = 0
    dead_letter_capacity: Count = 0
    crowded: Named = NOBODY
    storage: str = ""
    refused_ms: Count = 0
    commit_ms: Count = 0
    waiting_ms: Count = 0
    busy: str = ""
    sandboxes: Count = 0
    most_sandboxes: Count = 0
    held_back: bool = False
    failed: Named = NOBODY
    broken: Named = NOBODY
    modules_ms: Count = 0
    keys: Count = 0
    most_keys: Count = 0
    answers: Count = 0
    most_answers: Count = 0
    calls: Count = 0
    most_calls: Count = 0
    oldest_ms: Count = 0
    still_ms: Count = 0
    reading_ms: Count = 0
    on_disk: Count = 0
    most_on_disk: Count = 0
    full_on_disk: Named = NOBODY
    outbox: Count = 0
    most_outbox: Count = 0
    outbox_of: str = ""
    dead_letter_bytes: Count = 0
    most_dead_letter_bytes: Count = 0
    kept_back: Named = NOBODY
    far: Named = NOBODY
    states: Count = 0
    most_states: Count = 0
    unsaved: Named = NOBODY
    near: Annotated[list[NearLimit], msgspec.Meta(max_length=MOST_NEAR)] = []
    beyond_share: Named = NOBODY


WELL = Condition()
