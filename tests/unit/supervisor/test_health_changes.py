"""Events of health."""

from caxton.supervisor.desk.health_changes import HealthChanges
from caxton.wire.told import HealthReason


def reason(name, level="problem", since=1):
    """A reason of shard 0."""
    return HealthReason(name, level, 0, f"{name} holds", "wait", since)


def test_a_reason_that_begins_and_the_end_of_the_last_one_are_told():
    """Once each; warnings are no matter of health."""
    told = []
    changes = HealthChanges(lambda event: told.append((event.name, event.fields.get("name"))))
    for seen in (
        [],
        [reason("keys_near", "warning")],
        [reason("disk_full"), reason("keys_near", "warning")],
        [reason("disk_full"), reason("shard_failed")],
        [reason("disk_full")],
        [],
        [reason("disk_full", since=2)],
    ):
        changes.look(seen)

    assert told == [
        ("health_degraded", "disk_full"),
        ("health_degraded", "shard_failed"),
        ("health_restored", None),
        ("health_degraded", "disk_full"),
    ]
