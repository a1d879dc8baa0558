"""Clients, a worker and attached agents, of whom some give up, stand still or die: the rest goes on, without a push."""

import asyncio
from contextlib import suppress

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from caxton.acl.message import Message
from caxton.acl.options import DeliveryOptions, Lane
from caxton.errors import CaxtonError, Timeout
from workers.sandbox.traps import Trap, TrapReason

WHO, AGENT = st.sampled_from([0, 0, 0, 1]), st.sampled_from([0, 0, 0, 1, 2, 3, 4])
SECOND = 5  # ticks
# A breaker that opened twice or three times, or a call that nobody answered and that is made again.
LONGEST_WAIT = 60 * SECOND
# A lost call of a program that attaches is made again by then.
CALLED_AGAIN = 12 * SECOND
PATIENT_S = 3_000.0
TRIES_AGAIN_S = 1.0
TIMEOUT = st.sampled_from([0.5, PATIENT_S])
LANE = st.sampled_from(Lane)
# Beyond nearly all waits here: what stands still is not to be set free by a message that expires.
TIMEOUT_MS = 300_000
COUNT = st.sampled_from([1, 3, 40, 300])


def options_of(lane):
    reliability = "at_least_once" if lane is Lane.DURABLE else "at_most_once"
    return DeliveryOptions(reliability=reliability, timeout_ms=TIMEOUT_MS)


class Patience(RuleBasedStateMachine):
    """Two clients, four sandboxed agents (two that answer, one that passes on to one that takes), one attached to each.

    No agent sends more than one message for one that it got.
    """

    def __init__(self, make_runtime, encodings):
        super().__init__()
        self.failing = {}
        self.tasks, self.serving, self.stops = [], {}, {}
        self.goes_on = [asyncio.Event() for _ in range(2)]
        self.runtime = make_runtime(self.work)
        self.lost = self.runtime.net.lost["control"]
        deploy = self.runtime.deploy
        self.agents = [deploy("small", encodings.content, 4), deploy("large", encodings.content, 1_000)]
        self.taker = deploy("taker", encodings.content, 2)
        self.agents.append(deploy("relay", encodings.whole, 8))
        self.agents += [deploy(f"attached {n}", encodings.attached, 8) for n in range(2)]
        for agent_id in self.agents[3:]:
            self.runtime.shard.registry.find(agent_id).hold(16)
        self.clients = [self.runtime.connect() for _ in range(2)]
        self.runtime.settle()
        for who in range(2):
            self.goes_on[who].set()
            self.attach(who)

    # What agents do.

    def work(self, agent, given):
        name = agent.manifest.name
        if self.failing.get(name, 0):
            self.failing[name] -= 1
            raise Trap(TrapReason.UNREACHABLE, "as planned")
        if name == "relay":
            asked = msgspec.msgpack.decode(given)
            if asked.get("reply_with") is not None:
                return msgspec.msgpack.encode({"messages": [{"content": b"reply"}]})
            return msgspec.msgpack.encode({"messages": [{"receiver": self.taker, "content": b"on"}]})
        return given if name != "taker" else None

    def attach(self, who):
        stop = self.stops[who] = asyncio.Event()

        async def handler(delivered):
            await self.goes_on[who].wait()
            if self.failing.get(who, 0):
                self.failing[who] -= 1
                raise ValueError("as planned")
            return [Message(delivered.message.sender, b"unasked")] if delivered.message.reply_with is None else b"reply"

        async def serve():
            while not stop.is_set():
                assert self.clients[who]._runtime.over is None
                try:
                    async with self.clients[who].attach(f"attached {who}", handler, at_once=3):
                        await stop.wait()
                except CaxtonError:  # at once, while the disk is full
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), TRIES_AGAIN_S)

        self.serving[who] = self.runtime.loop.create_task(serve())
        self.runtime.settle()

    # What happens.

    def begin(self, coroutine, timeout_s):
        async def end():
            try:
                result = await coroutine
                return result if isinstance(result, list) else [result]
            except CaxtonError as error:
                return [error]

        self.tasks.append((self.runtime.loop.create_task(end()), timeout_s))
        self.runtime.settle()

    @rule(who=WHO, agent=AGENT, count=COUNT, lane=LANE, timeout_s=TIMEOUT)
    def a_client_asks(self, who, agent, count, lane, timeout_s):
        options = options_of(lane)
        messages = [Message(self.agents[agent], b"?", delivery_options=options) for _ in range(count)]
        self.begin(self.clients[who].request_many(messages, timeout_s=timeout_s), timeout_s)

    @rule(who=WHO, agent=AGENT, count=COUNT, lane=LANE, timeout_s=TIMEOUT)
    def a_client_tells(self, who, agent, count, lane, timeout_s):
        options = options_of(lane)
        messages = [Message(self.agents[agent], b"!", delivery_options=options) for _ in range(count)]
        self.begin(self.clients[who].send_batch(messages, timeout_s=timeout_s), timeout_s)

    @rule(who=WHO, agent=AGENT, lane=LANE)
    def a_client_tells_if_there_is_room(self, who, agent, lane):
        options = options_of(lane)
        self.begin(self.clients[who].send(self.agents[agent], b"!", options=options, wait=False), PATIENT_S)

    @precondition(lambda self: self.runtime.worker)
    @rule(who=WHO, agent=AGENT, lane=LANE)
    def many_give_up_in_front_of_one(self, who, agent, lane):
        """Many times a window were asked, and nobody wants the answers any more; who asked after them does."""
        self.runtime.pause_or_resume(self.agents[agent])
        self.a_client_asks(who=who, agent=agent, count=1_000, lane=lane, timeout_s=PATIENT_S)
        burst, _ = self.tasks.pop()
        self.a_client_asks(who=who, agent=agent, count=1, lane=lane, timeout_s=PATIENT_S)
        burst.cancel()
        self.runtime.settle()

    @precondition(lambda self: self.tasks)
    @rule(which=st.integers(0, 20))
    def a_caller_is_cancelled(self, which):
        task, _ = self.tasks.pop(which % len(self.tasks))
        task.cancel()
        self.runtime.settle()

    @rule(ticks=st.sampled_from([1, 1, 3, 12, 40]))
    def time_goes_by(self, ticks):
        self.runtime.ticks(ticks)

    @precondition(lambda self: self.runtime.worker)
    @rule(agent=AGENT)
    def an_agent_is_paused_or_resumed(self, agent):
        self.runtime.pause_or_resume(self.agents[agent])
        self.runtime.settle()

    @precondition(lambda self: self.runtime.worker)
    @rule()
    def the_taker_is_paused_or_resumed(self):
        self.runtime.pause_or_resume(self.taker)
        self.runtime.settle()

    @rule(name=st.sampled_from(["small", "large", "taker", "relay", 0, 1]), turns=st.integers(1, 6))
    def an_agent_will_fail(self, name, turns):
        self.failing[name] = turns

    @rule(kinds=st.sampled_from([set(), {"control"}, {"control"}, {"control"}, {"data"}, {"control", "data"}]))
    def frames_are_lost(self, kinds):
        self.runtime.net.loses = set(kinds)

    @rule(how=st.sampled_from(["good", "slow", "full"]))
    def the_disk_is(self, how):
        self.runtime.set_disk(how)
        self.runtime.settle()

    @precondition(lambda self: self.runtime.worker)
    @rule(ticks=st.integers(0, 5))
    def the_worker_is_killed(self, ticks):
        self.runtime.kill()
        self.runtime.ticks(ticks)
        self.runtime.set_disk("good")
        self.runtime.start()
        self.runtime.settle()

    @rule(stop=st.booleans())
    def the_worker_stands_still_or_goes_on(self, stop):
        self.runtime.stop_or_go_on(stop=stop)
        self.runtime.settle()

    @rule(who=WHO)
    def a_handler_stands_still_or_goes_on(self, who):
        if self.goes_on[who].is_set():
            self.goes_on[who].clear()
        else:
            self.goes_on[who].set()

    @rule(who=WHO, at_once=st.booleans())
    def a_program_detaches_and_attaches(self, who, at_once):
        self.stops[who].set()
        if at_once:
            self.serving[who].cancel()
        self.runtime.settle()
        if self.serving[who].done():
            self.attach(who)

    @rule(who=WHO)
    def a_program_reads_one(self, who):
        inbox = self.clients[who]._runtime.session.answers.inbox
        if len(inbox):
            self.runtime.run(inbox.next())
            self.runtime.settle()

    # What has to follow.

    def teardown(self):
        try:
            self.all_goes_on()
        finally:
            self.end()

    def all_goes_on(self):
        runtime = self.runtime
        runtime.set_disk("good")
        runtime.stop_or_go_on(stop=False)
        self.failing.clear()
        for goes_on in self.goes_on:
            goes_on.set()
        for agent_id in [*self.agents, self.taker]:
            runtime.pause_or_resume(agent_id, resume=True)
        runtime.ticks(3)  # the word of all this may be lost
        runtime.net.loses = set()
        if runtime.net.lost["control"] > self.lost:
            runtime.ticks(CALLED_AGAIN)  # an exchange of who is gone may wait in the place of one that was lost
        readers = [runtime.loop.create_task(read_all(client)) for client in self.clients]
        runtime.ticks(LONGEST_WAIT, self.who_leaves_has_left)
        for who, task in self.serving.items():
            if task.done():
                self.attach(who)
        runtime.ticks(LONGEST_WAIT, self.nobody_waits)
        self.everybody_got_somewhere()
        self.everybody_answers()
        assert runtime.ticks(LONGEST_WAIT, self.nothing_is_kept), self.what_is_kept()
        for reader in readers:
            reader.cancel()

    def who_leaves_has_left(self):
        return all(task.done() for who, task in self.serving.items() if self.stops[who].is_set())

    def nobody_waits(self):
        pulled = self.runtime.worker._attached._questions._waiting
        return (
            all(task.done() for task, _ in self.tasks)
            and self.nothing_is_kept()
            and pulled.keys() == {*self.agents[3:]}
        )

    def everybody_got_somewhere(self):
        for task, timeout_s in self.tasks:
            assert task.done(), f"{task} stands still: {self.what_is_kept()}"
            late = [result for result in task.result() if isinstance(result, Timeout)] if timeout_s == PATIENT_S else []
            assert not late

    def everybody_answers(self):
        """Each agent answers each client on each lane, within a second or so."""
        asked = []
        for client in self.clients:
            for agent_id in self.agents:
                for lane in Lane:
                    options = options_of(lane)
                    asked.append(self.runtime.loop.create_task(client.request(agent_id, b"?", options=options)))
        self.runtime.ticks(5 * SECOND, lambda: all(task.done() for task in asked))
        for task in asked:
            assert task.done(), self.what_is_kept()
            assert task.exception() is None, self.what_is_kept()

    def nothing_is_kept(self):
        return not self.what_is_kept()

    def what_is_kept(self):
        kept = {}
        for who, client in enumerate(self.clients):
            session = client._runtime.session
            for route in session._routes:
                kept[f"client {who} believes that the disk is full"] = bool(route.durable.link.outgoing.closed)
                for lane, backlog in enumerate((route.volatile.backlog, route.durable.backlog)):
                    kept[f"client {who} waits on lane {lane}"] = backlog.waiting
                    kept[f"client {who} is under way on lane {lane}"] = len(backlog.under_way)
            kept[f"client {who} has questions"] = len(session.answers.waiting)
        shard = self.runtime.shard
        for agent in shard.registry.agents.values():
            kept[agent.manifest.name] = agent.busy
        kept |= {"backlog": shard.backlogs.messages, "effects": shard.dispatcher.effects}
        kept["retries"] = len(shard.durable.retries)
        kept["breakers"] = len(shard.durable.attempts.broken)
        kept["outbox"] = sum(outbox.messages for outbox in shard.durable.outboxes.by_target.values())
        return {name: value for name, value in kept.items() if value}

    def end(self):
        loop = self.runtime.loop
        for task in [*(task for task, _ in self.tasks), *self.serving.values()]:
            task.cancel()
        self.runtime.settle()
        self.runtime.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        self.runtime.run(self.runtime.turn())


async def read_all(client):
    async for _ in client._open().answers.inbox:
        pass


@pytest.mark.hypothesis
def test_whatever_stood_still_everybody_is_reached_again(make_runtime, encodings, monkeypatch):
    """After any cancels, losses, pauses, failures and kills, all that waits ends without a push, and all answer all."""
    monkeypatch.setattr("caxton.client.routes.inbox.INBOX_CAPACITY", 6)
    monkeypatch.setattr("workers.loop.shard.MOST_QUEUED", 60)
    run_state_machine_as_test(
        lambda: Patience(make_runtime, encodings),
        settings=settings(
            max_examples=settings().max_examples // 2,
            stateful_step_count=25,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )


def test_who_gave_up_asking_is_given_nothing(make_runtime, encodings):
    """A worker that stood still meets questions whose programs wait for no answer any more: they ask again first."""
    state = Patience(make_runtime, encodings)
    state.the_worker_stands_still_or_goes_on(stop=True)
    state.time_goes_by(
        ticks=98
    )  # a question is made anew after 5 s, and given up 15 s later: at that moment it goes on
    state.teardown()
