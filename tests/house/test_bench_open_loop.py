import asyncio
import importlib
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.message import Message
from caxton.ids import AgentId

# A part of the spacing is 1 µs at most; the rest is what floating point leaves.
RESOLUTION_S = 1.001e-6


@pytest.fixture(scope="session")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


def open_descriptors():
    return sorted(Path("/proc/self/fd").iterdir())


class Heard:
    """Stands where a histogram does, and keeps each latency."""

    def __init__(self):
        self.latencies_s = []

    def record(self, seconds, count):
        self.latencies_s += [seconds] * count


class EchoWhenOpen:
    """A client whose requests are all answered with what was in them, but not before its gate is open."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.under_way = self.most_under_way = 0

    async def request_many(self, batch):
        self.under_way += len(batch)
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.gate.wait()
        self.under_way -= len(batch)
        return list(batch)


@given(
    rate_per_s=st.one_of(st.integers(1, 1_000_000), st.sampled_from([1, 999_999, 1_000_000])),
    batches=st.lists(st.tuples(st.floats(1e-5, 0.2), st.integers(1, 256)), min_size=1, max_size=20),
)
def test_a_batch_counts_as_its_messages_one_by_one(room, rate_per_s, batches):
    """Latencies noted by the batch are those of the messages, at most 1 µs too long, or 0.1 % from 0.1 s on."""
    heard, one_by_one = Heard(), []
    spaced = room("load.spaced_latencies").SpacedLatencies(rate_per_s, heard)
    for over_s, count in batches:
        longest_s = over_s + count / rate_per_s
        spaced.record(longest_s, count)
        one_by_one += [longest_s - place / rate_per_s for place in range(count)]
    spaced.drain()

    assert len(heard.latencies_s) == len(one_by_one)
    for told_s, true_s in zip(sorted(heard.latencies_s), sorted(one_by_one), strict=True):
        assert -1e-9 <= told_s - true_s <= max(RESOLUTION_S, 0.001_1 * true_s)

    spaced.drain()
    assert len(heard.latencies_s) == len(one_by_one)


async def test_what_has_no_room_is_late_and_not_left_out(room):
    """With 8,192 messages under way nothing more is sent, and what waited counts from when it was to start."""
    open_loop, latencies = room("load.open_loop"), room("load.latencies").Latencies()
    client, total, most = EchoWhenOpen(), 20_000, open_loop.MOST_UNDER_WAY
    loop = open_loop.OpenLoop(client, [Message(AgentId(1), b"x")], 1_000_000, warm_up_s=0)
    held_s = []

    def show(elapsed_s, answered, lost):
        held_s.append(elapsed_s)  # by now all 20,000 were due for long
        assert (answered if len(held_s) == 1 else 0, lost) == (0, 0)
        client.gate.set()

    paced = await loop.run(0.02, latencies, show)

    assert client.most_under_way == most
    assert paced.late == total - most
    assert paced.sent == paced.answered == paced.measured == total
    assert paced.lost == paced.refused == 0
    assert paced.sent_per_s <= total / held_s[0]
    assert latencies.curve()[0][1] >= (held_s[0] - 0.02) * 1e6 * 0.999


async def test_a_rate_is_kept_whatever_the_answers_do(room):
    """Each message is sent when its time has come, and the warm-up's are not among the latencies."""
    open_loop, latencies = room("load.open_loop"), room("load.latencies").Latencies()
    client = EchoWhenOpen()
    client.gate.set()
    began_s = time.perf_counter()
    paced = await open_loop.OpenLoop(client, [Message(AgentId(1), b"x")] * 3, 10_000, warm_up_s=0.1).run(
        0.1, latencies, lambda *_: None
    )

    assert time.perf_counter() - began_s >= 0.1999
    assert (paced.sent, paced.answered, paced.measured, paced.late) == (2_000, 2_000, 1_000, 0)
    assert paced.sent_per_s <= 10_000
    assert 0 < latencies.summary()["p50"] <= latencies.summary()["max"]


async def test_a_wrong_answer_ends_the_loop(room):
    """An agent that answers something else ends the measurement instead of counting."""

    class Liar(EchoWhenOpen):
        async def request_many(self, batch):
            return [Message(message.receiver, b"another") for message in batch]

    loop = room("load.open_loop").OpenLoop(Liar(), [Message(AgentId(1), b"x")], 1_000, warm_up_s=0)
    with pytest.raises(ExceptionGroup) as raised:
        await loop.run(1, room("load.latencies").Latencies(), lambda *_: None)
    assert raised.group_contains(room("load.closed_loop").WrongAnswer)


async def test_nothing_is_begun_after_a_wrong_answer(room):
    """A tick that comes between a failure and the end of the loop begins nothing that nobody would wait for."""
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))

    class SlowLiar(EchoWhenOpen):
        async def request_many(self, batch):
            until_s = time.perf_counter() + 0.002
            while time.perf_counter() < until_s:  # the next tick is due when this ends
                pass
            return [Message(message.receiver, b"another") for message in batch]

    loop = room("load.open_loop").OpenLoop(SlowLiar(), [Message(AgentId(1), b"x")], 1_000, warm_up_s=0)
    with pytest.raises(ExceptionGroup) as raised:
        await loop.run(1, room("load.latencies").Latencies(), lambda *_: None)

    assert raised.group_contains(room("load.closed_loop").WrongAnswer)
    assert told == []


async def test_ticks_are_closer_than_a_millisecond_and_end(room, one_turn_of_the_loop):
    """Forty ticks of 0.25 ms take 10 ms or more, none comes after the block, and its descriptor is closed."""
    ticks, enough, open_before = 0, asyncio.Event(), open_descriptors()

    def tick():
        nonlocal ticks
        ticks += 1
        if ticks == 40:
            enough.set()

    began_s = time.perf_counter()
    with room("load.ticks").ticking(0.000_25, tick):
        await enough.wait()
    took_s, counted = time.perf_counter() - began_s, ticks
    for _ in range(100):
        await one_turn_of_the_loop()

    assert took_s >= 0.0099
    assert ticks == counted
    assert open_descriptors() == open_before


def test_memory_is_looked_at_a_bounded_number_of_times(room):
    """A sample is taken at the start, at the end and sixty times at most between, and a line is laid through them."""
    sizes = iter(range(1_000, 10_000_000, 100))
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=next(sizes)))
    resident = room("resident").Resident({"client": process}, seconds=300)
    for quarter in range(-8, 1_200):
        resident.look(quarter / 4)
    resident.end(300.0)

    assert [sample["at_s"] for sample in resident.samples] == [5.0 * place for place in range(61)]
    assert resident.figures() == {
        "client": {"start_bytes": 1_000, "end_bytes": 7_000, "grown_bytes": 6_000, "slope_bytes_per_s": 20}
    }


def test_a_process_that_has_ended_holds_nothing(room):
    """The memory of a process that is gone is shown as 0 instead of ending the measurement."""

    def gone():
        raise psutil.NoSuchProcess(1)

    resident = room("resident").Resident({"worker_0": SimpleNamespace(memory_info=gone)}, seconds=1)
    resident.look(0.0)

    assert resident.samples == [{"at_s": 0.0, "worker_0": 0}]


@pytest.mark.parametrize("text", ["", ",", "1,", "0", "-1", "1e5", "1000001", "9" * 5_000, "²", "1;2", "1.5"])
def test_what_is_no_rate_is_refused_with_what_would_do(room, text):
    """Text that is no list of rates is a ValueError that shows a good one."""
    with pytest.raises(ValueError, match="separated by commas: 50000,100000"):
        room("rates").Rates.parse(text)


def test_rates_keep_their_order(room):
    """Rates are read in the order in which they are given, blanks between them aside."""
    rates = room("rates").Rates.parse("150000, 1,1000000")

    assert rates.per_s == (150_000, 1, 1_000_000)
    assert str(rates) == "150000,1,1000000"


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"held": False}, False),
        ({"lost": 1}, False),
        ({"lost_by_stats": 1}, False),
        ({"lost": 1, "lost_by_stats": 1}, False),
        ({"ledger_balanced": False}, False),
    ],
)
def test_sustain_fails_for_each_thing_that_may_not_be(room, change, good):
    """Only a rate that is held, with no loss in either count and a ledger that balances, is good."""
    result = {"held": True, "lost": 0, "lost_by_stats": 0, "ledger_balanced": True} | change

    assert room("questions.sustain").is_good(result) is good
