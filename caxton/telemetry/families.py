"""All metrics of a runtime, from what its calls tell."""

from collections.abc import Iterator
from typing import NamedTuple

from caxton.store.ledger import Ledger
from caxton.telemetry.agent_families import agent_families
from caxton.telemetry.family import Kind, Told, of_label
from caxton.telemetry.health_families import health_families
from caxton.telemetry.kept_families import conversation_families, ledger_families, letter_families
from caxton.telemetry.run_families import run_families
from caxton.wire.busy import Busiest
from caxton.wire.told import ConversationStats, DeadLetterStats, Health, RouterStats


class Parts(NamedTuple):
    """What shards tell beside stats and health; None where it was not asked for, or a shard did not answer."""

    ledger: Ledger | None = None
    dead_letters: DeadLetterStats | None = None
    conversations: ConversationStats | None = None
    busiest: Busiest | None = None


def families(stats: RouterStats, health: Health, parts: Parts) -> Iterator[Told]:
    """Yield every metric that can be told; of parts that are missing one tells that they are."""
    yield from run_families(stats)
    yield from health_families(health)
    if parts.ledger is not None:
        yield from ledger_families(parts.ledger)
    if parts.dead_letters is not None:
        yield from letter_families(parts.dead_letters)
    if parts.conversations is not None:
        yield from conversation_families(parts.conversations)
    if parts.busiest is not None:
        yield from agent_families(parts.busiest, stats)
    told = {name: float(part is not None) for name, part in parts._asdict().items()}
    says = "1 if a part was told, 0 if a shard did not answer"
    yield of_label("caxton_scrape_parts", Kind.GAUGE, says, "part", told)
