"""What peers tell each other beside the data: the state of links, calls and their answers, and the supervisor's word.

Every control frame names its source with its mark, like a data frame. Link states are cumulative and repeated, so a
lost one stalls nothing; calls are answered once or time out at the caller.
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id
from caxton.placement.slot_table import SlotTable
from caxton.wire.audit import AuditHead
from caxton.wire.calls import Request, Result, Sequence
from caxton.wire.capable import Capable, Subscribe
from caxton.wire.condition import WELL, Condition
from caxton.wire.events import MAX_SAID, EventView
from caxton.wire.link_state import LinkState, Mark

# Of a call that brings what an attached agent has sent; every other control frame is a small one.
MAX_CONTROL_BYTES = 16 << 20


class Hello(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """A peer's first word: it is there, it listens, and this is what it last took from the other on the durable lane.

    file: the store of the source, whose durable sequences belong to it; a session's is its own number. of_file: the
    store of the target that `taken` speaks of, 0 while the source does not know it. taken_bytes: what the source has
    counted of the target's payload in this incarnation, for the byte credit.
    """

    source: Id
    mark: Mark
    target: Id
    file: Id
    of_file: Id
    taken: Sequence
    taken_bytes: Sequence
    answer_wanted: bool


class Call(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """A request to a worker; the answer carries the same `call_id`.

    timeout_ms: for how long the caller waits for it, 0 if that is not said.
    """

    source: Id
    mark: Mark
    target: Id
    call_id: Sequence
    request: Request
    timeout_ms: Sequence = 0


class Answer(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """What came of a call."""

    source: Id
    mark: Mark
    target: Id
    call_id: Sequence
    result: Result


class Topology(msgspec.Struct, array_like=True, tag=5, frozen=True):
    """The supervisor's word to workers and clients: who owns which slot, and which incarnation serves each shard.

    `incarnations[shard]` is 0 while the shard has no ready worker. `states[shard]` is a word for people.
    """

    source: Id
    mark: Mark
    version: Sequence
    table: SlotTable
    incarnations: list[Id]
    states: list[str]


class SessionEnded(msgspec.Struct, array_like=True, tag=6, frozen=True):
    """The supervisor's word to workers: a client is gone."""

    source: Id
    mark: Mark
    session: Id


class Drain(msgspec.Struct, array_like=True, tag=7, frozen=True):
    """The supervisor's word to workers: take nothing more from sessions (phase 1), or stop (phase 2).

    replaced: another worker follows at once, and durable messages are left to it instead of being refused.
    """

    source: Id
    mark: Mark
    phase: Annotated[int, msgspec.Meta(ge=1, le=2)]
    replaced: bool = False


class LogFrom(msgspec.Struct, array_like=True, tag=12, frozen=True):
    """The supervisor's word to workers: log from this level on, and modules from theirs, as in `logging`."""

    source: Id
    mark: Mark
    level: Annotated[int, msgspec.Meta(ge=0)]
    modules: Annotated[dict[str, int], msgspec.Meta(max_length=16)] = {}


class AskBeat(msgspec.Struct, array_like=True, tag=13, frozen=True):
    """The supervisor's word to workers: send a heartbeat now, with this number in it."""

    source: Id
    mark: Mark
    number: Sequence


class Heartbeat(msgspec.Struct, array_like=True, tag=8, frozen=True):
    """A worker's word to the supervisor: alive, ready or not, draining or not, its counts, and how its shard stands.

    events: what an earlier release said here; they have frames of their own. audit: the head of its file's chain, as it
    is on the disk. asked: the number of the last `AskBeat` that had come by then.
    """

    source: Id
    mark: Mark
    shard: int
    ready: bool
    phase: int
    idle: bool
    counters: Annotated[dict[str, int], msgspec.Meta(max_length=256)]
    condition: Condition = WELL
    events: Annotated[list[EventView], msgspec.Meta(max_length=MAX_SAID + 1)] = []
    audit: AuditHead | None = None
    asked: Sequence = 0


class Happened(msgspec.Struct, array_like=True, tag=11, frozen=True):
    """A worker's word to the supervisor of what happened in its shard, oldest first: each event once."""

    source: Id
    mark: Mark
    shard: int
    events: Annotated[list[EventView], msgspec.Meta(max_length=MAX_SAID + 1)]


FromSupervisor = Topology | SessionEnded | Drain | LogFrom | AskBeat
Control = LinkState | Hello | Call | Answer | FromSupervisor | Heartbeat | Subscribe | Capable | Happened
