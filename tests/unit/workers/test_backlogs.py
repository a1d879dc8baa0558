from workers.queues.backlogs import Backlogs
from workers.queues.dispatcher import Dispatcher
from workers.queues.far_shards import FarShards
from workers.queues.turn_time import TurnTime
from workers.worker_pass import NS_PER_MS, Pass

SENDER, ORIGIN, RECEIVER = 1 << 10, 2 << 10, 9 << 10 | 1
LATER_NS = 20_000 * NS_PER_MS


def after(now_ns, origin=0):
    a_pass = Pass(now_ns, 0)
    a_pass.origin = origin
    return a_pass


def test_what_finds_no_credit_keeps_its_deadline_and_its_origin(message):
    """What was to go and comes back waits no longer than it was going to, and goes back to whose root it follows."""
    backlogs = Backlogs(dispatcher := Dispatcher(TurnTime(lambda: 0, lambda: 0), FarShards({})))
    waited = message(SENDER, RECEIVER)
    backlogs.add(1, waited, 0, ORIGIN)
    assert backlogs.take(1, 5, lambda _size: True) == [waited]
    sent, own = [message(SENDER, RECEIVER), message(SENDER, RECEIVER)], message(SENDER, RECEIVER)
    a_pass = after(LATER_NS)
    a_pass.origins = [(ORIGIN, sent)]
    backlogs.put_back(1, [waited, *sent, own], a_pass)

    assert dispatcher.resting == {ORIGIN: 3, SENDER: 1}
    assert backlogs.expired(waited.timeout_ms * NS_PER_MS) == [waited]
    assert backlogs.expired(LATER_NS + waited.timeout_ms * NS_PER_MS) == [*sent, own]
    assert (dispatcher.resting, backlogs.messages) == ({}, 0)


def test_turns_of_others_roots_note_whose_they_are(make_shard, message):
    """Bytes beyond a link's credit wait for it under the agent whose root they follow from."""
    two = make_shard(shards=2)
    sender = two.agent(1)
    two.peers.find(8).link.outgoing.emit(1, 1 << 30)  # all the bytes that it has credit for, and more
    two.routes.a_pass.origin = ORIGIN
    two.routes.send([message(sender.agent_id, RECEIVER)], (0, 0))
    two.routes.a_pass.origin = 0
    two.settle()

    assert (two.backlogs.messages, two.dispatcher.resting) == (1, {ORIGIN: 1})


def test_what_has_gone_is_not_known_any_more(make_shard, message):
    """What left a backlog is kept until its pass has been released, and no longer."""
    two = make_shard(shards=2)
    two.backlogs.add(1, message(SENDER, RECEIVER), 0, ORIGIN)
    two.routes.go_on(1)
    assert two.backlogs._taken
    two.settle()
    assert (two.backlogs._taken, two.dispatcher.resting) == ([], {})
