"""The books of the durable lane: what the counters of each shard mean, and whether they agree with the rows.

Every figure is counted by itself: counters as things happen, rows as they stand. None is what the others leave. So a
row that is gone, or a message counted wrong, shows as two figures that differ.

    accepted_clients        taken from sessions; what was refused to them is not counted
    accepted_agents         sent by agents, or made by the runtime as a durable failure, whoever it is for
    requeued                dead letters sent again
    taken_workers           taken from other shards, with those that then went to the dead letters
    processed               turns that ended for good
    dead, dead_outbox       dead letters made; of messages in the outbox whose session ended
    expired                 not handled in time; they stand among the dead letters, counted apart
    emitted_workers         numbered towards other shards
    emitted_before          of these, acknowledged by a store that its shard has lost since
    emitted_sessions        numbered towards sessions
    acknowledged_sessions   taken by sessions
    purged, evicted         dead letters forgotten, as somebody asked or for want of room
    duplicates, refused     dropped because taken before; refused to a session: in no equation
    served_ms               for how long the shard has been served: in no equation
    rows.<table>            rows of a table that no message is counted in
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from caxton.wire.shard_ledger import ShardLedger

COUNTERS = (
    "accepted_clients",
    "accepted_agents",
    "requeued",
    "taken_workers",
    "processed",
    "dead",
    "dead_outbox",
    "expired",
    "emitted_workers",
    "emitted_before",
    "emitted_sessions",
    "acknowledged_sessions",
    "purged",
    "evicted",
    "duplicates",
    "refused",
    "served_ms",
)
_ROWS = "rows."
_SESSION = 1 << 63


class Figures(msgspec.Struct, frozen=True):
    """Messages of the durable lane, of one shard or of all.

    accepted: sent by clients and agents, or again. arrived, passed_on: taken from other shards, and by other shards
    (for all of them: from and by shards that were not asked, or whose stores are lost). processed: handled by agents,
    or taken by sessions. dead, expired: ever, also those that were sent again or forgotten since. pending: they wait in
    a shard. in_flight: numbered, and not taken yet. When `balanced`, accepted + arrived == processed + dead + expired +
    pending + in_flight + passed_on.
    """

    accepted: int
    arrived: int
    processed: int
    dead: int
    expired: int
    pending: int
    in_flight: int
    passed_on: int
    balanced: bool
    problems: list[str]


class Ledger(msgspec.Struct, frozen=True):
    """The books of all shards together, and of each by its number."""

    whole: Figures
    shards: dict[int, Figures]

    @property
    def balanced(self) -> bool:
        """Whether every shard's books balance, and the links between them."""
        return self.whole.balanced


def check(shards: Sequence[ShardLedger], earlier: Sequence[ShardLedger] | None = None) -> Ledger:
    """Return the figures, and what does not balance.

    A shard's own books are of one moment and balance at any. Those of two shards are of two moments: with messages on
    their way between them give also what the same shards said `earlier`, all of it before any of `shards`; else a link
    that moved in between may look wrong, and `in_flight` negative.
    """
    before = shards if earlier is None else earlier
    figures = {one.shard: _figures(one, shards, [*_own(one), *_links(one, shards, before)]) for one in shards}
    problems = [text for one in figures.values() for text in one.problems]
    asked, files = figures.keys(), {one.file for one in shards}
    whole = Figures(
        accepted=sum(one.accepted for one in figures.values()),
        arrived=sum(n for one in shards for file, n in one.taken.items() if file < _SESSION and file not in files),
        processed=sum(one.processed for one in figures.values()),
        dead=sum(one.dead for one in figures.values()),
        expired=sum(one.expired for one in figures.values()),
        pending=sum(one.pending for one in figures.values()),
        in_flight=sum(one.in_flight for one in figures.values()),
        passed_on=sum(
            one.counts.get("emitted_before", 0)
            + sum(n for to, n in one.acknowledged.items() if to < _SESSION and to not in asked)
            for one in shards
        ),
        balanced=not problems,
        problems=problems,
    )
    return Ledger(whole, figures)


def _figures(one: ShardLedger, shards: Sequence[ShardLedger], problems: list[str]) -> Figures:
    counts = Counter(one.counts)
    taken = {other.shard: other.taken.get(one.file, 0) for other in shards}
    # Of a shard that was not asked, what it has taken is known by its acknowledgements.
    passed_on = {to: n for to, n in one.acknowledged.items() if to < _SESSION} | taken
    links = sum(one.emitted.get(to, 0) - reached for to, reached in passed_on.items())
    to_sessions = sum(waiting for to, waiting in one.outbox.items() if to >= _SESSION)
    return Figures(
        accepted=counts["accepted_clients"] + counts["accepted_agents"] + counts["requeued"],
        arrived=counts["taken_workers"],
        processed=counts["processed"] + counts["acknowledged_sessions"],
        dead=counts["dead"] + counts["dead_outbox"],
        expired=counts["expired"],
        pending=one.pending,
        in_flight=links + to_sessions,
        passed_on=counts["emitted_before"] + sum(passed_on.values()),
        balanced=not problems,
        problems=problems,
    )


def _own(one: ShardLedger) -> Iterator[str]:
    """Name what does not agree within one shard."""
    c = Counter(one.counts)
    taken_in = c["accepted_clients"] + c["accepted_agents"] + c["requeued"] + c["taken_workers"]
    gone_out = c["processed"] + c["dead"] + c["expired"] + c["emitted_workers"] + c["emitted_sessions"]
    yield from _differ(one, "messages taken", taken_in, "ended, passed on or pending", gone_out + one.pending)
    to_sessions = sum(waiting for to, waiting in one.outbox.items() if to >= _SESSION)
    settled = c["acknowledged_sessions"] + c["dead_outbox"]
    yield from _differ(
        one, "emitted to sessions", c["emitted_sessions"], "acknowledged, dead or in the outbox", settled + to_sessions
    )
    letters = c["dead"] + c["dead_outbox"] + c["expired"] - c["purged"] - c["requeued"] - c["evicted"]
    yield from _differ(one, "dead letters by the counters", letters, "in its file", one.dead_letters)
    emitted = c["emitted_before"] + sum(last for to, last in one.emitted.items() if to < _SESSION)
    yield from _differ(one, "emitted to shards", c["emitted_workers"], "by the sequences", emitted)
    taken = sum(last for file, last in one.taken.items() if file < _SESSION)
    yield from _differ(one, "taken from shards", c["taken_workers"], "by the sequences", taken)
    for to in sorted({to for to in one.emitted.keys() | one.outbox.keys() if to < _SESSION}):
        owed = one.emitted.get(to, 0) - one.acknowledged.get(to, 0)
        yield from _differ(one, f"not acknowledged by shard {to}", owed, "in the outbox", one.outbox.get(to, 0))
    for table in sorted({name.removeprefix(_ROWS) for name in c if name.startswith(_ROWS)} | one.rows.keys()):
        yield from _differ(one, f"rows of {table}", c[f"{_ROWS}{table}"], "in its file", one.rows.get(table, 0))


def _links(one: ShardLedger, shards: Sequence[ShardLedger], before: Sequence[ShardLedger]) -> Iterator[str]:
    """Name the ways out of a shard that its receivers do not agree with: acknowledged <= taken <= emitted, always.

    All three only grow, so what was read later is never less than what it is compared with was.
    """
    earlier = {other.shard: other for other in before}
    own_before = earlier.get(one.shard, one)
    for other in shards:
        told = own_before.acknowledged.get(other.shard, 0)
        taken = other.taken.get(one.file, 0)
        if told > taken:
            yield f"shard {other.shard}: shard {one.shard} has {told} acknowledged by it, and it has taken {taken}"
        taken, emitted = earlier.get(other.shard, other).taken.get(one.file, 0), one.emitted.get(other.shard, 0)
        if taken > emitted:
            yield f"shard {one.shard}: {emitted} emitted to shard {other.shard}, which has taken {taken} from it"


def _differ(one: ShardLedger, what: str, figure: int, other_what: str, other: int) -> Iterator[str]:
    if figure != other:
        yield f"shard {one.shard}: {figure} {what}, and {other} {other_what}"
