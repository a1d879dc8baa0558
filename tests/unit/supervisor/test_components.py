"""What is told of each part of the runtime."""

import pytest

from caxton.supervisor.desk.components import Components
from caxton.supervisor.desk.reasons import KINDS, Reasons, ShardSeen, reasons_of
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.condition import Condition
from caxton.wire.told import ComponentHealth, HealthReason

READY = ShardState.READY


@pytest.fixture
def looked():
    """Look at these shards, and at what else there may be."""
    components, reasons = Components(), Reasons()

    def look(*shards, compiler=None, now_ms=10_000):
        found = reasons.look(reasons_of(shards, 0, 100, compiler, None), now_ms)
        return components.look(shards, found, now_ms), components.last_error

    return look


def test_where_all_is_well_every_part_says_so(looked):
    """A shard was last looked at when its worker was heard of, and everything else now."""
    parts, last_error = looked(ShardSeen(0, READY, silent_ms=300), ShardSeen(1, READY))

    assert parts == {
        "shard 0": ComponentHealth("healthy", 9_700, 0),
        **{name: ComponentHealth("healthy", 10_000, 0) for name in ("shard 1", "compiler", "files", "clients")},
    }
    assert last_error is None


def test_a_problem_is_counted_when_it_begins(looked):
    """However often it is looked at; it is the last error also when it is over, and counts again when it comes back."""
    full = ShardSeen(0, READY, Condition(storage="no room"))
    seen = [looked(shard)[0]["shard 0"] for shard in (full, full, ShardSeen(0, READY), full)]

    assert [(part.status, part.error_count) for part in seen] == [
        ("degraded", 1),
        ("degraded", 1),
        ("healthy", 1),
        ("degraded", 2),
    ]
    assert {part.last_error for part in seen} == {"shard 0 takes nothing durable: no room"}


@pytest.mark.parametrize("state", [ShardState.STARTING, ShardState.RESTARTING, ShardState.DRAINING])
def test_a_shard_that_comes_or_goes_has_no_error_by_that(looked, state):
    """It does not serve now, and that is all."""
    parts, last_error = looked(ShardSeen(0, state))

    assert parts["shard 0"] == ComponentHealth("unhealthy", 10_000, 0)
    assert last_error is None


def test_a_compiler_that_starts_is_no_error():
    """Each runtime begins without one."""
    components, shards = Components(), [ShardSeen(0, READY)]
    starting = Reasons().look(reasons_of(shards, 0, 100, "it starts", None, compiler_starts=True), 1)

    assert components.look(shards, starting, 1)["compiler"] == ComponentHealth("degraded", 1, 0)
    assert components.last_error is None


def test_a_death_between_two_looks_is_counted(looked):
    """A worker that died and was replaced meanwhile is an error all the same, and the deaths of another are its own."""
    looked(ShardSeen(0, READY), ShardSeen(1, READY, restarts=1, last_exit="exit code 1"))
    parts, last_error = looked(ShardSeen(0, READY, restarts=2, last_exit="killed by SIGKILL"), ShardSeen(1, READY))

    assert parts["shard 0"] == ComponentHealth("healthy", 10_000, 2, "a worker of shard 0 died: killed by SIGKILL")
    assert parts["shard 1"].last_error == "a worker of shard 1 died: exit code 1"
    assert last_error == parts["shard 0"].last_error


def test_a_warning_is_no_error(looked):
    """What comes near a limit works still."""
    parts, last_error = looked(ShardSeen(0, READY, Condition(dead_letters=9, dead_letter_capacity=10)))

    assert parts["shard 0"].status == "healthy"
    assert last_error is None


def test_what_is_of_no_shard_has_a_part_of_its_own(looked):
    """Without a compiler the shards serve."""
    parts, last_error = looked(ShardSeen(0, READY), compiler="no compiler is ready")

    assert (parts["compiler"].status, parts["shard 0"].status) == ("degraded", "healthy")
    assert last_error == parts["compiler"].last_error == "no compiler is ready"


@pytest.mark.parametrize("name", KINDS)
def test_every_reason_is_of_a_part(name):
    """Whatever can be wrong with the runtime, a part says so."""
    shard = None if name.startswith(("compiler", "files", "clients")) else 0
    ill = HealthReason(name, "problem", shard, "it is so", "wait", 0)
    parts = Components().look([ShardSeen(0, READY)], [ill], 0)

    assert [part.status for part in parts.values()].count("degraded") == 1


def test_a_gateway_is_a_part_where_there_is_to_be_one():
    """It is degraded while there is none, and else healthy."""
    components = Components(has_gateway=True)
    shards, all_is_well = [ShardSeen(0, READY)], reasons_of([ShardSeen(0, READY)], 0, 100, None, None)
    missing = reasons_of(shards, 0, 100, None, None, "the gateway died (exit code 1)")
    seen = [components.look(shards, Reasons().look(found, 1), 1)["gateway"] for found in (all_is_well, missing)]

    assert seen == [
        ComponentHealth("healthy", 1, 0),
        ComponentHealth("degraded", 1, 1, "the gateway died (exit code 1)"),
    ]
