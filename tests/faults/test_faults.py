"""Every case in its short form. `scripts/faults --long` is the long one."""

import pytest

# Cases wait as long as the slowest machine may need for each of their steps, and say which one did not come.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("name", ["1", "5", "6"])
def test_processes_killed_under_load_lose_nothing(held, name):
    """Whatever of worker, supervisor or everything is killed under load, nothing acknowledged is lost or runs twice."""
    assert held(name).acknowledged > 0


@pytest.mark.parametrize("name", ["2", "3", "4"])
def test_deaths_at_a_commit_lose_nothing(held, name):
    """A death just before or after the fdatasync of a commit loses nothing, and no effect comes twice."""
    assert held(name).acknowledged > 0


def test_a_power_cut_takes_nothing_that_was_acknowledged(held):
    """With every file as its last fdatasync left it, all that was acknowledged is there."""
    assert held("7").acknowledged > 0


def test_a_full_disk_refuses_and_recovers(held):
    """While the disk is full durable sends are refused and the volatile lane runs; afterwards nothing ran twice."""
    assert held("8").acknowledged > 0


def test_a_damaged_shard_is_quarantined(held):
    """A shard with a flipped byte or a truncated WAL says so and does not serve, and the other one does."""
    assert held("9").acknowledged > 0


def test_a_stopped_worker_is_replaced(held):
    """A worker under SIGSTOP is killed and reaped before its successor is ready, and nothing is lost."""
    assert held("10").acknowledged > 0


@pytest.mark.parametrize("name", ["11", "11b"])
def test_whoever_is_slow_holds_up_nobody_else(held, name):
    """A paused agent and two that flood each other leave memory bounded, the others running and the books balanced."""
    assert held(name).acknowledged > 0


def test_what_waits_on_disk_outlives_its_worker(held):
    """Of a backlog beyond memory nothing is lost, and nothing comes twice, when its worker is killed."""
    assert held("11c").acknowledged > 0


def test_many_agents_in_one_circle_end(held):
    """Tokens go round a circle of a thousand agents whose mailboxes hold one, end by name, and neighbours answer."""
    assert held("11d").acknowledged > 0


def test_a_chain_over_a_shard_that_is_killed_ends(held):
    """A durable chain goes on over a shard that is killed, ends by name, once, and what others send is not lost."""
    assert held("11e").acknowledged > 0


def test_volatile_loss_is_counted(held):
    """After the kill of a receiver of the volatile lane the counted loss is the one that the client sees."""
    assert held("13").acknowledged > 0


def test_poison_is_buried(held):
    """A message that always traps, or ends its worker, becomes a dead letter after as many attempts as allowed."""
    assert held("14").acknowledged > 0


@pytest.mark.parametrize("name", ["15", "16"])
def test_keys_and_clocks_cannot_be_abused(held, name):
    """One idempotency key is delivered once, and a wall clock that jumps lets nothing expire."""
    assert held(name).acknowledged > 0


def test_a_removed_agent_leaves_dead_letters(held):
    """The queue of an agent that is stopped or removed is in the dead letters, all of it, and can be requeued."""
    assert held("17").acknowledged > 0


@pytest.mark.parametrize("name", ["20", "21"])
def test_ends_in_good_order_lose_nothing(held, name):
    """SIGTERM and a rolling restart end in time, and everything acknowledged arrives, in order."""
    assert held(name).acknowledged > 0


def test_a_backlog_survives_the_death_of_all(held):
    """With everything killed in the middle of many messages, the recorder's file and the ledger agree."""
    row = held("shell")

    assert row.acknowledged > 0
    assert row.acknowledged + row.notes["unknown"] == 5_000
