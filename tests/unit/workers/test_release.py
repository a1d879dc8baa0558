import pytest

from caxton.store import books
from caxton.wire.codec import DATA
from workers.peers.peer import MOST_UNREAD
from workers.volatile.release import release
from workers.worker_pass import Pass

OTHER = 8


@pytest.fixture
def seen(make_shard):
    """A shard of two with a session, and in which order its book was committed and its frames left."""
    shard = make_shard(shards=2)
    shard.session, shard.conversations = shard.sessions[0], shard.durable.journal.conversations
    shard.peer = shard.peers.known(shard.session, shard.marks.mark(shard.session))
    shard.order = []
    commit = shard.book.commit

    def committed():
        commit()
        shard.order.append("commit")

    shard.book.commit = committed
    for peer in shard.peers.by_number.values():
        for socket, name in ((peer._data, "frame"), (peer._control, "state")):
            send = socket.send

            def sent(frame, send=send, name=name):
                shard.order.append(name)
                return send(frame)

            socket.send = sent
    return shard


def test_the_book_comes_first_and_the_states_last(seen, message):
    """What a pass took and emits is in the book before any frame leaves, and sources are told after all frames."""
    quiet = seen.peers.known(seen.sessions[1], seen.marks.mark(seen.sessions[1]))
    send = quiet._control.send
    quiet._control.send = lambda frame: seen.order.append("state") or send(frame)
    a_pass = Pass(0, 0)
    a_pass.emitted = {
        seen.session: [message(5, seen.session) for _ in range(300)],
        OTHER: [message(5, 2 << 10 | 1)],
    }
    quiet.link.incoming.take(1, 1, 0)
    quiet.link.incoming.place(1, 0)
    seen.peer.link.incoming.take(1, 3, 0)
    seen.peer.link.incoming.place(3, 0)
    a_pass.taken = {seen.session: 3}
    a_pass.tell = {seen.session, quiet.number, 12345}
    unsent = release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {"queued": 5})

    assert unsent == 0
    assert seen.order == ["commit", "frame", "frame", "frame", "state"]
    book = books.read(seen.path)
    assert (book.taken_from(seen.session), book.emitted_to(seen.session), book.emitted_to(OTHER)) == (3, 300, 1)
    assert book.counters["emitted_to_sessions"] == 300
    assert book.counters["emitted_to_workers"] == 1
    assert book.counters["frames_out"] == 3
    assert book.counters["queued"] == 5


def test_who_gets_a_frame_is_told_by_the_last_of_them(seen, message):
    """The state of a session's link goes with its answers, or alone when these found no room."""
    link = seen.peer.link
    for room, sequence in ((True, 1), (False, 2)):
        seen.peer._data.open = room
        link.incoming.take(sequence, 1, 0)
        link.incoming.place(1, 0)
        a_pass = Pass(0, 0)
        a_pass.emitted = {seen.session: [message(5, seen.session) for _ in range(300)]}
        a_pass.tell = {seen.session}
        release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {})
        assert not link.changed
        assert ("state" in seen.order) is not room

    first, last = (DATA.decode(frame).state for frame in seen.peer._data.frames)
    assert first is None
    assert (last.taken, last.number) == (1, 1)


def test_nobody_is_told_what_has_not_changed(seen):
    """A source that has nothing new to hear of is not told."""
    a_pass = Pass(0, 0)
    seen.peer.send_state()
    seen.order.clear()
    a_pass.tell = {seen.session}
    release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {})

    assert seen.order == ["commit"]


def test_a_client_that_never_reads_is_dropped_for(seen, message):
    """Beyond 65,536 unread messages a client gets no more: they are counted, and never numbered."""
    seen.peer.link.outgoing.emit(MOST_UNREAD - 10, 0)
    for emitted in (30, 5):
        a_pass = Pass(0, 0)
        a_pass.emitted = {seen.session: [message(5, seen.session) for _ in range(emitted)]}
        release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {})

    assert books.read(seen.path).counters["session_full"] == 25
    assert books.read(seen.path).emitted_to(seen.session) == MOST_UNREAD
    assert len(seen.emitted(seen.session)) == 10


def test_messages_for_a_client_that_ended_are_counted(seen, message):
    """What was for a client that ended within the pass is counted as session_gone."""
    a_pass = Pass(0, 0)
    a_pass.emitted = {seen.session: [message(5, seen.session)]}
    seen.peers.end(seen.session)
    release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {})

    assert books.read(seen.path).counters["session_gone"] == 1


def test_frames_that_find_no_room_are_returned_as_a_number(seen, message):
    """A socket without room costs its frames, which the book shows as emitted; the others leave."""
    seen.peer._data.open = False
    a_pass = Pass(0, 0)
    a_pass.emitted = {
        seen.session: [message(5, seen.session) for _ in range(300)],
        OTHER: [message(5, 2 << 10 | 1)],
    }

    assert release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {}) == 2
    assert books.read(seen.path).emitted_to(seen.session) == 300
    assert len(seen.emitted(OTHER)) == 1


def test_a_pass_that_breaks_at_the_book_lets_nothing_out(seen, message):
    """When the book cannot be committed no frame leaves and nobody is told."""
    a_pass = Pass(0, 0)
    a_pass.emitted = {seen.session: [message(5, seen.session)]}
    with pytest.raises(OverflowError):
        release(a_pass, seen.peers, seen.backlogs, seen.conversations, seen.book, {"queued": -1})

    assert seen.order == []
    assert books.read(seen.path).emitted_to(seen.session) == 0
