"""What peers tell each other beside the data: the state of links, calls and their answers, and the supervisor's word.

Every control frame names its source with its mark, like a data frame. Link states are cumulative and repeated, so a
lost one stalls nothing; calls are answered once or time out at the caller.
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id, Text
from caxton.agents.manifest import MAX_NAME, Manifest
from caxton.placement.slot_table import SlotTable
from caxton.wire.frames import Mark

MAX_REFUSALS = 256
MAX_FULL = 4_096
# So that no frame of agents or manifests comes near the 16 MiB that a socket takes, whatever their capabilities.
MAX_BATCH = 500
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Sequence = Annotated[int, msgspec.Meta(ge=0)]
# All that the fields of an error hold: nothing nests, so nothing that a stranger builds is deep or costly to hash.
FieldValue = str | int | float | bool | list[str] | None


class Refusal(msgspec.Struct, array_like=True, frozen=True):
    """Why `count` messages from `sequence` on were not placed: an error of `caxton.errors`, by name and fields."""

    sequence: Sequence
    count: Annotated[int, msgspec.Meta(ge=1)]
    error: Text
    fields: dict[str, FieldValue]


class LinkState(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """Both directions between two peers, as the source sees them. `number` grows; an older state is ignored.

    Of what the source receives: `taken` (every sequence up to it was placed or is in `refusals`), credit as the last
    sequence and the byte total the other may reach, the oldest unconfirmed refusals (numbered from `refusals_from`),
    and the agents that the other fed and that have no room. Of what it sends: the last sequence emitted (0 while it
    waits for no word of the other), and how many of the other's refusals it has seen.
    """

    source: Id
    mark: Mark
    target: Id
    number: Sequence
    taken: Sequence
    credit_messages: Sequence
    credit_bytes: Sequence
    refusals_from: Sequence
    refusals: Annotated[list[Refusal], msgspec.Meta(max_length=MAX_REFUSALS)]
    full: Annotated[list[Id], msgspec.Meta(max_length=MAX_FULL)]
    emitted: Sequence
    refusals_seen: Sequence


class Hello(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """A peer's first word: it is there, it listens, and this is what it last took from the other."""

    source: Id
    mark: Mark
    target: Id
    taken: Sequence
    answer_wanted: bool


class Deploy(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """Register agents of this shard: each of them, or its error."""

    manifests: Annotated[list[Manifest], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class ListAgents(msgspec.Struct, array_like=True, tag=11, frozen=True):
    """List agents of this shard in the order of their names, after `after`, at most `limit`."""

    after: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_BATCH)] = MAX_BATCH


class Inspect(msgspec.Struct, array_like=True, tag=12, frozen=True):
    """Tell all about one agent."""

    agent_id: Id


class StopAgent(msgspec.Struct, array_like=True, tag=13, frozen=True):
    """Let an agent take no more messages; what waits for it is refused to its senders."""

    agent_id: Id


class RemoveAgents(msgspec.Struct, array_like=True, tag=14, frozen=True):
    """Stop and forget agents, their names included."""

    agent_ids: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


Request = Deploy | ListAgents | Inspect | StopAgent | RemoveAgents


class Call(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """A request to a worker; the answer carries the same `call_id`."""

    source: Id
    mark: Mark
    target: Id
    call_id: Sequence
    request: Request


class Failed(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """An error of `caxton.errors`, by name and fields."""

    error: Text
    fields: dict[str, FieldValue]


class AgentView(msgspec.Struct, array_like=True, frozen=True, tag=21):
    """One agent as its shard sees it. Counters count since the worker started."""

    agent_id: Id
    name: Name
    state: str
    shard: int
    encoding: str
    capabilities: tuple[str, ...]
    limits: dict[str, int]
    module: bytes
    instantiated: bool
    queued: int
    counters: dict[str, int]


class Deployed(msgspec.Struct, array_like=True, tag=22, frozen=True):
    """The result of a `Deploy`: an error for each manifest that was refused, by its place in the list."""

    refused: dict[int, Failed]


class Agents(msgspec.Struct, array_like=True, tag=23, frozen=True):
    """A page of agents."""

    agents: list[AgentView]
    more: bool


class Done(msgspec.Struct, array_like=True, tag=24, frozen=True):
    """It is done; `refused` as in `Deployed`."""

    refused: dict[int, Failed] = {}


Result = Failed | AgentView | Deployed | Agents | Done


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
    """The supervisor's word to workers: take nothing more from sessions (phase 1), or stop (phase 2)."""

    source: Id
    mark: Mark
    phase: Annotated[int, msgspec.Meta(ge=1, le=2)]


class Heartbeat(msgspec.Struct, array_like=True, tag=8, frozen=True):
    """A worker's word to the supervisor: alive, ready or not, draining or not, and its counts."""

    source: Id
    mark: Mark
    shard: int
    ready: bool
    phase: int
    idle: bool
    counters: dict[str, int]


Control = LinkState | Hello | Call | Answer | Topology | SessionEnded | Drain | Heartbeat
