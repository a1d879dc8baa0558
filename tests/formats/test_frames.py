"""What processes say to each other: every kind of frame and call, as it was written and as it is written now."""

import typing

import msgspec
import pytest

from caxton.acl.capability import Balancing
from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope, Opening, Rare
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding, Health, Manifest
from caxton.capabilities.candidates import Candidate
from caxton.conversations.summary import Summary
from caxton.conversations.view import ConversationView
from caxton.delivery.levels import NearLimit
from caxton.placement.slot_table import SlotTable
from caxton.protocols import Standing
from caxton.tokens.role import Role
from caxton.wire import calls, control, supervision
from caxton.wire.audit import (
    AccessNote,
    AnchorAudit,
    AuditAnchored,
    AuditHead,
    AuditPage,
    Entry,
    NoteAccess,
    NoteBackup,
    ReadAudit,
    linked,
)
from caxton.wire.backup import CopyShard, CopyState, CopyStep
from caxton.wire.busy import AskBusiest, Busiest, BusyAgent, BusyBy
from caxton.wire.call_graph import AskCallGraph, AskNames, CallGraph, CallPair, Names
from caxton.wire.capability_calls import (
    Advertise,
    Capabilities,
    CapabilityView,
    ListCapabilities,
    ListCapable,
    LookUp,
)
from caxton.wire.capable import Capable, Subscribe, Wanted
from caxton.wire.codec import CONTROL, DATA, PACKED, SUPERVISOR_ANSWER, SUPERVISOR_CALL
from caxton.wire.condition import Condition, Named
from caxton.wire.conversations import (
    AskConversationFigures,
    ConversationFigures,
    Conversations,
    FindConversations,
    ListConversations,
    ResumeConversation,
)
from caxton.wire.delivery import AskSeal, Delivery, Sealed
from caxton.wire.events import EventPage, EventView, ReadEvents
from caxton.wire.frames import DataFrame, PackedFrame
from caxton.wire.kept import FindMessage, KeptMessage, KeptMessages, ListKept
from caxton.wire.link_state import LinkState, Refusal
from caxton.wire.records import ReadRecords, Record, RecordPage
from caxton.wire.shard_ledger import ShardLedger
from caxton.wire.spans import LeaveSpans, LeftSpan, ReadSpans, SpanPage
from caxton.wire.tokens import CreateToken, ListTokens, NewToken, RevokeToken, Tokens, TokenView
from caxton.wire.watching import EndWatch, LogLine, LogPage, ReadLog, Watch, WatchedMessage, WatchPage

SESSION, SHARD, AGENT, OTHER = 1 << 63 | 0x5E55, 7, 0x1EE739EADAAE6CAA, 0x4E23A4A71D626885
MARK, SHA = bytes(range(16)), bytes(range(32))
SPAN = LeftSpan(
    0,
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    7,
    1_767_225_600_000_000_000,
    1_767_225_600_000_000_001,
    1_767_225_600_000_000_002,
    1_767_225_600_000_000_003,
    "failed",
    AGENT,
    "échoes",
    MARK,
    SHA[16:],
    SESSION,
    18,
    5,
    True,
    {"name": "value"},
)
PLAIN = Envelope(bytes(range(1, 17)), 7, SESSION, AGENT, b"hello", created_at=1_767_225_600_000, flags=DURABLE)
FULL = Envelope(
    message_id=bytes(range(16)),
    performative=18,
    sender=AGENT,
    receiver=OTHER,
    content=b"\0content \xff",
    reply_with=bytes(range(16, 32)),
    in_reply_to=bytes(range(32, 48)),
    conversation_id=bytes(range(48, 64)),
    created_at=1_767_225_600_001,
    level=9,
    timeout_ms=300_000,
    flags=DURABLE | AUTOMATIC,
    rare=Rare("en", "utf-8", "shop", "fipa-request", OTHER, 1_767_225_700_000, "00-trace-01", 7, "key é", 12),
)
TO_CAPABLE = msgspec.structs.replace(
    FULL, rare=Rare("en", capability="a\nb", tried=(OTHER,), balancing=Balancing.WEIGHTED)
)
TO_EVERYONE = msgspec.structs.replace(FULL, rare=Rare(capability="a\nb", everyone=256))
FAILED = calls.Failed(
    "QueueFull", {"agent": "echo", "capacity": 3, "wait": 0.5, "again": True, "more": ["a"], "x": None}
)
AUDITED = linked(Entry(1_767_225_600_000, "pause", "token:é", "an agent é"), 77, 8, bytes(range(32)))
EVENT = EventView(
    "agent_drained", "info", "agent é", 1_767_225_600_000, {"left": 3, "of": ["a"]}, 1, "é", AGENT, 7, 1_767_225_000_000
)
TOKEN = TokenView("1f" * 8, "ci é", "sender", ("a*", "b"), 1_767_225_600_000, 1_767_225_900_000, 1_767_225_700_000)
LIMITS = Limits(max_fuel=20_000, mailbox_capacity=1_000)
MANIFEST = Manifest("word counter é", SHA, Encoding.MSGPACK, ("count", "words"), LIMITS)
VIEW = calls.AgentView(
    AGENT,
    "echo",
    "running",
    1,
    "content",
    ("a",),
    {"max_fuel": 20_000},
    SHA,
    instantiated=True,
    queued=2,
    counters={"a": 1},
)
TOPOLOGY = control.Topology(SHARD, MARK, 4, SlotTable.even(2), [11, 0], ["ready", "starting"])
STATE = LinkState(
    SHARD,
    MARK,
    SESSION,
    1,
    5,
    "closed",
    9,
    64,
    1 << 20,
    2,
    [Refusal(3, 2, "QueueFull", {"agent": "echo"})],
    [AGENT],
    8,
    1,
)
WHICH = calls.DeadLetterFilter("expired", AGENT, SESSION, 1_767_225_600_000, [1, 2])
LETTER = calls.DeadLetter(17, 1, "expired", FAILED, 2, 1_767_225_600_000, 10, FULL, 3)
CONDITION = Condition(
    dead_letters=1,
    dead_letter_capacity=2,
    crowded=Named(1, ["a"]),
    storage="full",
    refused_ms=3,
    commit_ms=4,
    waiting_ms=5,
    busy="b",
    sandboxes=6,
    most_sandboxes=7,
    held_back=True,
    failed=Named(2, ["c", "d"]),
    broken=Named(1, ["e"]),
    modules_ms=8,
    keys=9,
    most_keys=10,
    answers=11,
    most_answers=12,
    calls=13,
    most_calls=14,
)
ON_DISK = msgspec.structs.replace(
    CONDITION,
    oldest_ms=15,
    still_ms=16,
    reading_ms=17,
    on_disk=18,
    most_on_disk=19,
    full_on_disk=Named(1, ["f"]),
    outbox=20,
    most_outbox=21,
    outbox_of="messages for shard 1",
)
IN_BYTES = msgspec.structs.replace(ON_DISK, dead_letter_bytes=22, most_dead_letter_bytes=23)
FAR = msgspec.structs.replace(IN_BYTES, kept_back=Named(1, ["g"]), far=Named(1, ["1"]))
STATES = msgspec.structs.replace(FAR, states=24, most_states=25, unsaved=Named(1, ["h"]))
NEAR = msgspec.structs.replace(STATES, near=[NearLimit("keys", 26, 27, "agent i", 28)])
SHARED = msgspec.structs.replace(NEAR, beyond_share=Named(1, ["principal j"]))
# One of each kind of value that is told by its tag: the kind is its type's name.
REQUESTS = (
    calls.Deploy([MANIFEST]),
    calls.Deploy([msgspec.structs.replace(MANIFEST, escalate_to="chief")]),
    calls.Deploy([msgspec.structs.replace(MANIFEST, weight=7, health=Health.HEALTHY)]),
    calls.Deploy([msgspec.structs.replace(MANIFEST, weight=7, version="1.2", system="shop é")]),
    calls.ListAgents("after", 9),
    calls.ListAgents("after", 9, "a*", "paused"),
    calls.ListAgents("after", 9, among=("a*", "b")),
    calls.Inspect(AGENT),
    calls.StopAgent(AGENT, drain=True),
    calls.StopAgent(AGENT, drain=True, drain_ms=9_000),
    calls.RemoveAgents([AGENT, OTHER]),
    calls.PauseAgent(AGENT),
    calls.ResumeAgent(AGENT),
    calls.Attach("echo", ("a",), 9, again=True),
    calls.Attach("echo", ("a",), 9, again=True, escalate_to="chief"),
    calls.Attach("echo", ("a",), 9, again=True, escalate_to="chief", replace=True),
    calls.Attach("echo", ("a",), 9, again=True, escalate_to="chief", replace=True, weight=7),
    calls.Attach("echo", ("a",), 9, again=True, escalate_to="chief", replace=True, weight=7, group="sender"),
    ListCapable("a\nb", "after", 9),
    ListCapable("a\nb", among=("a*",)),
    ListCapabilities("after", 9),
    LookUp([AGENT, OTHER]),
    Advertise(AGENT, ("a",), ("b",), 7, Health.UNHEALTHY),
    Advertise(AGENT, ("a",), ("b",), 7, Health.UNHEALTHY, "1.2", "shop é"),
    calls.Detach(AGENT),
    calls.Exchange(AGENT, [calls.Ended(1, [PLAIN]), calls.Ended(2, [], "ValueError: x")], 256, 10_000),
    calls.Exchange(AGENT, [calls.Ended(1, [PLAIN], None, b"state")], 256, 10_000, [4], [5], 6, wants_state=True),
    calls.Exchange(AGENT, [calls.Ended(1, [PLAIN], None, b"state")], 256, 10_000, [4], [5], 6, wants_seals=True),
    calls.Exchange(AGENT, [], 256, 10_000, until_ms=1_767_225_600_000),
    AskSeal(AGENT, 4),
    calls.ListDeadLetters(WHICH, 3, 9, with_content=True),
    calls.RequeueDeadLetters(WHICH),
    calls.PurgeDeadLetters(WHICH),
    calls.AskDeadLetterStats(),
    calls.AskLedger(),
    FindMessage(SHA[:16], with_content=True),
    ListKept(AGENT, SHA[:16], 9, with_content=True),
    ListKept(AGENT, SHA[:16], 9, with_content=True, place=300),
    FindConversations([SHA[:16], SHA[16:]], with_history=True),
    ListConversations(SHA[:16], 9, AGENT, archived=False),
    AskConversationFigures(),
    ResumeConversation(SHA[:16], 600),
    ResumeConversation(SHA[:16], 600, SESSION),
    ReadSpans(9, 7, 100),
    ReadRecords(9, 7, 100),
    LeaveSpans([SPAN]),
    ReadLog(AGENT, 9, 2, 7, 100, 1_767_225_600_000, 1, 10_000),
    CopyShard("/backups/1/shard-0.db"),
    CopyStep("hold"),
    AskBusiest(BusyBy.FAILURES, 10),
    AskCallGraph(10),
    AskNames([AGENT, OTHER]),
    ReadAudit(7, 100),
    ReadAudit(7, 100, True, "token:é", "an agent é", "pause", 1_767_225_600_000),
    Watch(4, AGENT, SHA[:16], True, 9, 2, 7, 10_000),
    EndWatch(4),
)
SAID = Summary(SHA[:16], 7, AGENT, OTHER, 1_767_225_600_001, 3, SHA[16:], b"yes")
TALK = ConversationView(
    SHA[:16],
    AGENT,
    (AGENT, OTHER),
    3,
    "it has come to its limit of 9 turns",
    12,
    345,
    1_767_225_600_000,
    1_767_225_600_001,
    1_767_227_400_000,
    "fipa-request",
    1,
    Opening(5, 600, 7, 9, 1_000, True),
    (SAID,),
    (1,),
    is_archived=True,
)
RESULTS = (
    FAILED,
    VIEW,
    msgspec.structs.replace(VIEW, escalate_to="chief"),
    msgspec.structs.replace(VIEW, weight=7, health="unhealthy", is_healthy=False),
    msgspec.structs.replace(VIEW, state="draining", conversations=3, drains_for_ms=9_000),
    msgspec.structs.replace(VIEW, drains_for_ms=9_000, members=(calls.MemberView(SESSION, 3, is_there=True),)),
    msgspec.structs.replace(VIEW, version="1.2", system="shop é"),
    calls.Found([VIEW, None]),
    calls.Found([msgspec.structs.replace(VIEW, version="1.2", system="shop é"), None]),
    Capabilities([CapabilityView("a", 2, 1)], more=True),
    calls.Deployed({1: FAILED}),
    calls.Agents([VIEW], more=True),
    calls.Agents([VIEW], more=True, after="echo", total=9),
    calls.Agents([msgspec.structs.replace(VIEW, escalate_to="chief")], more=True),
    calls.Agents([msgspec.structs.replace(VIEW, version="1.2", system="shop é")], more=True),
    calls.Done({2: FAILED}),
    calls.Deliveries([Delivery(4, 2, FULL)], [FAILED]),
    calls.Deliveries([Delivery(4, 2, FULL)], [FAILED], 4, before=3),
    calls.Deliveries([Delivery(4, 2, FULL)], [FAILED], 4, before=3, state=b"state"),
    calls.Deliveries([Delivery(4, 2, FULL, bytes(range(16)))], [FAILED], 4, before=3, state=b"state"),
    Sealed(bytes(range(16))),
    calls.DeadLetters([LETTER], more=False),
    calls.DeadLetters([msgspec.structs.replace(LETTER, retry_reasons=("trap",))], more=False),
    KeptMessages([KeptMessage(FULL, 1, "dead", 9, 2, ("trap",), "1-17")], more=True),
    KeptMessages([KeptMessage(FULL, 1, "waiting", 9, place=300)], more=True),
    Conversations([TALK], more=True),
    Conversations([msgspec.structs.replace(TALK, standing=Standing(True, 2, 8, 1))], more=True),
    Conversations([msgspec.structs.replace(TALK, history=(msgspec.structs.replace(SAID, automatic=True),))], more=True),
    ConversationFigures(1, 2, 3, 4, 5, {2: 1}, 6, 7, 8, 9, 10, 11),
    ConversationFigures(1, 2, 3, 4, 5, {2: 1}, 6, 7, 8, 9, 10, 11, 12),
    calls.DeadLetterFigures(3, {"expired": 3}, 1_767_225_600_000, 30, 50_000, 1),
    calls.Requeued({17: bytes(range(16))}, more=True),
    calls.Purged(2, more=True),
    ShardLedger(1, SHARD, {"processed": 2}, 3, {0: 1}, 4, {0: 5}, {0: 4}, {SESSION: 6}, {"agents": 7}),
    SpanPage(9, 8, 2, True, [SPAN]),
    RecordPage(9, 8, 2, True, [Record(1_767_225_600_000_000_000, 20, "caxton.guest", "é", "echo", "m", "t", "line")]),
    LogPage(9, 2, 8, [LogLine(7, 1_767_225_600_000, 2, SHA[:16], "a line é", 3)], 1),
    CopyState(2, 3, ready=True, did=False, done=False),
    AuditPage([AUDITED], [AuditHead(77, 8, 8, AUDITED.hash)], 9, more=True),
    AuditPage([AUDITED], [AuditHead(77, 8, 8, AUDITED.hash)], 9, more=True, places=[9]),
    AuditPage([AUDITED], [AuditHead(77, 8, 8, AUDITED.hash)], 9, more=True, places=[9], unreadable=[7]),
    Busiest([BusyAgent(AGENT, "counter é", 1, "running", 12.5, 0.5, 0.25, 7, 1_000, 3)], 2_000, 9, [2]),
    CallGraph([CallPair(AGENT, OTHER, "é", "counter", 12.5, 0.5, 0.25, 0.125)], 3.5, 0.5, 9_000, 0.25, [2]),
    Names({AGENT: "é", OTHER: "counter"}),
    WatchPage(9, 2, 8, [WatchedMessage(7, 1_767_225_600_000, 1, FULL, 5_000, "an error é", "a note é", 3)]),
)
CONTROLS = (
    STATE,
    control.Hello(SHARD, MARK, SESSION, 77, SESSION, 5, 500, answer_wanted=True),
    control.Call(SESSION, MARK, SHARD, 3, calls.AskLedger()),
    control.Answer(SHARD, MARK, SESSION, 3, calls.Done()),
    TOPOLOGY,
    control.SessionEnded(SHARD, MARK, SESSION),
    control.Drain(SHARD, MARK, 2, replaced=True),
    control.LogFrom(SHARD, MARK, 20, {"guest": 10}),
    control.AskBeat(SHARD, MARK, 9),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=CONDITION),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=ON_DISK),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=IN_BYTES),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=FAR),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=STATES),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=NEAR),
    control.Heartbeat(SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=SHARED),
    control.Heartbeat(
        SHARD, MARK, 1, ready=True, phase=0, idle=False, counters={"run": 5}, condition=SHARED, events=[EVENT]
    ),
    control.Heartbeat(
        SHARD,
        MARK,
        1,
        ready=True,
        phase=0,
        idle=False,
        counters={"run": 5},
        condition=SHARED,
        events=[EVENT],
        audit=AuditHead(77, 1, 8, AUDITED.hash),
    ),
    control.Heartbeat(
        SHARD,
        MARK,
        1,
        ready=True,
        phase=0,
        idle=False,
        counters={"run": 5},
        condition=SHARED,
        events=[EVENT],
        audit=AuditHead(77, 1, 8, AUDITED.hash),
        asked=9,
    ),
    control.Happened(SHARD, MARK, 1, [EVENT]),
    Subscribe(SESSION, MARK, SHARD, 7, [Wanted("a\nb", 3, 4)]),
    Subscribe(SESSION, MARK, SHARD, 7, [Wanted("a", over=True), Wanted("b", 3, 4)]),
    Capable(SHARD, MARK, SESSION, 1, "a", 3, 4, 0, more=False, candidates=[Candidate(AGENT, 7, 1, 2, 300)], asked=5),
)
QUESTIONS = (
    supervision.OpenSession(99, "python 3.11"),
    supervision.OpenSession(99, "python 3.11", 1, 2),
    supervision.OpenSession(99, "python 3.11", 1, 2, "a principal é"),
    supervision.UploadModule(SHA, 4, 0, b"\0asm", "echo", LIMITS),
    supervision.AskHealth(),
    supervision.AskStats(),
    supervision.StopRuntime(),
    supervision.RestartWorkers(),
    supervision.RestartWorkers(3),
    supervision.AskSettings(),
    supervision.ChangeSettings({"runtime.log_level": "debug", "runtime.worker_memory_limit_mib": None}),
    supervision.ChangeSettings({"runtime.log_level": "info"}, "0f" * 16),
    supervision.EndSession(SESSION, MARK),
    CreateToken("ci é", Role.SENDER, ("a*", "b"), 1_767_225_900_000),
    ListTokens("1f" * 8, 100),
    RevokeToken("1f" * 8),
    ReadEvents(1_767_225_000_000, 7, 1_767_225_600_000, ("agent_drained",), AGENT, 10_000),
    AnchorAudit(),
    NoteAccess([AccessNote(1_767_225_600_000, "deny", "token:é", "GET /v1/workers", "no such role")]),
    NoteBackup("/backups/1", "begun"),
)
ANSWERS = (
    supervision.SessionOpened(SESSION, MARK, SHA, TOPOLOGY),
    supervision.SessionOpened(SESSION, MARK, SHA, TOPOLOGY, 2),
    supervision.SessionOpened(SESSION, MARK, SHA, TOPOLOGY, 2, 100_000),
    supervision.Accepted(4_096),
    TOKEN,
    NewToken("cx_secret", TOKEN),
    Tokens([TOKEN], more=True),
    EventPage(1_767_225_000_000, 7, [EVENT], 2, more=True),
    AuditAnchored(AuditHead(77, 1, 8, AUDITED.hash)),
    AuditAnchored(AuditHead(77, 1, 8, AUDITED.hash), [2]),
    supervision.Told({"status": "healthy", "workers": [{"shard": 0}]}),
)


def tagged(values, wrapped, codec, inner):
    """Kinds by the names of the values' types; each travels inside of another value. A later one of a type is newer."""
    samples = {}
    for value in values:
        samples.setdefault(type(value).__name__, []).append(value)
    return {
        name: (lambda v: codec.encode(wrapped(v)), lambda raw: inner(codec.decode(raw)), of_type)
        for name, of_type in samples.items()
    }


def packed(frame):
    """The frame, made of messages that were encoded before, as they stand in the outbox."""
    fields = msgspec.structs.asdict(frame)
    fields["messages"] = msgspec.Raw(msgspec.msgpack.encode(frame.messages))
    return PACKED.encode(PackedFrame(**fields))


# What a supervisor and its workers and compilers say at their start is not kept: they are of one release.
KINDS = {
    "frame of the volatile lane": (
        DATA.encode,
        DATA.decode,
        (
            DataFrame(SESSION, MARK, SHARD, 0, 1, resent=False, messages=[PLAIN, FULL]),
            DataFrame(SESSION, MARK, SHARD, 0, 1, resent=False, messages=[PLAIN, TO_CAPABLE]),
            DataFrame(SHARD, MARK, 8, 0, 1, resent=False, messages=[TO_EVERYONE]),
        ),
    ),
    "frame of the durable lane": (
        DATA.encode,
        DATA.decode,
        (DataFrame(SHARD, MARK, 8, 1, 40, resent=True, messages=[FULL], state=STATE),),
    ),
    "frame from an outbox": (
        packed,
        DATA.decode,
        (DataFrame(SHARD, MARK, 8, 1, 40, resent=True, messages=[PLAIN, FULL]),),
    ),
    **tagged(CONTROLS, lambda v: v, CONTROL, lambda v: v),
    **tagged(REQUESTS, lambda v: control.Call(SESSION, MARK, SHARD, 3, v), CONTROL, lambda v: v.request),
    **tagged(RESULTS, lambda v: control.Answer(SHARD, MARK, SESSION, 3, v), CONTROL, lambda v: v.result),
    **tagged(QUESTIONS, lambda v: supervision.SupervisorCall(5, v), SUPERVISOR_CALL, lambda v: v.request),
    **tagged(ANSWERS, lambda v: supervision.SupervisorAnswer(5, v), SUPERVISOR_ANSWER, lambda v: v.result),
}


@pytest.mark.parametrize("name", KINDS)
def test_frames_of_every_version_are_read(records, name):
    """Whatever was sent once is still read, as what it was."""
    records.check_read(name, KINDS[name])


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_written_as_the_newest_that_is_kept(records, name):
    """Nobody changes by mistake what others have to read."""
    records.check_written(name, KINDS[name])


def test_no_kind_of_frame_is_forgotten():
    """Every value that is told by its tag is among the kept ones."""
    unions = control.Control, calls.Request, calls.Result, supervision.SupervisorRequest, supervision.SupervisorResult
    wanted = {kind.__name__ for union in unions for kind in typing.get_args(union)}
    assert wanted - KINDS.keys() == set()
