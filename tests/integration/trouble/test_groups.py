"""Several programs that share one agent, on a real runtime."""

import asyncio
import subprocess
import sys
import uuid
from collections import Counter

import pytest

import caxton
from caxton.errors import (
    AgentNotFound,
    AgentTakenOver,
    AlreadyAttached,
    CaxtonError,
    NetworkError,
    ShardUnavailable,
    ValidationError,
)
from caxton.testing import eventually

WORKERS = 1
DURABLE = caxton.DeliveryOptions(reliability="at_least_once")
# Answers with its process, tells another agent what it did, and dies in the middle of a turn when it is told to.
PROGRAM = """
import asyncio, os, signal, sys
import caxton

@caxton.agent("shared", group=True, concurrency=4)
async def shared(message, turn):
    if message.content == b"die" and turn.delivery_count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    turn.send("tally", message.content)
    return b"%d" % os.getpid()

async def main():
    async with caxton.connect(sys.argv[1]) as client, client.host(shared) as hosting:
        print("attached", flush=True)
        await hosting.wait()

asyncio.run(main())
"""


@pytest.fixture
def program(served):
    """Start the program, and wait until it is attached; it is killed at the end."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(served.runtime_dir)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "attached\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class Tally:
    """Counts what it is told, by content; `of(n)` waits until it has been told so much."""

    def __init__(self):
        self.told = Counter()
        self._came = asyncio.Event()

    async def note(self, delivered):
        self.told[delivered.message.content] += 1
        self._came.set()

    async def of(self, count):
        async with asyncio.timeout(60):
            while self.told.total() < count:
                self._came.clear()
                await self._came.wait()
        return self.told


@pytest.fixture
async def tally(client):
    """An agent that programs tell what they did."""
    tally = Tally()
    async with client.attach("tally", tally.note):
        yield tally
    await client.remove("tally")


async def test_who_dies_in_the_middle_leaves_its_messages_to_the_other(client, program, tally):
    """With kill -9 in the middle of durable messages every one is handled, and what follows from each comes once."""
    programs = {str(program().pid).encode() for _ in range(2)}
    before = await client.inspect("shared")
    assert len(before.members) == 2
    contents = [b"%d" % number for number in range(300)]
    contents[150] = b"die"
    asked = [client.request("shared", content, options=DURABLE, timeout_s=60) for content in contents]
    answers = await asyncio.gather(*asked)
    assert {answer.content for answer in answers} == programs, "both had some"
    assert await tally.of(len(contents)) == dict.fromkeys(contents, 1)
    after = await client.inspect("shared")
    assert (len(after.members), after.members[0].under_way, after.queued, after.state) == (1, 0, 0, "attached")
    await client.remove("shared")


def named(who, **options):
    """The program of an agent `desk` that answers with its own name."""

    @caxton.agent("desk", **options)
    async def answer(message):
        return who

    return answer


@pytest.fixture
async def desk(client):
    """Removes the agent afterwards."""
    yield "desk"
    await client.remove("desk")


async def test_a_conversation_stays_with_one_program_of_several(client, served, desk):
    """Each conversation is with one of them from first to last, and all have some; when one leaves they go on."""
    talks = [client.new_conversation() for _ in range(20)]

    async def answers():
        asked = (client.request(desk, b"", conversation_id=talk) for talk in talks)
        return [answer.content for answer in await asyncio.gather(*asked)]

    async with served.connect() as one, served.connect() as two, one.host(named(b"one", group=True)):
        async with two.host(named(b"two"), group=True):
            met = set()
            async with asyncio.timeout(60):  # a program that does not ask just now gets nothing; it asks again soon
                while met != {b"one", b"two"}:
                    met.add((await client.request(desk, b"")).content)
            first = await answers()
            assert set(first) == {b"one", b"two"}
            assert await answers() == await answers() == first
        assert set(await answers()) == {b"one"}


@pytest.mark.parametrize("lane", ["at_least_once", "at_most_once"])
async def test_a_question_that_comes_back_is_for_the_program_that_is_free(client, served, desk, lane):
    """Within one conversation: who asked handles one message at a time, and waits for it."""
    options = caxton.DeliveryOptions(reliability=lane)
    talk = caxton.ConversationId(uuid.uuid4().bytes)  # no client's own: each of the three may open one of it

    def program(who, through):
        async def handle(delivered):
            if delivered.message.content == b"back":
                return who
            reply = await through.request("relay", b"", conversation_id=talk, options=options, timeout_s=60)
            return who + b" heard " + reply.content

        return handle

    async def relay(_delivered):
        return (await client.request(desk, b"back", conversation_id=talk, options=options, timeout_s=60)).content

    async with (
        served.connect() as one,
        served.connect() as two,
        one.attach(desk, program(b"one", one), group=True, concurrency=1),
        two.attach(desk, program(b"two", two), group=True, concurrency=1),
        client.attach("relay", relay),
    ):
        first = await client.request(desk, b"", conversation_id=talk, options=options, timeout_s=60)
        again = await client.request(desk, b"", conversation_id=talk, options=options, timeout_s=60)
    assert first.content in {b"one heard two", b"two heard one"}
    assert again.content == first.content, "and the conversation stays where it was"
    await client.remove("relay")


async def test_who_is_no_member_is_refused_and_may_take_over(client, served, desk):
    """Whoever would have it alone, or in another order, hears of the group; replace=True ends all of its blocks."""
    async with (
        asyncio.TaskGroup() as tasks,
        served.connect() as one,
        served.connect() as two,
        served.connect() as three,
    ):
        lost = [tasks.create_task(_raised(each.serve(named(b"one", group=True)))) for each in (one, two)]
        await eventually(lambda: _members(client, desk, 2), 60)
        for refused in (named(b"no"), named(b"no", group=True, order="sender")):
            with pytest.raises(AlreadyAttached, match=r"group.*replace=True.*group=True"):
                await three.host(refused).__aenter__()
        async with three.host(named(b"three"), replace=True):
            assert [type(error) for error in await asyncio.gather(*lost)] == [AgentTakenOver] * 2
            with pytest.raises(AlreadyAttached, match="has it alone, without group=True"):
                await one.host(named(b"no", group=True)).__aenter__()
            assert (await client.request(desk, b"")).content == b"three"
            assert (await client.inspect(desk)).members == ()


async def test_programs_join_again_after_a_restart_of_their_worker(client, served, desk):
    """Both are members of the group again, and answer."""
    async with (
        served.connect() as one,
        served.connect() as two,
        one.host(named(b"one", group=True)),
        two.host(named(b"two", group=True)),
    ):
        await served.kill_worker(0)
        await eventually(lambda: _members(client, desk, 2), 60)
        answers = set()

        async def both_answered():
            answers.add((await client.request(desk, b"", options=DURABLE)).content)
            return answers == {b"one", b"two"}

        await eventually(both_answered, 60)  # what comes goes to who is free, and that is mostly who was free before


@pytest.mark.parametrize("options", [{"batch": True}, {"concurrency": 1}, {"order": "none"}], ids=str)
async def test_programs_of_every_kind_share(client, served, desk, options):
    """Those that take lists, or one message at a time, or in no order, share what comes too."""

    def handler(who):
        async def one(delivered):
            return who

        async def several(delivered):
            return [who] * len(delivered)

        return several if "batch" in options else one

    async with (
        served.connect() as one,
        served.connect() as two,
        one.attach(desk, handler(b"one"), group=True, **options),
        two.attach(desk, handler(b"two"), group=True, **options),
    ):
        asked = (client.request(desk, b"", options=DURABLE) for _ in range(200))
        assert {answer.content for answer in await asyncio.gather(*asked)} == {b"one", b"two"}
        assert [member.under_way for member in (await client.inspect(desk)).members] == [0, 0]


async def test_a_group_with_a_state_is_refused(client):
    """At once and by name, before anything is asked of the runtime."""

    async def handler(delivered):
        return None

    with pytest.raises(ValidationError, match="share an agent keep no state"):
        client.attach("none", handler, group=True, state=True)
    with pytest.raises(ValidationError, match="share an agent keep no state"):
        named(b"none", group=True, state=int)
    with pytest.raises(ValidationError, match="share an agent keep no state"):
        client.host(named(b"none", state=int), group=True)


async def _members(client, name, count):
    try:
        return len((await client.inspect(name)).members) == count
    except (AgentNotFound, NetworkError, ShardUnavailable):
        return False


async def _raised(awaited):
    try:
        return await awaited
    except CaxtonError as error:
        return error
