"""When durable messages are late: their timeouts count while their agents could have them, whatever the clocks do."""

import pytest

from caxton.acl.envelope import Rare
from caxton.agents.manifest import Encoding
from caxton.config.delivery import DeliverySettings
from caxton.errors import MessageExpired
from caxton.wire.calls import DeadLetterFilter
from workers.agents.absences import NEVER_AWAY, PRESENT, changed, present_ms
from workers.agents.registry import Hold
from workers.loop.maintenance import LOOK_EVERY

HOUR_S = 3_600
RETENTION_MS = 3 * HOUR_S * 1_000


@pytest.fixture
def shard(make_shard, clocks):
    """A shard with a file that keeps what waits for three hours; its clocks are the test's."""
    shard = make_shard(durable=True, delivery=DeliverySettings(retention_ms=RETENTION_MS))
    shard.clocks = clocks
    return shard


@pytest.fixture
def client(make_far, shard):
    """A client that is greeted with the shard."""
    return make_far(shard.sessions[0], shard)


@pytest.fixture
def attached(shard):
    """An agent whose turns a client runs; nobody does now."""
    agent = shard.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    return agent


@pytest.fixture
def send(client, converse, durable_message):
    """A function that sends a message, with a timeout of so many seconds."""

    def sent(shard, agent, timeout_s=1, rare=None):
        client.send(durable_message(client.number, agent.agent_id, timeout_ms=timeout_s * 1_000, rare=rare))
        converse(shard, client)

    return sent


def serve(shard, clocks, seconds):
    """Let time go by in which the worker serves, and then let it look at what waits."""
    while seconds > 0:
        clocks.wait(min(seconds, 4))
        seconds -= 4
        shard.worker._tick()
    for _ in range(LOOK_EVERY):
        shard.worker._tick()
    shard.work()


def standing(shard):
    """Return how many messages wait, and how many have expired."""
    ledger = shard.ledger()
    return ledger.pending, ledger.counts.get("expired", 0)


def test_what_waits_for_who_is_away_does_not_expire(shard, attached, send, clocks):
    """A second is not over in an hour in which no program runs the agent; it is over a second after one does."""
    send(shard, attached)
    serve(shard, clocks, HOUR_S)
    assert standing(shard) == (1, 0)

    attached.attach(shard.sessions[1])
    serve(shard, clocks, 0.9)
    assert standing(shard) == (1, 0)
    serve(shard, clocks, 0.1)
    assert standing(shard) == (0, 1)


@pytest.mark.parametrize("why", [Hold.PAUSED, Hold.FAILED, Hold.BROKEN])
def test_what_waits_for_an_agent_that_runs_no_turns_does_not_expire(shard, client, send, clocks, converse, why):
    """What came before an agent was paused, failed or left alone is handled when it runs again."""
    agent = shard.agent(1)
    agent.hold(Hold.PAUSED)
    send(shard, agent)
    agent.hold(why)
    agent.release(Hold.PAUSED if why is not Hold.PAUSED else Hold(0))
    serve(shard, clocks, HOUR_S)
    agent.release(why)
    shard.dispatcher.resume(agent)
    converse(shard, client)

    assert (standing(shard), len(shard.turns.ran)) == ((0, 0), 1)


def test_the_times_in_which_an_agent_is_there_add_up(shard, attached, send, clocks):
    """A program that comes and goes uses up a message's timeout while it is there, over all its stays."""
    attached.attach(shard.sessions[1])
    send(shard, attached)
    for _ in range(3):
        serve(shard, clocks, 0.3)
        attached.attach(0)
        serve(shard, clocks, 60)
        attached.attach(shard.sessions[1])
    assert standing(shard) == (1, 0)
    serve(shard, clocks, 0.1)
    assert standing(shard) == (0, 1)


def test_what_nobody_comes_for_is_kept_for_the_retention(shard, attached, client, send, clocks, converse):
    """After the retention a message is a dead letter, and its sender is told how long it waited."""
    send(shard, attached)
    serve(shard, clocks, RETENTION_MS / 1_000 - 60)
    assert standing(shard) == (1, 0)
    serve(shard, clocks, 60)
    converse(shard, client)

    assert standing(shard) == (0, 1)
    (row,), _ = shard.runner.run(shard.store.letters_with_messages(DeadLetterFilter(), 10))
    assert (row.reason, row.error.error, row.error.fields["timeout_s"]) == (
        "expired",
        MessageExpired.__name__,
        RETENTION_MS / 1_000,
    )


@pytest.mark.parametrize("wall_h", [-24, -1, 0, 1, 24])
@pytest.mark.parametrize("monotonic_h", [0, 1, 24])
def test_clocks_that_jump_make_nothing_late(shard, attached, send, clocks, wall_h, monotonic_h):
    """A wall clock that is set, and a machine that slept, its monotonic clock going on or not, end no timeout."""
    attached.attach(shard.sessions[1])
    send(shard, attached, timeout_s=10)
    clocks.wall_ms += wall_h * HOUR_S * 1_000
    clocks.now_ns += monotonic_h * HOUR_S * 10**9
    serve(shard, clocks, 1)
    assert standing(shard) == (1, 0)
    serve(shard, clocks, 9)
    assert standing(shard) == (0, 1)


@pytest.mark.parametrize("wall_h", [-1, 0, 1])
def test_a_successor_gives_what_remains(shard, attached, send, clocks, restart, wall_h):
    """After a restart, however long it took, a message has what remained of its timeout: no less, and no new start."""
    attached.attach(shard.sessions[1])
    send(shard, attached, timeout_s=60)
    serve(shard, clocks, 40)
    shard.commit()
    clocks.now_ns += HOUR_S * 10**9
    clocks.wall_ms += wall_h * HOUR_S * 1_000
    heir = restart(shard)
    agent = heir.registry.find(attached.agent_id)
    serve(heir, clocks, HOUR_S)
    assert standing(heir) == (1, 0)

    agent.attach(heir.sessions[1])
    serve(heir, clocks, 12)
    assert standing(heir) == (1, 0)
    serve(heir, clocks, 12)
    assert standing(heir) == (0, 1)


def test_a_successor_knows_who_was_away(shard, client, send, clocks, restart, converse):
    """What an agent missed while it was paused is not counted after a restart either."""
    agent = shard.agent(1)
    agent.hold(Hold.PAUSED)
    send(shard, agent)
    serve(shard, clocks, HOUR_S)
    heir = restart(shard, client)
    converse(heir, client)

    assert (standing(heir), len(shard.turns.ran)) == ((0, 0), 1)


@pytest.mark.parametrize(("wall_h", "expired"), [(-1, 0), (0, 0), (1, 1)])
def test_a_moment_goes_by_the_wall_clock(shard, attached, send, clocks, wall_h, expired):
    """What is worth delivering until a moment expires when the wall clock says so, also for who is away."""
    send(shard, attached, rare=Rare(expires_at=clocks.wall_ms + HOUR_S * 1_000))
    clocks.wall_ms += wall_h * HOUR_S * 1_000
    shard.step()
    serve(shard, clocks, 1)
    assert standing(shard) == (1 - expired, expired)


def test_rows_of_before_have_their_whole_time(shard, attached, send, clocks, restart, monkeypatch):
    """What was stored without its times begins to wait when it is read."""
    with monkeypatch.context() as before:
        before.setattr("workers.agents.registry.Agent.take_in", lambda _agent, delivery: delivery)
        send(shard, attached)
    heir = restart(shard)
    heir.registry.find(attached.agent_id).attach(heir.sessions[1])
    serve(heir, clocks, 0.9)
    assert standing(heir) == (1, 0)
    serve(heir, clocks, 0.1)
    assert standing(heir) == (0, 1)


def test_the_file_forgets_the_absences_of_who_is_gone(shard, attached, send):
    """An agent that is removed leaves no absence, and the books balance."""
    send(shard, attached)
    assert shard.ledger().rows["absences"] == 1
    shard.runner.run(shard.lifecycle.remove([attached.agent_id]))
    shard.work()
    assert shard.ledger().rows["absences"] == 0


def test_the_clock_goes_into_the_file_while_anything_waits(shard, attached, send, clocks):
    """Every five seconds a tick asks for a commit that stores the served time; not while nothing waits."""
    journal = shard.durable.journal
    shard.commit()
    serve(shard, clocks, 60)
    assert journal.empty
    send(shard, attached)
    serve(shard, clocks, 4)
    assert journal.empty
    serve(shard, clocks, 1)
    assert not journal.empty
    shard.commit()
    assert shard.ledger().counts["served_ms"] == journal.served.now_ms
    assert journal.empty


def test_absences_add_up():
    """An absence begins once and ends once, and the time of an agent stands still in it."""
    away = changed(NEVER_AWAY, 100, absent=True)
    assert changed(away, 150, absent=True) is away
    assert [present_ms(NEVER_AWAY, 90), present_ms(away, 150)] == [90, 100]
    back = changed(away, 400, absent=False)
    assert back == (300, PRESENT)
    assert changed(back, 500, absent=False) is back
    assert present_ms(back, 450) == 150
