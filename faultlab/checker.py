"""The judge: pure, by sets of serials. Nothing in it comes from the books of the runtime that is judged.

What was acknowledged was recorded, or is a dead letter (expired ones included), or waits; no effect came twice; no
acknowledgement came before its fdatasync.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from faultlab.journals import Outcome, Recorded, Sent
from faultlab.serial import Serial


class Sync(NamedTuple):
    """One fdatasync of a shard's WAL, on the monotonic clock."""

    shard: int
    began_ns: int
    ended_ns: int


@dataclass(frozen=True)
class Verdict:
    """What a run came to. lost, double: the serials, for whoever looks into it."""

    acknowledged: int
    recorded: int
    lost: list[Serial]
    double: list[Serial]
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """True when nothing is lost and nothing took effect twice."""
        return not self.lost and not self.double


def acknowledged_of(sent: Iterable[Sent]) -> set[Serial]:
    """Return what was acknowledged."""
    return {each.serial for each in sent if each.outcome is Outcome.ACKNOWLEDGED}


def refused_of(sent: Iterable[Sent]) -> set[Serial]:
    """Return what was refused: none of it may have had an effect."""
    return {each.serial for each in sent if each.outcome is Outcome.REFUSED}


def doubles(recorded: Iterable[Recorded]) -> list[Serial]:
    """Return the serials whose effects came twice.

    A delivery after the first must say so by its delivery_count. And one serial has one message id, however often it
    is delivered: a second id means that whoever sent it (a relay, for each message that it was given) did so twice.
    """
    first: dict[Serial, bytes] = {}
    found: dict[Serial, None] = {}
    for each in recorded:
        known = first.setdefault(each.serial, each.message_id)
        if known != each.message_id:
            found[each.serial] = None
    seen: set[Serial] = set()
    for each in recorded:
        if each.serial in seen and each.delivery_count < 2:  # noqa: PLR2004 (the second delivery)
            found[each.serial] = None
        seen.add(each.serial)
    return list(found)


def judge(
    sent: Collection[Sent],
    recorded: Sequence[Recorded],
    dead: Collection[Serial] = (),
    pending: Collection[Serial] = (),
) -> Verdict:
    """Compare the sets. dead: in the dead letters, expired ones included. pending: seen to wait somewhere."""
    acknowledged = acknowledged_of(sent)
    arrived = {each.serial for each in recorded}
    lost = acknowledged - arrived - set(dead) - set(pending)
    refused_yet_run = refused_of(sent) & arrived
    double = doubles(recorded)
    double += sorted(refused_yet_run - set(double))
    notes = {
        "delivered again, and said so": len(recorded) - len(arrived),
        "dead letters": len(set(dead)),
        "unknown": sum(each.outcome is Outcome.UNKNOWN for each in sent),
        "refused": sum(each.outcome is Outcome.REFUSED for each in sent),
    }
    return Verdict(len(acknowledged), len(arrived), sorted(lost), double, notes)


def uncovered(sent: Iterable[Sent], syncs: Iterable[Sync]) -> list[Serial]:
    """Return what was acknowledged although no fdatasync of its shard began after it was sent and had ended by then.

    A message cannot be in a WAL that was synced before it was sent: so each of these is an acknowledgement of
    something that a power cut would have taken.
    """
    by_shard: dict[int, list[Sync]] = {}
    for sync in syncs:
        by_shard.setdefault(sync.shard, []).append(sync)
    for some in by_shard.values():
        some.sort(key=lambda sync: sync.began_ns)
    return [
        each.serial
        for each in sent
        if each.outcome is Outcome.ACKNOWLEDGED and not _covered(each, by_shard.get(each.shard, []))
    ]


def _covered(each: Sent, syncs: list[Sync]) -> bool:
    low, high = 0, len(syncs)
    while low < high:
        middle = (low + high) // 2
        if syncs[middle].began_ns < each.sent_ns:
            low = middle + 1
        else:
            high = middle
    # One connection syncs one after the other, so the first that began afterwards is also the first to end.
    return low < len(syncs) and syncs[low].ended_ns <= each.ended_ns
