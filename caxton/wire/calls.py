"""What a client asks of a worker beside messages, and what the worker answers: one call, one answer.

All of it travels in control frames (`caxton.wire.control`: Call and Answer).
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Envelope, Id, Text, UuidBytes
from caxton.acl.message import Message
from caxton.agents.manifest import MAX_CAPABILITIES, MAX_NAME, Manifest
from caxton.errors.travel import MAX_ITEMS

# So that no frame of agents or manifests comes near the 16 MiB that a socket takes, whatever their capabilities.
MAX_BATCH = 500
# Messages that an attached agent is given at a time, and the payload bytes at which no more are added.
MAX_DELIVERIES, FULL_DELIVERIES_BYTES = 256, 1 << 20
# How long an exchange may wait for messages before it is answered with none, in milliseconds.
MAX_EXCHANGE_WAIT_MS = 10_000
MAX_FILTER = 200
MAX_FIELDS = 16
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Sequence = Annotated[int, msgspec.Meta(ge=0)]
# All that the fields of an error hold: nothing nests, so nothing that a stranger builds is deep or costly to hash. And
# nothing is long: a map of 15 MB takes a second to decode, before anybody knows what it is for.
FieldValue = str | int | float | bool | Annotated[list[str], msgspec.Meta(max_length=MAX_ITEMS)] | None
Fields = Annotated[dict[str, FieldValue], msgspec.Meta(max_length=MAX_FIELDS)]


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
    """Let an agent take no more messages. What waits for it is handled first (`drain`), or goes to the dead letters."""

    agent_id: Id
    drain: bool = False


class RemoveAgents(msgspec.Struct, array_like=True, tag=14, frozen=True):
    """Stop and forget agents, their names included; what waits for them goes to the dead letters."""

    agent_ids: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class PauseAgent(msgspec.Struct, array_like=True, tag=15, frozen=True):
    """Let an agent run no turn until it is resumed; what is sent to it waits."""

    agent_id: Id


class ResumeAgent(msgspec.Struct, array_like=True, tag=16, frozen=True):
    """Let an agent that was paused, or that failed, run again."""

    agent_id: Id


class Attach(msgspec.Struct, array_like=True, tag=17, frozen=True):
    """Let this session run the turns of an agent, which is registered if there is none of that name.

    Answered with the agent's view. An agent that another living session runs is refused. again: this client attached it
    before, so that one which is not there was removed, and is not registered.
    """

    name: Name
    capabilities: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CAPABILITIES)] = ()
    mailbox_capacity: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    again: bool = False


class Detach(msgspec.Struct, array_like=True, tag=18, frozen=True):
    """Let this session run the turns of an agent no longer; what was given to it and has not ended waits again."""

    agent_id: Id


class Ended(msgspec.Struct, array_like=True, frozen=True):
    """The end of one delivery: what the handler sent, in order; or its error, and then nothing is sent."""

    delivery: Sequence
    messages: Annotated[list[Envelope], msgspec.Meta(max_length=256)] = []
    error: Text | None = None


class Exchange(msgspec.Struct, array_like=True, tag=19, frozen=True):
    """Give back what the handler of an attached agent has ended, and ask for up to `most` messages.

    Everything given to this session before and not among `ended` goes back to the front of the mailbox. Answered with
    Deliveries when what ended is committed and there is a message, or `wait_ms` have passed.
    """

    agent_id: Id
    ended: Annotated[list[Ended], msgspec.Meta(max_length=MAX_DELIVERIES)]
    most: Annotated[int, msgspec.Meta(ge=0, le=MAX_DELIVERIES)]
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_EXCHANGE_WAIT_MS)]


class DeadLetterFilter(msgspec.Struct, array_like=True, frozen=True):
    """Which dead letters: every field that is set must fit. before: dead before this moment, in ms since 1970."""

    reason: Annotated[str, msgspec.Meta(max_length=MAX_FILTER)] | None = None
    receiver: Id | None = None
    sender: Id | None = None
    before: Sequence | None = None
    ids: Annotated[list[Sequence], msgspec.Meta(max_length=MAX_BATCH)] | None = None


class ListDeadLetters(msgspec.Struct, array_like=True, tag=30, frozen=True):
    """List dead letters of this shard, oldest first, after the number `after`; with content only if asked."""

    which: DeadLetterFilter
    after: Sequence = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_BATCH)] = MAX_BATCH
    with_content: bool = False


class RequeueDeadLetters(msgspec.Struct, array_like=True, tag=31, frozen=True):
    """Send dead letters again, each under a new id with no attempts: at most 500 a call, oldest first."""

    which: DeadLetterFilter


class PurgeDeadLetters(msgspec.Struct, array_like=True, tag=32, frozen=True):
    """Forget dead letters for good: at most 500 a call, oldest first."""

    which: DeadLetterFilter


class AskDeadLetterStats(msgspec.Struct, array_like=True, tag=33, frozen=True):
    """Ask how many dead letters there are, why, how old and how large."""


class AskLedger(msgspec.Struct, array_like=True, tag=34, frozen=True):
    """Ask for the books of this shard's durable lane, as its file has them."""


Request = (
    Deploy
    | ListAgents
    | Inspect
    | StopAgent
    | RemoveAgents
    | PauseAgent
    | ResumeAgent
    | Attach
    | Detach
    | Exchange
    | ListDeadLetters
    | RequeueDeadLetters
    | PurgeDeadLetters
    | AskDeadLetterStats
    | AskLedger
)


class Failed(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """An error of `caxton.errors`, by name and fields."""

    error: Text
    fields: Fields


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


class Delivery(msgspec.Struct, array_like=True, frozen=True):
    """One message for an attached agent. attempts: 2 and more mean that it may have been handled before."""

    delivery: Sequence
    attempts: Sequence
    message: Envelope


class Deliveries(msgspec.Struct, array_like=True, tag=25, frozen=True):
    """What an attached agent is to handle now; `not_sent`: why messages of its last turns were not sent."""

    deliveries: list[Delivery]
    not_sent: list[Failed] = []


class DeadLetter(msgspec.Struct, array_like=True, frozen=True):
    """A message that came to nothing, and why.

    number: of this shard's; `id` names it in the runtime. reason: as in `caxton.delivery.dead_letter`. died_at: ms
    since 1970. content_bytes: its size; the message's content is empty unless it was asked for. requeued_from: the
    number of the dead letter that it was before.
    """

    number: Sequence
    shard: int
    reason: str
    error: Failed
    attempts: int
    died_at: Sequence
    content_bytes: int
    envelope: Envelope
    requeued_from: Sequence | None = None

    @property
    def id(self) -> str:
        """Its name in commands and calls: `shard-number`, such as 0-17."""
        return f"{self.shard}-{self.number}"

    @property
    def message(self) -> Message:
        """What was to be delivered."""
        return Message.of(self.envelope)


class DeadLetters(msgspec.Struct, array_like=True, tag=26, frozen=True):
    """A page of dead letters."""

    letters: list[DeadLetter]
    more: bool


class DeadLetterStats(msgspec.Struct, array_like=True, tag=27, frozen=True):
    """Of one shard. oldest_died_at: ms since 1970, None when there are none."""

    total: int
    by_reason: dict[str, int]
    oldest_died_at: int | None
    size_bytes: int
    capacity: int
    evicted: int


class Requeued(msgspec.Struct, array_like=True, tag=28, frozen=True):
    """The new message ids by the numbers of the dead letters that they were; `more`: others fit the filter too."""

    message_ids: dict[int, UuidBytes]
    more: bool


class Purged(msgspec.Struct, array_like=True, tag=29, frozen=True):
    """How many dead letters are forgotten; `more`: others fit the filter too."""

    count: int
    more: bool


class ShardLedger(msgspec.Struct, array_like=True, tag=40, frozen=True):
    """The books of one shard's durable lane, read in one transaction; see `caxton.store.ledger`.

    file: the store's id. counts: the counters, by their names. pending: messages counted in the rows of the store.
    outbox: messages counted in the outbox, by target (a shard's number, or a session). dead_letters: rows. emitted,
    acknowledged: the last sequence by target. taken: by source file. rows: rows by table, of tables that no message is
    counted in.
    """

    shard: int
    file: int
    counts: dict[str, int]
    pending: int
    outbox: dict[int, int]
    dead_letters: int
    emitted: dict[int, int]
    acknowledged: dict[int, int]
    taken: dict[int, int]
    rows: dict[str, int] = {}


Result = (
    Failed
    | AgentView
    | Deployed
    | Agents
    | Done
    | Deliveries
    | DeadLetters
    | DeadLetterStats
    | Requeued
    | Purged
    | ShardLedger
)
