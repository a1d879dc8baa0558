import asyncio
import contextlib

import pytest

from caxton.errors import StorageError, StorageFull
from workers.agents.registry import Hold
from workers.peers.peer import Peer


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def disk(durable, monkeypatch):
    """What the store says to each commit: None to write it, or the error to raise; it tells what it was given."""

    class Disk:
        answers, tried = [], []

    commit = durable.store.commit

    async def answer(given):
        Disk.tried.append(given)
        error = Disk.answers.pop(0) if Disk.answers else None
        if error is not None:
            raise error
        await commit(given)

    Disk.answers, Disk.tried = [], []
    monkeypatch.setattr(durable.store, "commit", answer)
    monkeypatch.setattr("workers.commit.committer.RETRY_S", 0.001)
    return Disk


def test_nothing_is_acknowledged_or_sent_before_it_is_committed(durable, client, durable_message):
    """Between the pass and the commit neither an acknowledgement nor an answer leaves; after it both do."""
    agent = durable.agent(1)
    durable.turns.work = lambda who, _: b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + client.number.to_bytes(8)
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    client.listen()
    assert len(durable.turns.ran) == 1
    assert (client.acknowledged, client.got) == (0, [])

    durable.commit()
    client.listen()
    assert (client.acknowledged, [m.sender for m in client.got]) == (1, [agent.agent_id])


@pytest.mark.parametrize("written", [True, False])
def test_nothing_leaves_while_its_commit_is_under_way(durable, client, durable_message, monkeypatch, written):
    """Before the store has said that a commit is written no acknowledgement and no frame leaves, nor if it never is."""
    agent = durable.agent(1)
    durable.turns.work = lambda *_: b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + client.number.to_bytes(8)
    commit, heard = durable.store.commit, []

    async def listened(given):
        if written:
            await commit(given)
        client.listen()
        heard.append((client.acknowledged, len(client.got), len(client.refused)))
        if not written:
            raise StorageError("shard-0.db", "I/O error")

    monkeypatch.setattr(durable.store, "commit", listened)
    client.send(durable_message(client.number, agent.agent_id), durable_message(client.number, 9 << 10))
    client.push()
    durable.step()
    with contextlib.nullcontext() if written else pytest.raises(StorageError):
        durable.commit()
    client.listen()

    assert heard == [(0, 0, 0)]
    assert (client.acknowledged, len(client.got), len(client.refused)) == ((2, 1, 1) if written else (0, 0, 0))


def test_a_client_that_ends_while_its_commit_is_written_gets_nothing(durable, client, durable_message, monkeypatch):
    """What the commit holds for it finds nobody to go to afterwards: its sockets are closed, and nothing is sent."""
    agent = durable.agent(1)
    durable.turns.work = lambda *_: b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + client.number.to_bytes(8)
    commit, sent = durable.store.commit, []

    async def ended_meanwhile(given):
        await commit(given)
        durable.worker.heard_session_end(client.number)
        monkeypatch.setattr(Peer, "send", lambda peer, _frame: sent.append(peer.number))

    monkeypatch.setattr(durable.store, "commit", ended_meanwhile)
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    durable.commit()

    assert sent == []
    assert client.number not in durable.durable.outboxes.by_target


def test_a_full_disk_is_waited_out(durable, client, disk, converse, durable_message):
    """While the disk is full the same commit is tried again, clients are told, and nothing is taken; then all go on."""
    agent = durable.agent(1)
    disk.answers = [StorageFull("shard-0.db", "no room")] * 3
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    closed = []
    close = durable.durable.greetings.close
    durable.durable.greetings.close = lambda reason: (closed.append(reason), close(reason))
    durable.commit()
    client.listen()

    assert (closed, client.acknowledged, client.link.outgoing.closed) == (["no room", ""], 1, "")
    assert len(disk.tried) == 4
    assert len(set(map(id, disk.tried))) == 1
    assert len(durable.turns.ran) == 1


def test_a_full_disk_is_told_with_its_time(durable, disk):
    """Since when nothing durable is taken is known until there is room, and how many commits there were."""
    committer, seen = durable.worker._committer, []
    disk.answers = [StorageFull("shard-0.db", "no room")] * 2
    commit = durable.store.commit
    durable.store.commit = lambda given: seen.append((committer.begun_ns > 0, committer.refusing_ns)) or commit(given)
    durable.durable.journal.urgent = True
    durable.commit()

    assert [begun for begun, _ in seen] == [True] * 3
    assert seen[0][1] == 0 < seen[1][1] == seen[2][1]
    assert (committer.begun_ns, committer.refusing_ns, committer.done) == (0, 0, 1)


def test_who_does_not_wait_for_room_is_told_at_once(durable, disk):
    """A full disk ends their wait with StorageFull, which says what is known; who waits for room goes on waiting."""
    disk.answers = [StorageFull("shard-0.db", "no room")]

    async def refused(told):
        with pytest.raises(StorageFull, match="no room; it has taken effect, and is stored when there is room"):
            await told
        return len(disk.tried)

    async def both():
        journal = durable.durable.journal
        async with asyncio.TaskGroup() as group:
            waits = group.create_task(journal.committed_after(lambda: None))
            told = group.create_task(refused(journal.stored_after(lambda: None)))
            group.create_task(durable.worker._committer.commit())
            tried = await told
            assert (tried, waits.done()) == (1, False)

    durable.runner.run(both())
    assert len(disk.tried) == 2


def test_what_comes_while_the_disk_is_full_is_left(durable, client, disk, converse, durable_message):
    """Frames that come while the disk is full are neither taken nor refused, and are taken after it."""
    agent = durable.agent(1)
    durable.durable.greetings.close("no room")
    client.send(durable_message(client.number, agent.agent_id))
    converse(durable, client)
    assert (client.acknowledged, durable.turns.ran, client.link.outgoing.closed) == (0, [], "no room")

    durable.durable.greetings.close("")
    converse(durable, client)
    assert (client.acknowledged, client.refused, len(durable.turns.ran)) == (1, {}, 1)


def test_any_other_error_ends_the_worker(durable, client, disk, durable_message):
    """A commit of which nobody knows whether it was written acknowledges nothing, and is raised."""
    agent = durable.agent(1)
    disk.answers = [StorageError("shard-0.db", "I/O error")]
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    with pytest.raises(StorageError):
        durable.commit()
    client.listen()

    assert client.acknowledged == 0
    assert durable.durable.journal.under_way


def test_one_commit_has_what_many_passes_gathered(durable, client, disk, durable_message):
    """Passes that run while a commit is under way are committed together by the next one, and all are counted."""
    agent = durable.agent(1)
    emitted = b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + client.number.to_bytes(8)
    durable.turns.work = lambda who, _: emitted
    commit, sent = durable.store.commit, []

    async def busy(given):
        if len(sent) < 4:
            for _ in range(2):
                sent.append(1)
                client.send(durable_message(client.number, agent.agent_id))
                client.push()
                durable.step()
        await commit(given)

    durable.store.commit = busy
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    durable.commit()
    client.listen()
    durable.settle()

    assert (len(disk.tried), client.acknowledged, len(client.got)) == (3, 5, 5)
    counts = durable.counts()
    assert (counts["commits"], counts["frames_out"], counts["emitted_to_sessions"]) == (3, 3, 5)


@pytest.mark.parametrize(("rest_ns", "handled"), [(1 << 60, 3), (0, 5)])
def test_passes_rest_when_much_is_gathered_while_a_commit_is_written(
    durable, client, durable_message, monkeypatch, rest_ns, handled
):
    """At the bound of a commit's rows nothing more is handled until the one before is written, or for a while."""
    monkeypatch.setattr("workers.commit.journal.MOST_ROWS", 2)
    monkeypatch.setattr("workers.loop.passes.MOST_REST_NS", rest_ns)
    agent = durable.agent(1)
    to_nobody = b"\x81\xa8messages\x91\x81\xa8receiver\xcf" + (9 << 10).to_bytes(8)
    durable.turns.work = lambda _, given: to_nobody if b"root" in given else None
    commit, ran = durable.store.commit, []

    def send_one():
        client.send(durable_message(client.number, agent.agent_id, content=b"root"))
        client.push()
        durable.step()

    async def busy(given):
        for _ in range(0 if ran else 4):
            send_one()
        ran.append(sum(b"root" in given for _, given in durable.turns.ran))
        await commit(given)

    monkeypatch.setattr(durable.store, "commit", busy)
    send_one()
    durable.commit()
    assert ran[0] == handled

    durable.work()
    client.listen()
    assert (client.acknowledged, len(durable.durable.dead_letters)) == (5, 5)


def test_what_nobody_waits_for_goes_with_the_next(durable, client, disk):
    """A commit begins by itself only when something waits for it; a tick commits what nobody waits for."""
    committer = durable.worker._committer
    durable.durable.journal.processed += 1
    committer.poke()
    assert not committer._wanted.is_set()
    committer.tend()
    assert committer._wanted.is_set()


def test_a_pass_lets_a_commit_begin(durable, client, durable_message):
    """What a pass gathered and somebody waits for is committed at once, and not with the next tick."""
    agent, committer = durable.agent(1), durable.worker._committer
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    assert not committer._wanted.is_set()
    durable.step()
    assert committer._wanted.is_set()


def test_no_pass_delays_the_release_of_a_commit(durable, client, durable_message, monkeypatch):
    """Between the end of a commit and its release a pass only asks to come again, and then takes what came."""
    agent = durable.agent(1)
    commit, ran = durable.store.commit, []

    def one_more():
        client.send(durable_message(client.number, agent.agent_id))
        client.push()
        durable.step()
        ran.append(len(durable.turns.ran))

    async def looked_at(given):
        one_more()
        await commit(given)
        one_more()

    one_more()
    with monkeypatch.context() as patched:
        patched.setattr(durable.store, "commit", looked_at)
        durable.runner.run(once(durable))
    durable.work()
    client.listen()

    assert ran == [1, 2, 2]
    assert (len(durable.turns.ran), client.acknowledged) == (3, 3)


async def once(durable):
    """One commit, and none of what is gathered meanwhile."""
    committer, journal = durable.worker._committer, durable.durable.journal
    closed = journal.close(durable.durable.outboxes.of)
    committer._journal.under_way = True
    await committer._write(closed)
    committer._release(closed)
    committer._journal.under_way = False


def test_finish_commits_all_there_is(durable, client, disk, durable_message, one_turn_of_the_loop):
    """At the end all that was gathered is committed, also during a commit, and nothing begins after it."""
    agent = durable.agent(1)
    agent.hold(Hold.PAUSED)
    client.send(durable_message(client.number, agent.agent_id))
    client.push()
    durable.step()
    committer = durable.worker._committer

    async def end():
        async with asyncio.TaskGroup() as group:
            running = group.create_task(committer.run())
            committer.poke()
            await one_turn_of_the_loop()
            assert committer._journal.under_way
            await committer.finish()
            running.cancel()

    durable.runner.run(end())
    assert durable.durable.journal.empty
    assert durable.ledger().pending == 1
    assert not committer._journal.quiet
