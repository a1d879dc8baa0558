import pytest

from workers.queues.parking import Parked, Parking

A_SECOND = 1_000_000_000


@pytest.fixture
def park(shard, message):
    """A function that parks agent `number` with `count` effects for a key, since a time in seconds."""

    def make(parking, number, key, count=1, since_s=0):
        agent = shard.registry.find(number << 10) or shard.agent(number)
        parked = Parked(agent, [message(agent.agent_id, 1) for _ in range(count)], (0, 0), since_s * A_SECOND)
        parking.park(parked, key)
        return parked

    return make


def test_who_waits_is_woken_in_order(park):
    """Agents that wait for the same are woken one by one, first come first; for something else, not at all."""
    parking = Parking()
    first, second = park(parking, 1, 7, 2), park(parking, 2, 7, 3)
    park(parking, 3, 8)
    assert parking.messages == 6

    assert [parking.wake(7), parking.wake(7), parking.wake(7)] == [first, second, None]
    assert parking.messages == 1
    assert not first.agent.holds
    assert parking.waited_for() == [8]


def test_who_tried_in_vain_keeps_its_place_and_its_time(park):
    """An agent of which nothing left is first again and has waited since it came; one that got on is new in line."""
    parking = Parking()
    park(parking, 1, 7, 3, since_s=1)
    park(parking, 2, 7, since_s=2)
    before = parking.wake(7)
    again = park(parking, 1, 7, 3, since_s=9)
    parking.keep_place(before)
    assert again.since_ns == A_SECOND
    assert parking.wake(7) is again

    got_on = park(parking, 1, 7, 2, since_s=9)
    parking.keep_place(again)
    assert got_on.since_ns == 9 * A_SECOND
    assert parking.wake(7) is not got_on


def test_every_wait_ends(park):
    """Whoever waits beyond its first effect's 30 s is returned, wherever it stands; the others wait on."""
    parking = Parking()
    late = [park(parking, 2, 7, since_s=1), park(parking, 3, 8, since_s=2)]
    waits = park(parking, 1, 7, since_s=5)
    behind = park(parking, 4, 7, since_s=0)

    assert sorted(p.agent.agent_id for p in parking.expired(33 * A_SECOND)) == sorted(
        p.agent.agent_id for p in (*late, behind)
    )
    assert parking.messages == 1
    assert waits.agent.holds
    assert parking.key_of(waits.agent) == 7


def test_who_is_stopped_waits_no_longer(park):
    """The effects of an agent that is stopped are returned, and forgetting it again returns none."""
    parking = Parking()
    parked = park(parking, 1, 7, 3)
    park(parking, 2, 7)

    assert parking.forget(parked.agent) == parked.effects
    assert parking.forget(parked.agent) == []
    assert (parking.messages, parked.agent.holds, parking.key_of(parked.agent)) == (1, False, None)
