"""What a client asks of a worker beside messages, and what the worker answers: one call, one answer.

All of it travels in control frames (`caxton.wire.control`: Call and Answer).
"""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Envelope, Id, Text, UuidBytes
from caxton.acl.message import Message
from caxton.acl.order import HandlerOrder, Order
from caxton.agents.limits import MAX_STATE
from caxton.agents.manifest import DEFAULT_WEIGHT, MAX_CAPABILITIES, MAX_WEIGHT, Manifest
from caxton.agents.names import MAX_NAME
from caxton.errors.travel import MAX_ITEMS
from caxton.ids import AgentId
from caxton.wire.audit import AuditPage, ReadAudit
from caxton.wire.backup import BackupRequest, CopyState
from caxton.wire.busy import AskBusiest, Busiest
from caxton.wire.call_graph import CallGraphRequest, CallGraphResult
from caxton.wire.capability_calls import Among, Capabilities, CapabilityRequest
from caxton.wire.conversations import ConversationRequest, ConversationResult
from caxton.wire.dead_letter_results import DeadLetterFigures, Purged, Requeued
from caxton.wire.delivery import AskSeal, Delivery, Sealed
from caxton.wire.kept import FindMessage, KeptMessages, ListKept
from caxton.wire.members import MemberView
from caxton.wire.records import ReadRecords, RecordPage
from caxton.wire.shard_ledger import ShardLedger
from caxton.wire.spans import SpanPage, SpanRequest
from caxton.wire.watching import WatchRequest, WatchResult

# So that no frame of agents or manifests comes near the 16 MiB that a socket takes, whatever their capabilities.
MAX_BATCH = 500
# Messages that an attached agent is given at a time, and the payload bytes at which no more are added.
MAX_DELIVERIES, FULL_DELIVERIES_BYTES = 256, 1 << 20
# Keys of messages that an attached agent may have under way at once, and so the messages that it may have in all.
MAX_CONCURRENCY = 1_024
MAX_HELD = MAX_CONCURRENCY + MAX_DELIVERIES
# A program that is silent for so long loses what it has.
LEASE_S = 30
# How long an exchange may wait for messages before it is answered with none, in milliseconds.
MAX_EXCHANGE_WAIT_MS = 10_000
# How long an agent may drain when it is not said, and at most, in milliseconds.
DEFAULT_DRAIN_MS, MAX_DRAIN_MS = 600_000, 86_400_000
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
    """List agents of this shard in the order of their names, after `after`, at most `limit`.

    name: only those whose names fit this pattern (`caxton.agents.names`). state: only those in this state. among: only
    those whose names fit one of these.
    """

    after: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_BATCH)] = MAX_BATCH
    name: Name | None = None
    state: Annotated[str, msgspec.Meta(max_length=MAX_FILTER)] | None = None
    among: Among = ()


class Inspect(msgspec.Struct, array_like=True, tag=12, frozen=True):
    """Tell all about one agent."""

    agent_id: Id


class StopAgent(msgspec.Struct, array_like=True, tag=13, frozen=True):
    """Let an agent take no more messages: what it has is finished first (`drain`, up to `drain_ms`), or ends."""

    agent_id: Id
    drain: bool = False
    drain_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_DRAIN_MS)] = DEFAULT_DRAIN_MS


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

    Answered with the agent's view. An agent that another living session runs is refused, or taken over (`replace`).
    again: this client attached it before, so that one which is not there was removed, and is not registered. group:
    sessions that attach it with the same order share it, and keep that order between them; None: one has it alone.
    """

    name: Name
    capabilities: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CAPABILITIES)] = ()
    mailbox_capacity: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1_000
    again: bool = False
    escalate_to: Name | None = None
    replace: bool = False
    weight: Annotated[int, msgspec.Meta(ge=1, le=MAX_WEIGHT)] = DEFAULT_WEIGHT
    group: HandlerOrder | None = None


class Detach(msgspec.Struct, array_like=True, tag=18, frozen=True):
    """Let this session run the turns of an agent no longer; what was given to it and has not ended waits again."""

    agent_id: Id


class Ended(msgspec.Struct, array_like=True, frozen=True):
    """The end of one delivery: what the handler sent, in order; or its error, and then nothing is sent.

    state: what the agent's state is from then on, committed with this; None when it stays as it is.
    """

    delivery: Sequence
    messages: Annotated[list[Envelope], msgspec.Meta(max_length=256)] = []
    error: Text | None = None
    state: Annotated[bytes, msgspec.Meta(max_length=MAX_STATE)] | None = None


class Exchange(msgspec.Struct, array_like=True, tag=19, frozen=True):
    """Give back what the handler of an attached agent has ended, tell what it has still, and ask for more.

    Of what was given to this session up to the number `seen` (None: all of it) only what is `kept` stays with it; the
    rest goes back to the front of the mailbox, and what is `returned` was never begun. Answered with Deliveries when
    what ended is committed and there is a message, or `wait_ms` have passed. Up to `most` messages are given at a time:
    under way are at most so many that they have `concurrency` keys (`caxton.acl.order`), and `most` beside the first of
    each of these.
    wants_state: the program does not know the agent's state, as of what ended. wants_seals: its handlers send, while
    they run, what follows from what they handle. until_ms: how long whoever asks waits, in ms of the machine's
    monotonic clock; 0 is as long as it takes. What is volatile and given to who has given up would be lost.
    """

    agent_id: Id
    ended: Annotated[list[Ended], msgspec.Meta(max_length=MAX_DELIVERIES)]
    most: Annotated[int, msgspec.Meta(ge=0, le=MAX_DELIVERIES)]
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_EXCHANGE_WAIT_MS)]
    kept: Annotated[list[Sequence], msgspec.Meta(max_length=MAX_HELD)] = []
    returned: Annotated[list[Sequence], msgspec.Meta(max_length=MAX_HELD)] = []
    seen: Sequence | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=MAX_CONCURRENCY)] = 1
    order: Order = "all"
    wants_state: bool = False
    wants_seals: bool = False
    until_ms: Sequence = 0


class DeadLetterFilter(msgspec.Struct, array_like=True, frozen=True):
    """Which dead letters: every field that is set must fit. before: dead before this moment, in ms since 1970.

    up_to: those with numbers up to this one of the shard. Whoever dies later has a larger one, whatever clocks say.
    """

    reason: Annotated[str, msgspec.Meta(max_length=MAX_FILTER)] | None = None
    receiver: Id | None = None
    sender: Id | None = None
    before: Sequence | None = None
    ids: Annotated[list[Sequence], msgspec.Meta(max_length=MAX_BATCH)] | None = None
    message_id: UuidBytes | None = None
    up_to: Sequence | None = None


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
    | AskSeal
    | ListDeadLetters
    | RequeueDeadLetters
    | PurgeDeadLetters
    | AskDeadLetterStats
    | AskLedger
    | FindMessage
    | ListKept
    | CapabilityRequest
    | ConversationRequest
    | WatchRequest
    | SpanRequest
    | ReadRecords
    | BackupRequest
    | AskBusiest
    | CallGraphRequest
    | ReadAudit
)


class Failed(msgspec.Struct, array_like=True, tag=20, frozen=True):
    """An error of `caxton.errors`, by name and fields."""

    error: Text
    fields: Fields


class AgentView(msgspec.Struct, array_like=True, frozen=True, tag=21):
    """One agent as its shard sees it; calls take it for the agent. Counters count since the worker started.

    state: running, attached, detached, paused, draining, failed or stopped. module: the sha256 of its module.
    instantiated: whether it has an instance in memory. queued: messages that wait for it.
    oldest_ms: for how long the message has waited in memory that has waited longest for it. weight, health: as in
    `caxton.agents.manifest`. is_healthy: whether it is a candidate for messages to its capabilities now. conversations:
    how many it takes part in that are active. drains_for_ms: for how long it may still drain, 0 for one that does not.
    members: of the group of programs that share it. version, system: as its deployment says; "" for none.
    """

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
    escalate_to: str | None = None
    oldest_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    weight: int = DEFAULT_WEIGHT
    health: str = "auto"
    is_healthy: bool = True
    conversations: Annotated[int, msgspec.Meta(ge=0)] = 0
    drains_for_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    members: tuple[MemberView, ...] = ()
    version: str = ""
    system: str = ""

    @property
    def id(self) -> AgentId:
        """Its id."""
        return AgentId(self.agent_id)


class Found(msgspec.Struct, array_like=True, tag=65, frozen=True):
    """Agents that were looked up, each in its place; None where there is none."""

    views: list[AgentView | None]


class Deployed(msgspec.Struct, array_like=True, tag=22, frozen=True):
    """The result of a `Deploy`: an error for each manifest that was refused, by its place in the list."""

    refused: dict[int, Failed]


class Agents(msgspec.Struct, array_like=True, tag=23, frozen=True):
    """A page of agents. more: there may be others after the name `after`, also where none of these was wanted.

    total: how many agents this shard has, wanted or not.
    """

    agents: list[AgentView]
    more: bool
    after: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    total: Annotated[int, msgspec.Meta(ge=0)] = 0


class Done(msgspec.Struct, array_like=True, tag=24, frozen=True):
    """It is done; `refused` as in `Deployed`."""

    refused: dict[int, Failed] = {}


class Deliveries(msgspec.Struct, array_like=True, tag=25, frozen=True):
    """What an attached agent is to handle now.

    not_sent: why messages of its last turns were not sent. last: the highest number that was ever given; what the
    program has not heard of up to there was in an answer that is lost. before: the highest number that the program was
    given before and has not ended; if it has not heard of that, what it was given there comes before this. state: the
    agent's, if that was asked for; empty where it has none.
    """

    deliveries: list[Delivery]
    not_sent: list[Failed] = []
    last: Sequence = 0
    before: Sequence = 0
    state: bytes | None = None


class DeadLetter(msgspec.Struct, array_like=True, frozen=True):
    """A message that came to nothing, and why.

    number: of this shard's; `id` names it in the runtime. reason: as in `caxton.delivery.dead_letter`. died_at: ms
    since 1970. content_bytes: its size; the message's content is empty unless it was asked for. requeued_from: the
    number of the dead letter that it was before. retry_reasons: why each attempt failed, in order, as in
    `caxton.delivery.retry_reason`; empty for what was never tried, or died before this was kept.
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
    retry_reasons: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ITEMS)] = ()

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


Result = (
    Failed
    | AgentView
    | Deployed
    | Agents
    | Done
    | Deliveries
    | Sealed
    | DeadLetters
    | DeadLetterFigures
    | Requeued
    | Purged
    | ShardLedger
    | KeptMessages
    | Capabilities
    | Found
    | ConversationResult
    | WatchResult
    | CopyState
    | Busiest
    | CallGraphResult
    | SpanPage
    | RecordPage
    | AuditPage
)
