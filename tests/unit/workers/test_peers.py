import pytest

from caxton.ids import SESSION_BIT
from caxton.transport.descriptors import LATE_SESSIONS, MAX_SESSIONS
from caxton.wire.codec import DATA
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_BYTES, MAX_FRAME_MESSAGES
from workers.peers.peer import MOST_ANSWERS, MOST_WINDOW, WINDOW_BYTES
from workers.peers.peers import LEAST_WINDOW, POOL

OWN, OTHER = 7, 8


def meet(shard, number):
    return shard.peers.known(number, shard.marks.mark(number))


def test_a_peer_is_known_by_its_mark(shard):
    """A session is met with its first frame, and a wrong mark is nobody, before and after."""
    session = shard.sessions[0]

    assert shard.peers.known(session, bytes(16)) is None
    peer = meet(shard, session)
    assert peer is meet(shard, session)
    assert shard.peers.known(session, bytes(16)) is None
    assert [peer.mark, peer.their_mark] == [shard.marks.mark(session)] * 2


def test_a_worker_is_told_our_mark_and_a_session_its_own(make_shard):
    """What goes to a worker carries this worker's mark; a session never sees any mark but its own."""
    shard = make_shard(shards=2)

    assert shard.peers.find(OTHER).mark == shard.marks.mark(OWN)
    assert shard.peers.find(OTHER).their_mark == shard.marks.mark(OTHER)


def test_who_ended_is_not_met_again(shard):
    """After its end a session's frames are nobody's, and its outlets are closed."""
    session = shard.sessions[0]
    peer = meet(shard, session)
    shard.peers.end(session)
    shard.peers.end(session)

    assert meet(shard, session) is None
    assert peer._data.closed
    assert peer._control.closed


def test_a_mark_ends_with_its_session(shard):
    """A session whose client holds no lock is nobody, also where its end was never told; its mark opens no place."""
    gone, alive = shard.sessions[:2]
    shard.gone.add(gone)

    assert meet(shard, gone) is None
    assert not shard.peers.vouches(gone, shard.marks.mark(gone))
    assert shard.peers.find(gone) is None
    assert shard.peers.vouches(alive, shard.marks.mark(alive))
    assert meet(shard, alive) is not None


def test_answers_without_room_wait_in_order(shard):
    """An answer that finds no room goes before the next one, or with the next tick; of too many the last is refused."""
    peer = meet(shard, shard.sessions[0])
    peer._control.open = False
    taken = [peer.answer(bytearray(number.to_bytes(2))) for number in range(MOST_ANSWERS + 1)]
    assert taken == [True] * MOST_ANSWERS + [False]
    peer._control.open = True
    shard.tick()
    assert peer.answer(bytearray(b"last"))

    answers = [number.to_bytes(2) for number in range(MOST_ANSWERS)]
    assert [frame for frame in peer._control.frames if frame in {*answers, b"last"}] == [*answers, b"last"]


def test_nobody_meets_itself(shard):
    """A frame that claims to be from this worker itself is nobody's, whatever its mark."""
    assert meet(shard, OWN) is None


def test_there_are_so_many_sessions(shard):
    """Beyond the sessions that there is room for a further one is not met, until one of them ends."""
    for n in range(MAX_SESSIONS + LATE_SESSIONS + 1):
        meet(shard, SESSION_BIT | n)
    assert meet(shard, SESSION_BIT | 5_000) is None

    shard.peers.end(SESSION_BIT | 3)
    assert meet(shard, SESSION_BIT | 5_000) is not None


@pytest.mark.parametrize("sessions", [1, 4, 5, 100, 512, 600])
def test_sessions_share_the_pool(shard, sessions):
    """Every session has the same part of the pool, within bounds, also after others have ended."""
    for n in range(sessions + 3):
        meet(shard, SESSION_BIT | n)
    for n in range(3):
        shard.peers.end(SESSION_BIT | n)
    part = max(LEAST_WINDOW, min(MOST_WINDOW, POOL // sessions))

    assert {peer.link.incoming.window_messages for peer in shard.peers.sessions()} == {part}
    assert all(peer.link.changed for peer in shard.peers.sessions())


def test_who_comes_and_goes_bothers_nobody_for_nothing(shard):
    """Where the share is the least there is, it is the same for one more or less, and the others are told nothing."""
    for n in range(600):
        meet(shard, SESSION_BIT | n)
    others = [peer for peer in shard.peers.sessions() if peer.number != SESSION_BIT]
    for peer in others:
        peer.state()
    shard.peers.end(SESSION_BIT)
    newcomer = meet(shard, SESSION_BIT | 5_000)

    assert newcomer.link.changed
    assert not any(peer.link.changed for peer in others)


def test_an_overloaded_worker_gives_sessions_no_more(make_shard):
    """While a worker holds sessions back they get no further credit; other workers are held back by themselves."""
    shard = make_shard(shards=2)
    peer = meet(shard, shard.sessions[0])
    before = peer.state().credit_messages
    other = shard.peers.find(OTHER).link.incoming
    assert shard.peers.hold_back(sessions=True, workers=False) == [peer.number]
    peer.link.incoming.take(1, before, 0)
    peer.link.incoming.place(before, 0)
    assert peer.state().credit_messages == before
    assert (other.window_messages, other.window_bytes) == (MOST_WINDOW, WINDOW_BYTES)

    assert shard.peers.hold_back(sessions=False, workers=True) == [OTHER, peer.number]
    assert peer.state().credit_messages > before
    assert (other.window_messages, other.window_bytes) == (0, 0)
    assert shard.peers.hold_back(sessions=False, workers=True) == []


def test_frames_are_full_and_no_longer(shard, message):
    """Packed messages are numbered on and on, at most 256 to a frame and 256 KiB, but for one that is larger alone."""
    session = shard.sessions[0]
    peer = meet(shard, session)
    sizes = [10] * 600 + [100_000] * 7 + [3_000_000] + [50_000] * 20 + [9_000_000, 1]
    messages = [message(5, session, content=bytes(size)) for size in sizes]
    packed = [frame for some in (messages[:300], messages[300:], []) for frame in peer.pack(some, tells=False)[0]]
    frames = [DATA.decode(frame) for frame in packed]

    assert [m for frame in frames for m in frame.messages] == messages
    assert all(len(raw) <= MAX_FRAME_BYTES for raw in packed)
    for raw, frame in zip(packed, frames, strict=True):
        assert len(frame.messages) <= MAX_FRAME_MESSAGES
        assert len(raw) <= FULL_FRAME_BYTES or len(frame.messages) == 1
    expected = 1
    for frame in frames:
        assert frame.first == expected
        expected += len(frame.messages)
    assert peer.link.outgoing.emitted == expected - 1


def test_workers_come_and_go_with_the_topology(make_shard):
    """A new topology's workers are met at once, those it no longer names are ended, the others are kept."""
    shard = make_shard(shards=3)
    kept, gone = shard.peers.find(8), shard.peers.find(9)

    assert shard.peers.serve([OWN, 8, 12]) == [2]
    assert shard.peers.find(8) is kept
    assert gone._data.closed
    assert meet(shard, 9) is None
    assert shard.peers.find(12) is not None
    assert shard.peers.serve([OWN, 8, 0]) == [2]
    assert shard.peers.serve([OWN, 8, 0]) == []


def test_close_twice_is_fine(shard):
    """Closing disconnects from everybody; closing again does nothing."""
    peer = meet(shard, shard.sessions[0])
    shard.peers.close()
    shard.peers.close()

    assert peer._data.closed
    assert shard.peers.by_number == {}
