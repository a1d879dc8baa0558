import asyncio
import random
from itertools import repeat
from math import ceil

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import AUTOMATIC, DURABLE
from caxton.errors import from_fields
from caxton.store import books
from caxton.wire.calls import Inspect, ListAgents
from caxton.wire.codec import CONTROL
from caxton.wire.control import AskBeat, Call, Drain, Happened, Heartbeat, Hello, LogFrom, SessionEnded, Topology
from caxton.wire.events import MAX_SAID
from caxton.wire.link_state import LinkState, Refusal
from workers.agents.registry import Hold
from workers.intake.message_inlet import MAX_FRAMES
from workers.intake.pace import AT_ONCE
from workers.loop.calls import Calls
from workers.loop.shard import ENDED_KEPT
from workers.worker_pass import HISTOGRAMS, MAX_PASS_NS, SLICE_NS

OWN = 7
TOP = (1 << 64) - 1
NUMBER = st.one_of(st.integers(0, 5), st.integers(0, TOP), st.sampled_from([TOP, TOP >> 1, (TOP >> 1) + 1]))
REFUSALS = st.lists(
    st.builds(Refusal, NUMBER, st.integers(1, TOP), st.text(max_size=5), st.just({"problem": None})), max_size=3
)
AS_IT_IS = settings(
    max_examples=3 * settings().max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def told(shard, number):
    """What the worker told a peer on its control socket."""
    return [CONTROL.decode(frame) for frame in shard.peers.find(number)._control.frames]


def refusals(shard, number):
    states = [state for state in told(shard, number) if isinstance(state, LinkState)]
    told_of = [refusal for state in states for refusal in state.refusals]
    return {r.sequence + n: from_fields(r.error, r.fields) for r in told_of for n in range(r.count)}


def test_messages_of_a_client_are_run_and_acknowledged(shard, message):
    """What a client sends to an agent is run in order, acknowledged, and in the book before that."""
    agent, session = shard.agent(1), shard.sessions[0]
    sent = [message(session, agent.agent_id) for _ in range(5)]
    shard.frame(session, sent)
    shard.settle()

    assert [m for _, m in shard.turns.taken] == sent
    assert told(shard, session)[-1].taken == 5
    assert books.read(shard.path).taken_from(session) == 5


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"receiver": 9 << 10}, "AgentNotFound"),
        ({"receiver": 0}, "AgentNotFound"),
        ({"receiver": TOP}, "Unsupported"),
        ({"sender": 5}, "SecurityError"),
        ({"flags": AUTOMATIC}, "SecurityError"),
        ({"content": bytes(2_000_000)}, "MessageTooLarge"),
    ],
)
def test_a_client_is_told_why_a_message_was_refused(shard, message, fields, error):
    """A message that cannot be placed is refused alone, with its reason; its neighbours run."""
    agent, session = shard.agent(1), shard.sessions[0]
    bad = message(**({"sender": session, "receiver": agent.agent_id} | fields))
    shard.frame(session, [message(session, agent.agent_id), bad, message(session, agent.agent_id)])
    shard.settle()

    assert len(shard.turns.taken) == 2
    assert {sequence: type(e).__name__ for sequence, e in refusals(shard, session).items()} == {2: error}
    assert shard.counts()["refused"] == 1


def test_a_client_may_fill_a_mailbox_to_its_capacity(shard, message):
    """A client is refused with QueueFull beyond a mailbox's capacity, after it was told that it is full."""
    agent, session = shard.agent(1, capacity=8), shard.sessions[0]
    agent.hold(Hold.PAUSED)
    shard.frame(session, [message(session, agent.agent_id) for _ in range(10)])
    shard.settle()

    assert agent.mailbox.depth == 8
    assert sorted(refusals(shard, session)) == [9, 10]
    assert told(shard, session)[-1].full == [agent.agent_id]

    agent.release(Hold.PAUSED)
    shard.dispatcher.resume(agent)
    shard.settle()
    assert told(shard, session)[-1].full == []


def test_frames_that_are_not_for_us_are_counted(shard, message):
    """Garbage, another target, a lane before its hello, a wrong mark and a repeated frame are dropped and counted."""
    agent, session = shard.agent(1), shard.sessions[0]
    plain = [message(session, agent.agent_id)]
    shard.frame(session, plain)
    shard.frame(session, plain, first=1)
    shard.frame(session, plain, target=OWN + 1)
    shard.frame(session, plain, lane=1)
    shard.frame(session, plain, mark=bytes(16))
    shard.frame(session, plain, first=1_000)
    shard.data.frames.append(b"\x01garbage")
    shard.data.frames.append(b"")
    shard.settle()

    counts = shard.counts()
    names = ("garbage", "left", "forged", "duplicates", "over_credit", "taken_from_sessions", "run")
    assert [counts[name] for name in names] == [3, 1, 1, 1, 1, 1, 1]


def test_garbage_is_taken_by_its_weight(shard):
    """Of large frames that nobody can read few are taken at a time, so that their decoding holds nobody up."""
    shard.data.frames.extend([b"\x01" + bytes(64 << 10)] * 20)
    shard.worker._inlet.take(shard.worker._passes.present, AT_ONCE)

    assert len(shard.data.frames) == 16
    assert shard.worker._inlet.more


def test_a_flood_of_frames_that_nobody_can_read_ends_with_the_pass(shard, monkeypatch):
    """However much comes that causes no turn, a pass ends after its 5 ms, and the loop gets its turn."""
    now_ns = [0]

    def clock():
        now_ns[0] += MAX_PASS_NS // 50
        return now_ns[0]

    monkeypatch.setattr("workers.loop.passes.monotonic_ns", clock)
    flood = repeat(b"\x01garbage")
    shard.worker._inlet._receive = lambda: next(flood)
    shard.step()

    assert 0 < shard.counts()["garbage"] < 10_000
    assert shard.worker._woken


def test_so_many_frames_are_taken_at_a_time(shard):
    """Frames that nobody can read bring no messages, and so end by their number: 64 at a time, and then turns."""
    shard.data.frames.extend([b"x"] * (MAX_FRAMES + 1))
    inlet = shard.worker._passes._inlet
    inlet.take(shard.worker._passes.renew(), AT_ONCE)
    assert (len(shard.data.frames), inlet.more) == (1, True)

    inlet.take(shard.worker._passes.renew(), AT_ONCE)
    assert (len(shard.data.frames), inlet.more) == (0, False)


def test_a_pass_that_ran_enough_takes_no_more(shard, message, monkeypatch):
    """However little time its turns took, after so many of them what came waits for the next pass."""
    monkeypatch.setattr("workers.loop.passes.monotonic_ns", lambda: 10**9)
    monkeypatch.setattr(shard.dispatcher._turn_time, "now_ns", lambda: 10**9)
    monkeypatch.setattr("workers.loop.passes.ENOUGH_TURNS", MAX_FRAMES)
    agent, session = shard.agent(1), shard.sessions[0]
    for _ in range(MAX_FRAMES + 1):
        shard.frame(session, [message(session, agent.agent_id)])
    shard.step()
    assert (len(shard.turns.taken), len(shard.data.frames)) == (MAX_FRAMES, 1)

    shard.settle()
    assert len(shard.turns.taken) == MAX_FRAMES + 1


def test_who_comes_while_others_wait_is_seen_to_within_a_slice(shard, message, monkeypatch):
    """While turns run it is looked who has come, and the answer to one who needs few leaves with the end of a pass."""
    now_ns, turn_ns, before = 10**9, 100_000, 15

    def clock():
        return now_ns

    def turn(_agent, _message):
        nonlocal now_ns
        now_ns += turn_ns
        if len(shard.turns.taken) == before:
            shard.frame(session, [message(session, light.agent_id)])
        return []

    monkeypatch.setattr("workers.loop.passes.monotonic_ns", clock)
    monkeypatch.setattr(shard.dispatcher._turn_time, "now_ns", clock)
    (busy, light), session = (shard.agent(number, capacity=1_000) for number in (1, 2)), shard.sessions[0]
    busy.hold(Hold.PAUSED)
    shard.frame(session, [message(session, busy.agent_id) for _ in range(60)])
    shard.settle()
    busy.release(Hold.PAUSED)
    shard.dispatcher.resume(busy)
    shard.turns.script, shard.turns.clock = turn, lambda: now_ns - turn_ns
    shard.step()

    assert [agent for agent, _ in shard.turns.taken[-2:]] == [busy, light]
    assert len(shard.turns.taken) <= before + ceil(SLICE_NS / turn_ns) + 1


def test_what_comes_does_not_outrun_turns(shard, message, monkeypatch):
    """While others wait, a pass takes no more than it has run, and what is taken at a time: the rest stays outside."""
    now_ns, turn_ns, calls = 10**9, 100_000, 0

    def turn(_agent, _message):
        nonlocal now_ns
        now_ns += turn_ns
        return []

    def take(a_pass, most):
        nonlocal calls
        calls += 1
        a_pass.counts["taken_from_sessions"] += most

    for clock in ("loop.passes", "intake.pace"):
        monkeypatch.setattr(f"workers.{clock}.monotonic_ns", lambda: now_ns)
    monkeypatch.setattr(shard.dispatcher._turn_time, "now_ns", lambda: now_ns)
    busy, session = shard.agent(1, capacity=1_000), shard.sessions[0]
    busy.hold(Hold.PAUSED)
    shard.frame(session, [message(session, busy.agent_id) for _ in range(60)])
    shard.settle()
    busy.release(Hold.PAUSED)
    shard.dispatcher.resume(busy)
    monkeypatch.setattr(shard.worker._passes._inlet, "take", take)
    shard.turns.script, shard.turns.clock = turn, lambda: now_ns - turn_ns
    shard.step()

    assert len(shard.turns.taken) > MAX_PASS_NS // turn_ns
    assert calls == 1


def test_events_that_are_to_be_told_make_no_second_heartbeat(shard):
    """Whoever counts heartbeats counts rounds of 200 ms; events follow in frames of their own, all of them in order."""
    for number in range(3 * MAX_SAID):
        shard.parts.watching.events.happened("agent_paused", f"{number}")
    shard.supervisor.frames.clear()
    shard.worker.beat()
    first, *rest = map(CONTROL.decode, shard.supervisor.frames)

    assert isinstance(first, Heartbeat)
    assert [event.text for word in rest for event in word.events] == [f"{n}" for n in range(3 * MAX_SAID)]
    assert {type(word) for word in rest} == {Happened}


def test_a_worker_that_drains_takes_nothing_from_clients(shard, message):
    """In a drain, clients' messages are refused with ShardUnavailable, and what waits is run."""
    agent, session = shard.agent(1), shard.sessions[0]
    shard.routes.send([message(session, agent.agent_id)], (0, 0))
    shard.say(Drain(0, shard.marks.mark(0), 1))
    shard.frame(session, [message(session, agent.agent_id)])
    shard.settle()

    assert len(shard.turns.taken) == 1
    assert [type(e).__name__ for e in refusals(shard, session).values()] == ["ShardUnavailable"]


def test_only_the_supervisor_speaks_for_the_runtime(shard):
    """Topologies, ends of sessions and drains without the supervisor's mark change nothing."""
    session = shard.sessions[0]
    mark = shard.marks.mark(session)
    for forged in (
        Topology(session, mark, 9, shard.table, [9], ["ready"]),
        Topology(0, mark, 9, shard.table, [9], ["ready"]),
        SessionEnded(session, mark, session),
        Drain(0, bytes(16), 2),
        LogFrom(session, mark, 50, {"guest": 50}),
        AskBeat(session, mark, 9),
    ):
        shard.say(forged)
    shard.settle()

    assert shard.counts()["forged"] == 6
    assert shard.worker._asked == 0
    assert shard.peers.workers == [OWN]
    assert not shard.worker._inlet.draining


def test_a_hello_is_answered_when_it_asks(shard, message):
    """A hello that wants an answer gets one with what was taken; another gets none, nor one for another's file."""
    agent, session = shard.agent(1), shard.sessions[0]
    mark = shard.marks.mark(session)
    shard.say(Hello(session, mark, OWN, session, 0, 0, 0, answer_wanted=False))
    shard.frame(session, [message(session, agent.agent_id, flags=DURABLE)], lane=1)
    shard.settle()
    shard.say(Hello(session, mark, OWN, session, 0, 0, 0, answer_wanted=True))
    shard.say(Hello(session, mark, OWN, session + 1, 0, 0, 0, answer_wanted=True))
    shard.settle()

    assert [hello.taken for hello in told(shard, session) if isinstance(hello, Hello)] == [1]
    assert shard.counts()["garbage"] == 1


@AS_IT_IS
@given(numbers=st.lists(NUMBER, min_size=7, max_size=7), full=st.lists(NUMBER, max_size=4), refused=REFUSALS)
def test_no_state_of_a_client_breaks_the_worker(make_shard, message, numbers, full, refused):
    """Whatever numbers a client's link state holds, the worker goes on, and the book is never beyond 64 bits."""
    shard = make_shard()
    agent, session = shard.agent(1), shard.sessions[0]
    number, taken, messages, size, refusals_from, emitted, seen = numbers
    shard.say(
        LinkState(
            session,
            shard.marks.mark(session),
            OWN,
            0,
            number,
            "",
            taken,
            messages,
            size,
            refusals_from,
            refused,
            full,
            emitted,
            seen,
        )
    )
    shard.routes.send([message(agent.agent_id, session)], (0, 0))
    for _ in range(12):
        shard.tick()

    assert books.read(shard.path).taken_from(session) <= 64
    shard.close()


@AS_IT_IS
@given(first=NUMBER.filter(bool), count=st.integers(1, 256), fields=st.dictionaries(st.just("resent"), st.booleans()))
def test_no_sequence_breaks_the_worker(make_shard, message, first, count, fields):
    """Whatever a client numbers its messages with, they are taken within its credit or counted."""
    shard = make_shard()
    agent, session = shard.agent(1), shard.sessions[1]
    shard.frame(session, [message(session, agent.agent_id)] * count, first=first, **fields)
    shard.tick()

    peer = shard.peers.find(session)
    counts = shard.counts()
    assert peer.link.incoming.taken == counts["taken_from_sessions"] + counts["gaps"] <= 64
    assert counts["taken_from_sessions"] + counts["over_credit"] == count
    shard.close()


@settings(AS_IT_IS, max_examples=3 * settings().max_examples)
@given(seed=st.integers(0, 2**32), cuts=st.integers(0, 8))
def test_mangled_control_frames_only_ever_count(shard, seed, cuts):
    """A control frame of a client with any of its bytes changed is taken or counted, and nothing escapes."""
    dice = random.Random(seed)
    session = shard.sessions[2]
    mark = shard.marks.mark(session)
    frame = CONTROL.encode(
        dice.choice(
            [
                LinkState(session, mark, OWN, 0, 1, "", 0, 64, 1 << 20, 0, [Refusal(1, 1, "x", {})], [5], 0, 0),
                LinkState(session, mark, OWN, 1, 1, "", 0, 64, 1 << 20, 0, [Refusal(1, 1, "x", {})], [5], 0, 0),
                Hello(session, mark, OWN, session, 0, 0, 0, answer_wanted=True),
                Call(session, mark, OWN, 1, Inspect(5)),
                Call(session, mark, OWN, 1, ListAgents("", 5)),
            ]
        )
    )
    for _ in range(cuts):
        frame[dice.randrange(len(frame))] = dice.randrange(256)
    shard.control.frames.append(bytes(frame))
    shard.worker._take_control()
    shard.settle()


def call_at(shard, calls, monkeypatch, most):
    """Let these sessions make so many calls at once, of which so many may be under way; returns what each was refused.

    With what health was told meanwhile, asked twice.
    """
    monkeypatch.setattr("workers.loop.calls.MAX_CALLS", most)

    async def flood():
        async with asyncio.TaskGroup() as group:
            answering = Calls(shard.worker._shard, shard.worker._attached, group, shard.worker._passes)
            shard.worker._calls = answering
            for session, count in calls:
                for number in range(count):
                    shard.say(Call(session, shard.marks.mark(session), OWN, number, ListAgents()))
            seen = [answering.to_tell(), answering.to_tell()]
        return answering, seen

    answering, seen = shard.runner.run(flood())
    assert (answering.under_way, answering._of) == (0, {})
    refused = []
    for session, count in calls:
        answers = [answer for answer in told(shard, session) if not isinstance(answer, LinkState)]
        assert sorted(answer.call_id for answer in answers) == list(range(count))
        refused.append(sum(getattr(answer.result, "error", "") == "ResourceExhausted" for answer in answers))
    return refused, seen


def test_every_call_of_a_flood_is_answered(shard, monkeypatch):
    """Of more calls than may be under way the rest are refused with ResourceExhausted; all get an answer."""
    calls = [(shard.sessions[0], 200), (shard.sessions[1], 200), (shard.sessions[2], 1)]
    refused, seen = call_at(shard, calls, monkeypatch, 64)

    assert refused == [200 - 32, 200 - 16, 0], "each has a half of what others leave, and so the next one some"
    assert seen == [49, 49]


def test_health_is_told_of_calls_that_were_refused_for_want_of_any(shard, monkeypatch):
    """Once, though there may be room again when it is asked."""
    refused, seen = call_at(shard, [(session, 1) for session in shard.sessions[:3]], monkeypatch, 2)
    assert (refused, seen) == ([0, 0, 1], [2, 2])
    monkeypatch.setattr("workers.loop.calls.MAX_CALLS", 3)
    assert shard.worker._calls.to_tell() == 0


def test_workers_that_come_and_go_for_ever_fit_in_the_book(make_shard, message):
    """The rows of workers that ended are given back, the oldest first, so that a worker may outlive any number."""
    shard = make_shard(shards=2)
    session, agent = shard.sessions[0], shard.agent(1)
    shard.book.close()
    shard.path.unlink()
    names = tuple(shard.book.totals())
    shard.book = shard.parts.book = books.Book.create(shard.path, OWN, names, ENDED_KEPT + 10, HISTOGRAMS)
    for number in range(20, ENDED_KEPT + 60):
        shard.say(Topology(0, shard.marks.mark(0), number, shard.table, [OWN, number], ["ready", "ready"]))
        shard.routes.send([message(agent.agent_id, 1 << 10 | 1)], (0, 0))
        shard.step()
    shard.frame(session, [message(session, agent.agent_id)])
    shard.settle()

    links = books.read(shard.path).links
    assert len(links) == ENDED_KEPT + 2
    assert 20 not in links
    assert links[ENDED_KEPT + 59].emitted == 1


def test_what_cannot_be_encoded_is_not_sent_by_accident():
    """The largest number that frames carry is 64 bits: msgpack refuses more, here and at every peer."""
    with pytest.raises(OverflowError):
        msgspec.msgpack.encode(TOP + 1)


def test_one_pass_at_a_time_is_asked_for(shard):
    """A pass that a frame causes while another is asked for does not make it two."""
    shard.soon.clear()
    for _ in range(3):
        shard.worker._wake()
        shard.step()

    assert len(shard.soon) == 1
