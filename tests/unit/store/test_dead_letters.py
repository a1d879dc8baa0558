"""Dead letters are found by what is asked of them, and listed in pages that a frame holds."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope
from caxton.store import dead_letters
from caxton.store.commit import Commit, DeadRow
from caxton.store.shard_store import ShardStore
from caxton.store.waiting import encode_waiting
from caxton.wire.calls import DeadLetterFilter, Failed
from caxton.wire.codec import CONTROL
from caxton.wire.control import Answer

SESSION = 1 << 63
REASONS = ("expired", "poison", "queue_full")


def letter(number):
    """A letter that can be told from its neighbours by every field."""
    sender, receiver = SESSION | number % 2, 2 + number % 3
    message = Envelope(number.to_bytes(16), 3, sender, receiver, b"x" * number)
    failed = Failed("MessageExpired", {"receiver": "a\0é", "timeout_s": 0.5 * number})
    died = 1_000 + number
    origin = None if number % 2 else number - 1
    return DeadRow(
        number,
        REASONS[number % 3],
        failed,
        number,
        died,
        sender,
        receiver,
        number,
        encode_waiting(message),
        origin,
        ("timeout",) * (number % 3),
    )


@pytest.fixture
async def store(tmp_path):
    """A shard with 30 dead letters."""
    store = await ShardStore.open(tmp_path / "shard-7.db", 7)
    commit = Commit()
    commit.dead = {number: letter(number) for number in range(1, 31)}
    commit.counts["evicted"] = 4
    await store.commit(commit)
    yield store
    await store.close()


FILTER = st.builds(
    DeadLetterFilter,
    reason=st.none() | st.sampled_from([*REASONS, "timeout", "it's", "\ud800"]),
    receiver=st.none() | st.integers(1, 5) | st.integers(0, 2**64 - 1),
    sender=st.none() | st.sampled_from([SESSION, SESSION | 1, 5]),
    before=st.none() | st.integers(990, 1_040) | st.integers(2**63, 2**64),
    ids=st.none() | st.lists(st.integers(0, 40) | st.integers(2**63, 2**65), max_size=30),
)


def fits(row, which):
    return (
        which.reason in {None, row.reason}
        and which.receiver in {None, row.receiver}
        and which.sender in {None, row.sender}
        and (which.before is None or row.died_ms < which.before)
        and (which.ids is None or row.number in which.ids)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=FILTER, after=st.integers(0, 31) | st.integers(2**63, 2**65), limit=st.integers(1, 31))
async def test_every_field_of_a_filter_must_fit(store, which, after, limit):
    """Pages, whole letters and numbers are of the same letters, oldest first, and say whether there are more."""
    wanted = [letter(number) for number in range(1, 31) if fits(letter(number), which)]
    assert await store.letters_with_messages(which, limit) == (wanted[:limit], len(wanted) > limit)
    assert await store.numbers(which, limit) == ([row.number for row in wanted[:limit]], len(wanted) > limit)
    later = [row for row in wanted if row.number > after]
    page = await store.dead_letters(which, after, limit)
    assert ([found.number for found in page.letters], page.more) == (
        [row.number for row in later[:limit]],
        len(later) > limit,
    )


@pytest.mark.parametrize("with_content", [False, True])
async def test_a_page_tells_all_of_a_letter(store, with_content):
    """Its content only if it is asked for, its size always; and it travels."""
    page = await store.dead_letters(DeadLetterFilter(ids=[6]), 0, 500, with_content=with_content)
    (found,) = page.letters
    row = letter(6)
    assert (found.number, found.shard, found.reason, found.error) == (6, 7, row.reason, row.error)
    assert (found.attempts, found.died_at, found.content_bytes, found.requeued_from) == (6, 1_006, 6, 5)
    assert found.retry_reasons == row.retry_reasons
    assert found.envelope.message_id == (6).to_bytes(16)
    assert found.message.content == (b"x" * 6 if with_content else b"")
    assert CONTROL.decode(CONTROL.encode(Answer(1, bytes(16), 2, 3, page))).result == page


async def test_a_page_ends_before_it_is_too_large(store, monkeypatch):
    """One letter always fits; `more` says that there are others."""
    monkeypatch.setattr(dead_letters, "FULL_PAGE_BYTES", 10)
    sizes, after, more = [], 0, True
    while more:
        page = await store.dead_letters(DeadLetterFilter(), after, 500, with_content=True)
        sizes.append(sum(found.content_bytes for found in page.letters))
        after, more = page.letters[-1].number, page.more
    assert sizes == [1 + 2 + 3 + 4, *range(5, 31)]


async def test_statistics_count_the_rows(store):
    """By reason, with the oldest, the size, and what was evicted before."""
    stats = await store.dead_letter_stats(1_000)
    assert stats.by_reason == dict.fromkeys(REASONS, 10)
    assert (stats.total, stats.oldest_died_at, stats.size_bytes) == (30, 1_001, sum(range(31)))
    assert (stats.capacity, stats.evicted) == (1_000, 4)
    commit = Commit()
    commit.buried = list(range(31))
    commit.counts["evicted"] = 2
    await store.commit(commit)
    stats = await store.dead_letter_stats(1_000)
    assert (stats.total, stats.by_reason, stats.oldest_died_at, stats.size_bytes, stats.evicted) == (0, {}, None, 0, 6)


async def test_ids_of_messages_can_be_read_by_other_tools(store):
    """The column holds the sixteen bytes of each message's id."""
    ids = await store.database.run(lambda db: db.execute("SELECT message_id FROM dead_letters").fetchall())
    assert ids == [(number.to_bytes(16),) for number in range(1, 31)]
