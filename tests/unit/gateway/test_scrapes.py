import asyncio
from contextlib import asynccontextmanager
from importlib.util import find_spec

import pytest

from caxton.client.calls.span_calls import Spans
from caxton.errors import NetworkError, ShardUnavailable, Timeout
from caxton.gateway import kept_look
from caxton.gateway import scrapes as scrapes_module
from caxton.gateway.counts import Counts
from caxton.telemetry.exemplars import AT_ONCE
from caxton.telemetry.exported import Exported
from caxton.wire.span import PROCESS, Span
from caxton.wire.spans import SpanCursor
from caxton.wire.told import Health, LatencyStats, RouterStats

if find_spec("prometheus_client") is None:
    pytest.skip("prometheus-client is not installed: pip install '.[http]'", allow_module_level=True)

from caxton.telemetry.exposition import Format

# A turn that took 2 µs.
TURN = Span(trace_id="a" * 32, span_id="b" * 16, parent_id=None, name=PROCESS, began_ns=1_000, ended_ns=3_000)


class Runtime:
    """What a client tells; going: set for as long as it answers."""

    def __init__(self):
        self.looks = self.counted = 0
        self.span_reads = []
        self.counting = asyncio.Event()
        self.counting.set()
        self.going = asyncio.Event()
        self.going.set()
        self.error = None

    async def stats(self):
        self.looks += 1
        await self.going.wait()
        if self.error is not None:
            raise self.error
        took = LatencyStats(1, None, None, None, None, buckets=[0, 0, 1])
        return RouterStats(7.0, 0, 0, [], {}, {}, 0, {}, latencies={"processing": took})

    async def health(self):
        return Health("healthy", None, [], 0.0, "", 0, "", "", 0, 0, [], [])

    async def ledger(self):
        self.counted += 1
        await self.counting.wait()
        raise ShardUnavailable(1, "down")

    async def dead_letter_stats(self):
        await asyncio.get_running_loop().create_future()

    async def conversation_stats(self):
        raise ShardUnavailable(1, "down")

    async def busiest(self, limit):
        raise ShardUnavailable(1, "down")

    async def spans(self, after, *, limit):
        self.span_reads.append((after, limit))
        return Spans(spans=[TURN], cursor=SpanCursor({0: (1, 1)}))


@pytest.fixture
def runtime():
    return Runtime()


@pytest.fixture
async def scrapes(runtime, monkeypatch):
    monkeypatch.setattr(kept_look, "KEPT_TIMEOUT_S", 0.0)
    monkeypatch.setattr(scrapes_module, "SCRAPE_FRESH_S", 3_600.0)

    class Clients:
        @asynccontextmanager
        async def acting_for(self, principal):
            assert principal
            yield runtime

    class Callers:
        bid_bytes = 5

        def __len__(self):
            return 3

    async with scrapes_module.Scrapes(Clients(), {"metrics": Counts()}, Callers(), Exported()) as scrapes:
        yield scrapes


async def test_what_a_shard_does_not_tell_is_left_out(scrapes):
    """Whether it fails or says nothing: it is waited for so long, and the rest is told."""
    text = (await scrapes.text(Format.TEXT)).decode()

    assert 'caxton_scrape_parts{part="ledger"} 0.0' in text
    assert 'caxton_scrape_parts{part="dead_letters"} 0.0' in text
    assert "caxton_gateway_clients 3.0" in text
    assert "caxton_gateway_bid_bytes 5.0" in text


async def test_all_who_ask_within_a_second_share_one_look(scrapes, runtime, one_turn_of_the_loop):
    """In whichever form, and also who asks while it goes on; who goes away takes nothing with it."""
    runtime.going.clear()
    loop = asyncio.get_running_loop()
    first = loop.create_task(scrapes.text(Format.TEXT))
    others = [loop.create_task(scrapes.text(form)) for form in Format for _ in range(5)]
    await one_turn_of_the_loop()
    first.cancel()
    runtime.going.set()
    texts = {await other for other in others}

    assert len(texts) == len(Format)
    assert await scrapes.text(Format.TEXT) in texts
    # The one that went away, and the one that all others share.
    assert runtime.looks <= 2


async def test_later_it_looks_again(scrapes, runtime, monkeypatch):
    """What is told is never older than it may be."""
    monkeypatch.setattr(scrapes_module, "SCRAPE_FRESH_S", 0.0)
    await scrapes.text(Format.TEXT)
    await scrapes.text(Format.TEXT)

    assert runtime.looks == 2


async def test_a_failure_is_shared_too(scrapes, runtime):
    """Nobody asks a runtime that does not answer once more for each who waits."""
    runtime.error = NetworkError("the runtime", "gone")
    for _ in range(3):
        with pytest.raises(NetworkError):
            await scrapes.text(Format.TEXT)

    assert runtime.looks == 1


async def test_a_runtime_that_says_nothing_is_not_waited_for(scrapes, runtime, monkeypatch):
    """A look has an end, before the one that asks gives up."""
    monkeypatch.setattr(scrapes_module, "LOOK_TIMEOUT_S", 0.0)
    runtime.going.clear()

    with pytest.raises(Timeout, match="looking at the runtime"):
        await scrapes.text(Format.TEXT)


async def test_what_is_kept_is_counted_now_and_then(scrapes, runtime, monkeypatch):
    """However often it is scraped; and nobody but the first waits for it."""
    monkeypatch.setattr(scrapes_module, "SCRAPE_FRESH_S", 0.0)
    monkeypatch.setattr(kept_look, "KEPT_PERIOD_S", 3_600.0)
    for _ in range(3):
        await scrapes.text(Format.TEXT)
    assert runtime.counted == 1

    monkeypatch.setattr(kept_look, "KEPT_TIMEOUT_S", 3_600.0)
    scrapes._kept._due_s = 0.0
    runtime.counting.clear()
    for _ in range(3):
        await scrapes.text(Format.TEXT)
    assert runtime.counted == 2


async def test_counting_takes_a_small_part_of_the_time(scrapes, monkeypatch):
    """What took long is not counted again before twenty times as long have passed."""
    monkeypatch.setattr(kept_look, "KEPT_PERIOD_S", 0.0)
    monkeypatch.setattr(kept_look, "KEPT_SHARE", 1e-9)
    await scrapes.text(Format.TEXT)

    assert scrapes._kept._due_s > asyncio.get_running_loop().time() + 3_600


async def test_turns_that_were_sampled_stand_for_their_buckets(scrapes, runtime):
    """In the form that has a place for them; who asks for the other one alone has nobody read them."""
    await scrapes.text(Format.TEXT)
    assert runtime.span_reads == []

    scrapes._until_s = 0.0
    text = (await scrapes.text(Format.OPEN_METRICS)).decode()
    assert runtime.span_reads == [(SpanCursor(), AT_ONCE)]
    exemplar = f'# {{span_id="{"b" * 16}",trace_id="{"a" * 32}"}} 2e-06 3e-06'
    assert f'caxton_message_processing_duration_seconds_bucket{{le="3e-06"}} 1.0 {exemplar}' in text
    assert "# {" not in (await scrapes.text(Format.TEXT)).decode()

    scrapes._until_s = 0.0
    await scrapes.text(Format.OPEN_METRICS)
    assert runtime.span_reads[1:] == [(SpanCursor({0: (1, 1)}), AT_ONCE)]


async def test_a_collector_is_told_what_prometheus_reads(scrapes, runtime):
    """The same look, as values."""
    moment = await scrapes.moment()
    text = (await scrapes.text(Format.TEXT)).decode()

    assert runtime.looks == 1
    assert moment.uptime_s == 7.0
    names = [one.name for one in [*moment.run, *moment.gateway]]
    assert names == list(dict.fromkeys(names))
    assert all(f"# HELP {name}" in text for name in names)
