from types import SimpleNamespace

import msgspec
import pytest

from caxton.acl.envelope import AUTOMATIC, Rare
from caxton.acl.failure import read_report
from caxton.agents.limits import Limits
from caxton.agents.manifest import Encoding
from caxton.errors import (
    AgentError,
    CaxtonError,
    InvalidMessageFormat,
    ResourceExhausted,
    ResourceLimitExceeded,
    WasmExecutionFailed,
)
from caxton.ids import AgentNames
from workers.crash_note import AGENT, SEQUENCE, SOURCE, CrashNote
from workers.sandbox.guest_messages import GuestOutput
from workers.sandbox.modules import ModuleMissing
from workers.sandbox.traps import GuestError, Trap, TrapReason
from workers.turns.turn import Turns, error_of

NEVER = 1 << 62


class Guest:
    """A sandbox whose guest is a function."""

    fuel_used = 3
    used_ns = 0

    def __init__(self, work):
        self.handle = lambda content, *_: work(content)
        self.closed = False

    def close(self):
        self.closed = True


def raising(problem):
    def work(_content):
        raise problem

    return work


@pytest.fixture
def turns(shard, tmp_path):
    """A shard whose turns are real, and whose guests the test gives."""
    note = CrashNote(tmp_path / "note")
    modules = SimpleNamespace(load=raising(ModuleMissing(b"u" * 32)))
    output = GuestOutput(AgentNames(bytes(32)))
    durable = shard.durable
    rooms = durable.attempts, durable.journal, durable.keys
    turns = Turns(None, modules, None, note, output, shard.routes, *rooms, lambda *_: None)
    turns.cells = note.cells
    turns.begin(shard.worker._passes.present)
    shard.session = shard.sessions[0]
    shard.peers.known(shard.session, shard.marks.mark(shard.session))
    yield turns
    note.close()


def give(shard, turns, work, encoding=Encoding.CONTENT, **limits):
    agent = shard.agent(1, encoding=encoding, **limits)
    agent.sandbox = Guest(work)
    turns.instances += 1
    return agent


def sent(shard):
    return [m for messages in shard.worker._passes.present.emitted.values() for m in messages]


def test_content_answers_what_asks_for_an_answer(shard, turns, message):
    """Bytes that a content agent returns are the answer: to the sender, with its reply_with, conversation and level."""
    agent = give(shard, turns, lambda content: content.upper())
    asked = message(
        shard.session, agent.agent_id, content=b"a", reply_with=b"r" * 16, conversation_id=b"c" * 16, level=8
    )
    turns.take(agent, asked, shard.session, 9, NEVER, None)
    turns.take(agent, asked, shard.session, 10, NEVER, None)

    answers = sent(shard)
    assert len({answer.message_id for answer in answers}) == 2
    (answer, _) = answers
    assert (answer.content, answer.sender, answer.receiver) == (b"A", agent.agent_id, shard.session)
    assert (answer.in_reply_to, answer.conversation_id, answer.level) == (b"r" * 16, b"c" * 16, 8)
    assert [turns.cells[SOURCE], turns.cells[SEQUENCE], turns.cells[AGENT]] == [shard.session, 10, agent.agent_id]
    turns.ended()
    assert turns.cells[AGENT] == 0


def test_an_answer_goes_where_answers_are_wanted(shard, turns, message):
    """A message with reply_to is answered to that one, also when it is nobody, who then is told of by a failure."""
    agent = give(shard, turns, bytes)
    for reply_to in (shard.session, 0, (1 << 64) - 1, 9 << 10):
        asked = message(5, agent.agent_id, reply_with=b"r" * 16, rare=Rare(reply_to=reply_to))
        turns.take(agent, asked, 1, 1, NEVER, None)

    assert [m.receiver for m in sent(shard)] == [shard.session]
    assert shard.worker._passes.present.counts["refused"] == 3


def test_an_answer_that_nobody_wants_is_counted(shard, turns, message):
    """What a content agent returns for a message without reply_with is dropped and counted; no answer is none."""
    agent = give(shard, turns, bytes)
    turns.take(agent, message(shard.session, agent.agent_id), 1, 1, NEVER, None)
    agent.sandbox.handle = lambda *_: None
    turns.take(agent, message(shard.session, agent.agent_id, reply_with=b"r" * 16), 1, 2, NEVER, None)

    assert sent(shard) == []
    assert shard.worker._passes.present.counts["unasked"] == 1
    assert agent.run == 2


def test_a_message_that_waited_too_long_has_no_turn(shard, turns, message):
    """An expired message is told to its sender, and the guest never sees it."""
    agent = give(shard, turns, raising(AssertionError))
    turns.take(agent, message(shard.session, agent.agent_id), 1, 1, 0, None)

    (failure,) = sent(shard)
    assert isinstance(read_report(failure.content), CaxtonError)
    assert (agent.run, agent.counters["expired"], shard.worker._passes.present.counts["expired"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("problem", "error", "kept"),
    [
        (Trap(TrapReason.UNREACHABLE, "x"), WasmExecutionFailed, False),
        (Trap(TrapReason.OUT_OF_FUEL, "x"), ResourceLimitExceeded, False),
        (GuestError(-(2**63)), AgentError, True),
        (InvalidMessageFormat("output", "x"), WasmExecutionFailed, False),
        (ResourceExhausted("instances", 5), ResourceExhausted, False),
        (ModuleMissing(bytes(32)), WasmExecutionFailed, False),
        (RuntimeError("\ud800 surrogates are no text"), WasmExecutionFailed, False),
    ],
)
def test_however_a_turn_ends_its_sender_is_told(shard, turns, message, problem, error, kept):
    """A guest that fails costs its sender a typed failure and itself, at most, its instance; the shard goes on."""
    agent = give(shard, turns, raising(problem))
    guest = agent.sandbox
    turns.take(agent, message(shard.session, agent.agent_id, reply_with=b"r" * 16), 1, 1, NEVER, None)

    (failure,) = sent(shard)
    assert failure.flags & AUTOMATIC
    assert failure.in_reply_to == b"r" * 16
    assert type(read_report(failure.content)) is error
    assert guest.closed != kept
    assert turns.instances == kept


def test_a_failure_that_ends_badly_is_not_told(shard, turns, message):
    """An automatic message whose turn fails comes to nothing, counted."""
    agent = give(shard, turns, raising(GuestError(-1)), Encoding.MSGPACK)
    turns.take(agent, message(shard.session, agent.agent_id, flags=AUTOMATIC), 1, 1, NEVER, None)

    assert sent(shard) == []
    assert shard.worker._passes.present.counts["failures_dropped"] == 1
    assert shard.worker._passes.present.counts["failures_sent"] == 0


def test_a_module_that_is_not_there_is_told(shard, turns, message):
    """An agent whose module is not in the cache fails each message, and has no instance."""
    agent = shard.agent(1, encoding=Encoding.CONTENT)
    turns.take(agent, message(shard.session, agent.agent_id), 1, 1, NEVER, None)

    (failure,) = sent(shard)
    assert read_report(failure.content).reason == "module_missing"
    assert turns.instances == 0


def test_the_messages_of_a_turn_go_their_way(shard, turns, message):
    """What a msgpack agent returns is sent in order; none of it when one of it is wrong."""
    outputs = [{"messages": [{"receiver": shard.session, "content": b"1"}, {"content": b"2"}]}, None]
    agent = give(shard, turns, lambda _raw: msgspec.msgpack.encode(outputs[0]), Encoding.MSGPACK)
    turns.take(agent, message(shard.session, agent.agent_id), 1, 1, NEVER, None)
    assert [m.content for m in sent(shard)] == [b"1", b"2"]

    outputs[0] = {"messages": [{"receiver": shard.session}, {"receiver": 0}]}
    turns.take(agent, message(shard.session, agent.agent_id), 1, 2, NEVER, None)
    assert [bool(m.flags & AUTOMATIC) for m in sent(shard)] == [False, False, True]


def test_an_agent_sends_as_many_messages_as_its_own_limit_says(shard, turns, message):
    """A turn that returns as many has effect; one more, and nothing is sent but the failure."""
    some = [{"receiver": shard.session}] * 3
    agent = give(
        shard, turns, lambda _raw: msgspec.msgpack.encode({"messages": some}), Encoding.MSGPACK, max_output_messages=3
    )
    turns.take(agent, message(shard.session, agent.agent_id), 1, 1, NEVER, None)
    assert [m.flags & AUTOMATIC for m in sent(shard)] == [0, 0, 0]

    some.append(some[0])
    turns.take(agent, message(shard.session, agent.agent_id), 1, 2, NEVER, None)
    assert [type(read_report(m.content)) for m in sent(shard)[3:] if m.flags & AUTOMATIC] == [ResourceLimitExceeded]
    assert len(sent(shard)) == 3 + 1


def test_errors_name_the_agent_by_its_id(shard):
    """Errors that travel name the agent as commands take it."""
    agent = shard.agent(1, max_fuel=12_345)

    assert error_of(Trap(TrapReason.OUT_OF_FUEL, "x"), agent).limit == Limits(max_fuel=12_345).max_fuel
    assert error_of(GuestError(-7), agent).agent == "0000000000000400"
