import asyncio
from datetime import UTC, datetime

import pytest

from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.client.calls.letter_number import LetterNumber
from caxton.client.client import Client
from caxton.errors import AgentError, ValidationError, to_fields
from caxton.ids import AgentId, AgentNames, MessageId
from caxton.wire.calls import (
    AgentView,
    AskDeadLetterStats,
    DeadLetter,
    DeadLetterFigures,
    DeadLetters,
    Failed,
    ListDeadLetters,
    Purged,
    PurgeDeadLetters,
    Requeued,
    RequeueDeadLetters,
)
from caxton.wire.told import DeadLetterStats

PAGE = 3
WHY = Failed("AgentError", to_fields(AgentError("a", -7)))


def letter(shard, number):
    return DeadLetter(number, shard, "expired", WHY, 1, 1_000 + number, 1, Envelope(bytes(16), 7, 9, 5, b""))


class Shards:
    """Two shards with dead letters 1 to 7 each; they answer three at a time and do as they are told."""

    def __init__(self):
        self.loop, self.names, self.session = asyncio.get_running_loop(), AgentNames(b"key"), self
        self.shards = 2
        self.letters = {shard: [letter(shard, number) for number in range(1, 8)] for shard in range(2)}
        self.asked = []
        self.quicker = False
        self.last, self.tells_how_far, self.die_again = 7, True, False

    async def call(self, shard, request, answer, timeout_s):
        self.asked.append((shard, request))
        if isinstance(request, AskDeadLetterStats):
            oldest = self.letters[shard][0].died_at if self.letters[shard] else None
            return DeadLetterFigures(
                len(self.letters[shard]), {"expired": len(self.letters[shard])}, oldest, 10, 100, 1
            )
        which = request.which
        fits = [x for x in self.letters[shard] if which.ids is None or x.number in which.ids]
        if isinstance(request, ListDeadLetters):
            fits = [x for x in fits if x.number > request.after]
            some = fits[: min(PAGE, request.limit)]
            return DeadLetters(some, len(fits) > len(some))
        up_to = 0
        if self.tells_how_far:
            up_to = which.up_to or self.last
            fits = [x for x in fits if x.number <= up_to]
        some = fits[:PAGE]
        self.last += len(some) if self.die_again else 0
        self.letters[shard] += [letter(shard, self.last - n) for n in range(len(some))] if self.die_again else []
        self.letters[shard] = [x for x in self.letters[shard] if x not in some]
        if self.quicker:  # another call has taken these, and this one waited for its commit
            self.quicker, some = False, []
        if isinstance(request, RequeueDeadLetters):
            return Requeued({x.number: bytes([x.number]) * 16 for x in some}, len(fits) > PAGE, up_to)
        return Purged(len(some), len(fits) > PAGE, up_to)

    def kinds(self):
        return {type(request) for _, request in self.asked}


@pytest.fixture
async def shards():
    return Shards()


@pytest.fixture
async def client(shards, tmp_path):
    client = Client(tmp_path)
    client._runtime = shards
    return client


async def test_dead_letters_are_listed_shard_by_shard(client, shards):
    """Every page of every shard is asked for, and no more than the limit needs."""
    found = [LetterNumber(x.shard, x.number) async for x in client.dead_letters()]
    assert found == [(shard, number) for shard in range(2) for number in range(1, 8)]
    some = [x.number async for x in client.dead_letters(limit=5)]
    assert some == [1, 2, 3, 4, 5]
    assert shards.asked[-1][1].limit == 2


async def test_a_filter_travels(client, shards):
    """Agents are named by id or name, and content comes only if it is asked for."""
    which = {"reason": "expired", "agent": "echo", "sender": 9, "before": 77}
    assert [x async for x in client.dead_letters(**which, with_content=True)]
    request = shards.asked[0][1]
    assert (request.which.reason, request.which.receiver, request.which.sender, request.which.before) == (
        *("expired", client.id_of("echo"), 9, 77),
    )
    assert request.with_content
    with pytest.raises(ValidationError, match="before"):
        [x async for x in client.dead_letters(before=-1)]


@pytest.mark.parametrize(
    ("moment", "since_1970_ms"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 1_769_817_600_000),
        (datetime(1960, 1, 31, tzinfo=UTC), 0),
        (datetime(1, 1, 1), 0),  # noqa: DTZ001 (nobody's local time has one so early)
    ],
    ids=str,
)
async def test_a_moment_may_be_a_datetime(client, shards, moment, since_1970_ms):
    """One before 1970, when there were no dead letters, is the first that there is."""
    await client.purge(before=moment)
    assert shards.asked[0][1].which.before == since_1970_ms


async def test_an_agent_may_be_what_a_list_shows_of_it(client, shards):
    """Whoever has listed agents need not take their ids out."""
    agent_id = client.id_of("echo")
    view = AgentView(int(agent_id), "echo", "running", 0, "content", (), {}, bytes(32), False, 0, {})
    await client.purge(agent=view)

    assert shards.asked[0][1].which.receiver == agent_id == view.id
    assert repr(view.id) == repr(agent_id)


async def test_one_dead_letter_is_found_by_its_number(client, shards):
    """It comes with its content."""
    assert (await client.dead_letter("1-4")).number == 4
    assert shards.asked == [(1, shards.asked[0][1])]
    assert shards.asked[0][1].with_content


@pytest.mark.parametrize("number", ["0-8", "2-1", "31-1"])
async def test_a_dead_letter_that_is_not_there_is_named(client, number):
    """The error says which number, and where to look."""
    with pytest.raises(ValidationError, match=f"number {number}; see `caxton deadletter list`"):
        await client.dead_letter(number)


async def test_named_dead_letters_are_sent_again(client, shards):
    """Each has a new id under its old number, and the others stay."""
    assert await client.requeue(["0-2", "1-5", "0-2"]) == {
        "0-2": MessageId(b"\2" * 16),
        "1-5": MessageId(b"\5" * 16),
    }
    assert [len(letters) for letters in shards.letters.values()] == [6, 6]


@pytest.mark.parametrize(
    "which",
    [
        lambda found: found[1],
        lambda found: found[1].id,
        lambda found: LetterNumber(0, 2),
        lambda found: [found[1]],
        lambda found: (letter for letter in found[1:2]),
        lambda found: (LetterNumber(0, 2), found[1], "0-2"),
    ],
)
async def test_a_dead_letter_is_named_by_itself_its_id_or_its_number(client, which):
    """One alone, or any iterable of them, once each."""
    found = [x async for x in client.dead_letters()]
    assert (await client.dead_letter(found[1])) == found[1]
    assert await client.requeue(which(found)) == {"0-2": MessageId(b"\2" * 16)}


@pytest.mark.parametrize("wrong", [5, b"0-2", [5], [None], [("0", "2")], "0-2 ", ["0-2", 1.5]], ids=repr)
async def test_what_names_no_dead_letter_is_refused(client, shards, wrong):
    """A number alone says no shard."""
    for call in (client.requeue, client.purge):
        with pytest.raises(ValidationError, match="dead letter"):
            await call(wrong)
    assert shards.asked == []


async def test_a_dead_letter_shows_the_message_that_it_was(client):
    """What was to be delivered is a message like any other."""
    found = await client.dead_letter("0-2")
    assert (found.message, found.id) == (Message.of(found.envelope), "0-2")
    assert found.message.receiver == AgentId(5)


@pytest.mark.parametrize(
    "wrong",
    [{"reason": "expird"}, {"reason": 5}, {"limit": "5"}, {"limit": -1}, {"before": "now"}, {"agent": 1.5}],
    ids=str,
)
async def test_a_filter_that_nothing_can_fit_is_refused(client, shards, wrong):
    """A misspelt reason is told which there are, instead of finding nothing."""
    with pytest.raises(ValidationError):
        [x async for x in client.dead_letters(**wrong)]
    assert shards.asked == []


async def test_what_is_named_and_gone_is_passed_over(client, shards):
    """A call that is repeated does what is left to do, and its result says what that was."""
    found = [x async for x in client.dead_letters()]
    assert list(await client.requeue([found[1], "1-9"])) == ["0-2"]
    assert list(await client.requeue([found[1], "0-3", "1-9"])) == ["0-3"]
    assert await client.purge([found[1], "0-3", "1-4", "1-9"]) == 1
    for again in (found[1], "1-4", ["0-3", "1-9"]):
        assert (await client.requeue(again), await client.purge(again)) == ({}, 0)
    assert [len(letters) for letters in shards.letters.values()] == [5, 6]


@pytest.mark.parametrize("call", ["requeue", "purge"])
async def test_a_shard_that_there_is_not_is_refused(client, shards, call):
    """It cannot have been there, so nothing is done, also not to the others that were named."""
    with pytest.raises(ValidationError, match="number 2-1"):
        await getattr(client, call)(["0-2", "2-1"])
    assert shards.asked == []


@pytest.mark.parametrize(
    "which", [{"everything": True}, {"numbers": [f"0-{number}" for number in range(1, 8)]}], ids=str
)
@pytest.mark.parametrize("call", ["requeue", "purge"])
async def test_another_call_that_was_quicker_leaves_the_rest(client, shards, call, which):
    """A page that somebody else took meanwhile is not the end: what comes after it is taken."""
    shards.quicker = True
    done = await getattr(client, call)(**which)
    assert (done if call == "purge" else len(done)) == (11 if "everything" in which else 4)
    assert shards.letters[0] == []


async def test_everything_is_taken_page_by_page_up_to_now(client, shards):
    """What dies after the call began is left, or a letter that dies at once would be sent for ever."""
    shards.die_again = True
    assert len(await client.requeue(everything=True)) == 14
    bounds = [(shard, request.which.up_to) for shard, request in shards.asked]
    assert bounds == [(0, None), (0, 7), (0, 7), (1, None), (1, 14), (1, 14)]
    assert {request.which.before for _, request in shards.asked} == {None}


async def test_a_runtime_that_tells_no_number_is_told_when_the_call_began(client, shards, monkeypatch):
    """An older one knows no other bound than the clock's."""
    shards.tells_how_far = False
    monkeypatch.setattr("caxton.client.calls.dead_letter_calls.time.time_ns", lambda: 5_000 * 1_000_000)
    assert await client.purge(everything=True) == 14
    assert [request.which.before for _, request in shards.asked] == [None, 5_001, 5_001] * 2
    assert {request.which.up_to for _, request in shards.asked} == {None}


async def test_a_filter_chooses_what_is_forgotten(client, shards):
    """The filter goes to every shard, and how many there were is told."""
    assert await client.purge(reason="expired") == 14
    assert shards.kinds() == {PurgeDeadLetters}
    assert all(request.which.reason == "expired" for _, request in shards.asked)


async def test_all_is_not_forgotten_by_mistake(client, shards):
    """Without numbers, a filter or `everything`, and with two of them, nothing is done."""
    for wrong in ({}, {"numbers": ["0-1"], "everything": True}, {"numbers": ["0-1"], "reason": "expired"}):
        with pytest.raises(ValidationError, match="dead letters"):
            await client.purge(**wrong)
        with pytest.raises(ValidationError, match="dead letters"):
            await client.requeue(**wrong)
    assert shards.asked == []
    assert await client.purge([]) == 0


async def test_stats_are_of_all_shards(client, shards, monkeypatch):
    """Counts add up, the oldest is the oldest of all, and shards without any have none."""
    shards.letters[0] = []
    monkeypatch.setattr("caxton.client.calls.dead_letter_calls.time.time_ns", lambda: 5_000 * 1_000_000)
    stats = await client.dead_letter_stats()
    assert stats == DeadLetterStats(7, {"expired": 7}, 3_999, 20, capacity=200, evicted=2)


async def test_dead_letters_are_never_younger_than_now(client, monkeypatch):
    """A clock that was set back meanwhile makes them no younger than just dead; without any, none is the oldest."""
    monkeypatch.setattr("caxton.client.calls.dead_letter_calls.time.time_ns", lambda: 0)
    assert (await client.dead_letter_stats()).oldest_message_age_ms == 0
    client._runtime.letters = {0: [], 1: []}
    assert (await client.dead_letter_stats()).oldest_message_age_ms is None


@pytest.mark.parametrize(
    "text", ["", "17", "0-", "-1", "0-1-2", "a-b", "0 -1", "32-1", "0-1234567890123456789", "\u0663-\u0661"]
)
def test_other_text_is_no_number(text):
    """A dead letter's number is a shard's and its own, both plain digits."""
    with pytest.raises(ValidationError, match="dead letter"):
        LetterNumber.parse(text)
    assert str(LetterNumber.parse("31-17")) == "31-17"
