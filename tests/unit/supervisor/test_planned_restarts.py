import pytest

from caxton.errors import ConfigurationError
from caxton.supervisor.workforce.planned_restarts import PlannedRestarts
from caxton.supervisor.workforce.shard import GIVEN_UP, ShardState


class Shard:
    """A shard that only notes what is asked of it."""

    def __init__(self, number, state=ShardState.READY, incarnation=1):
        self.number, self.state, self.incarnation = number, state, incarnation
        self.asked = []

    @property
    def settled(self):
        return self.state is ShardState.READY or self.state in GIVEN_UP

    def retire(self, patience_s):
        self.asked.append(("retire", patience_s))
        self.state = ShardState.DRAINING

    def revive(self):
        self.asked.append(("revive",))
        self.state = ShardState.RESTARTING

    def come_back(self):
        self.state, self.incarnation = ShardState.READY, self.incarnation + 10


def restarts_of(*shards):
    told = []
    return PlannedRestarts(shards, 7.0, told.append), told


def test_one_shard_after_the_other():
    """The next worker is asked to retire when the one before it has a successor that serves."""
    first, second = shards = Shard(0), Shard(1)
    planned, told = restarts_of(*shards)

    planned.ask_all()
    planned.step()
    planned.step()
    assert (first.asked, second.asked, planned.left) == ([("retire", 7.0)], [], [0, 1])
    first.come_back()
    planned.step()
    assert (second.asked, planned.left) == ([("retire", 7.0)], [1])
    second.come_back()
    planned.step()

    assert planned.left == []
    assert [event.name for event in told] == ["restart_began", "restart_ended"]
    assert told[-1].fields == {"absent": []}


@pytest.mark.parametrize("state", sorted(GIVEN_UP))
def test_shards_that_were_given_up_get_a_new_try(state):
    """A failed or quarantined shard is tried again; one that fails again is named at the end, and holds up nobody."""
    lost, well = shards = Shard(0, state, 0), Shard(1)
    planned, told = restarts_of(*shards)

    planned.ask_all()
    planned.step()
    lost.state = state
    planned.step()
    well.come_back()
    planned.step()

    assert (lost.asked, well.asked) == ([("revive",)], [("retire", 7.0)])
    assert (told[-1].level, told[-1].fields) == ("error", {"absent": [0]})


def test_who_got_a_new_worker_meanwhile_is_done():
    """A worker that died before its turn, and whose successor serves, is not restarted once more."""
    first, second = shards = Shard(0), Shard(1)
    planned, _ = restarts_of(*shards)

    planned.ask_all()
    planned.step()
    second.state = ShardState.RESTARTING
    first.come_back()
    planned.step()
    second.come_back()
    planned.step()

    assert second.asked == []
    assert planned.left == []


def test_a_second_request_is_refused_while_one_is_under_way():
    """Restarting all while all are being restarted is an error that names who is to come; afterwards it is not."""
    shard = Shard(3)
    planned, _ = restarts_of(shard)
    planned.ask_all()

    with pytest.raises(ConfigurationError, match="shards 3 are to come"):
        planned.ask_all()
    planned.step()
    shard.come_back()
    planned.step()

    planned.ask_all()
    assert planned.left == [3]


def test_a_shard_is_restarted_alone_and_once():
    """A single shard can be asked for; asking again while it waits adds nothing, and the others go on."""
    first, second = shards = Shard(0), Shard(1)
    planned, told = restarts_of(*shards)

    planned.ask(second)
    planned.ask(second)
    planned.step()
    second.come_back()
    planned.step()

    assert (first.asked, second.asked) == ([], [("retire", 7.0)])
    assert told == []


def test_nothing_is_left_when_the_runtime_drains():
    """What was still to come is forgotten, and nobody else is asked to retire."""
    first, second = shards = Shard(0), Shard(1)
    planned, _ = restarts_of(*shards)
    planned.ask_all()
    planned.step()

    planned.forget()
    first.come_back()
    planned.step()

    assert (second.asked, planned.left) == ([], [])
