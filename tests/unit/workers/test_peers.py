import pytest

from caxton.config.delivery import DeliverySettings
from caxton.delivery.windows import LEAST_WINDOW, MOST_WINDOW
from caxton.ids import SESSION_BIT
from caxton.transport.descriptors import LATE_SESSIONS, MAX_SESSIONS
from caxton.wire.codec import DATA
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_BYTES, MAX_FRAME_MESSAGES
from workers.peers import peers as peers_module
from workers.peers.peer import MOST_ANSWERS, WINDOW_BYTES
from workers.peers.peers import MOST_CONTROL, POOL, WORKER_POOL, WORKER_POOL_BYTES

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


def test_so_many_of_those_who_ended_are_known(shard, monkeypatch):
    """Beyond the bound the one that ended first is forgotten, and its late frames are a stranger's again."""
    monkeypatch.setattr(peers_module, "ENDED_KNOWN", 2)
    for number in shard.sessions[:3]:
        shard.peers.end(number)

    assert [shard.peers.has_ended(number) for number in shard.sessions[:3]] == [False, True, True]


def test_an_outlet_for_control_holds_few_frames(shard):
    """What a peer does not read stays in a socket up to its mark: 256 control frames, and data as credit allows."""
    peer = meet(shard, shard.sessions[0])
    assert peer._control.most_frames == MOST_CONTROL == 256


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


def test_a_client_that_leaves_too_many_bytes_unread_gets_no_more(shard, message, monkeypatch):
    """As many bytes as may be unread are no hindrance, one more is, until the client has read."""
    peer = meet(shard, shard.sessions[0])
    frames, _ = peer.pack([message(5, peer.number, content=bytes(1_000))], tells=False)
    monkeypatch.setattr("workers.peers.peer.MOST_UNREAD_BYTES", len(frames[0]))
    assert peer.room() > 0
    peer.pack([message(5, peer.number, content=b"")], tells=False)
    assert peer.room() == 0

    peer.link.outgoing.acknowledged = peer.link.outgoing.emitted
    assert peer.room() > 0


@pytest.mark.parametrize("bound", ["MUCH_UNREAD", "MUCH_UNREAD_BYTES"])
def test_a_client_that_leaves_much_unread_may_send_no_more(shard, message, monkeypatch, bound):
    """What causes answers waits with the client until it has read some: as much as is let be is no hindrance."""
    peer = meet(shard, shard.sessions[0])
    frames, _ = peer.pack([message(5, peer.number)], tells=False)
    monkeypatch.setattr(f"workers.peers.peer.{bound}", 1 if bound == "MUCH_UNREAD" else len(frames[0]))
    assert not shard.peers.heed_unread(peer)
    peer.pack([message(5, peer.number)], tells=False)
    assert shard.peers.heed_unread(peer)
    assert not shard.peers.heed_unread(peer)
    shard.peers.share_pool()
    before = peer.state().credit_messages
    peer.link.incoming.take(1, before, 0)
    peer.link.incoming.place(before, 0)
    assert peer.state().credit_messages == before

    peer.link.outgoing.acknowledged = peer.link.outgoing.emitted
    assert shard.peers.heed_unread(peer)
    assert peer.link.changed
    assert peer.state().credit_messages > before


def test_how_far_messages_went_is_told_until_they_are_acknowledged(shard, message):
    """The word goes the way of the data, behind them, and has no message in it."""
    peer = meet(shard, shard.sessions[0])
    peer.say_how_far()
    assert not peer._data.frames
    peer.pack([message(5, peer.number)] * 3, tells=False)
    peer.say_how_far()
    word = DATA.decode(peer._data.frames[-1])
    assert (word.source, word.lane, word.first, word.messages) == (shard.own, 0, 4, [])
    peer.link.outgoing.acknowledged = 3
    peer.say_how_far()
    assert len(peer._data.frames) == 1


def test_answers_that_wait_are_bounded_in_bytes(shard, monkeypatch):
    """Once as many bytes of answers wait as may, a further one is refused, and taken again when there is room."""
    monkeypatch.setattr("workers.peers.peer.MOST_ANSWERS_BYTES", 20)
    peer = meet(shard, shard.sessions[0])
    peer._control.open = False
    assert [peer.answer(bytearray(10)) for _ in range(3)] == [True, True, False]
    peer._control.open = True
    assert peer.answer(bytearray(10))


def test_those_who_leave_most_unread_get_no_more(shard, message, monkeypatch):
    """While all clients together leave too much unread, those beyond their part are sent and answered no more."""
    heavy, light = (meet(shard, session) for session in shard.sessions[:2])
    frames, _ = heavy.pack([message(5, heavy.number, content=bytes(1_000))], tells=False)
    light.pack([message(5, light.number)], tells=False)
    size = heavy.unread_bytes + light.unread_bytes
    assert heavy.unread_bytes == len(frames[0]) > light.unread_bytes > 0

    monkeypatch.setattr(peers_module, "MOST_UNREAD_IN_ALL", size)
    shard.tick()
    assert heavy.room() > 0

    monkeypatch.setattr(peers_module, "MOST_UNREAD_IN_ALL", size - 1)
    shard.tick()
    assert heavy.room() == 0
    assert not heavy.answer(bytearray(b"x"))
    assert light.room() > 0
    assert light.answer(bytearray(b"x"))

    heavy.link.outgoing.acknowledged = heavy.link.outgoing.emitted
    shard.tick()
    assert heavy.room() > 0


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

    incoming = [peer.link.incoming for peer in shard.peers.sessions()]
    assert {(link.window_messages, link.window_bytes) for link in incoming} == {(part, WINDOW_BYTES)}
    assert all(peer.link.changed for peer in shard.peers.sessions())


@pytest.mark.parametrize(("most", "sessions", "part"), [(64, 1, 64), (1_000, 4, 1_000), (8_192, 8, 4_096)])
def test_a_session_has_the_window_that_is_set(make_shard, most, sessions, part):
    """Or its part of the pool where that is less."""
    shard = make_shard(delivery=DeliverySettings(outbound_queue_size=most))
    for n in range(sessions):
        meet(shard, SESSION_BIT | n)

    assert {peer.link.incoming.window_messages for peer in shard.peers.sessions()} == {part}


@pytest.mark.parametrize("others", [1, 2, 3, 8, 31])
def test_workers_share_pools_of_their_own(make_shard, others):
    """Every other worker has the same part of what workers may have under way, in messages and in bytes."""
    shard = make_shard(shards=others + 1)
    shard.peers.share_pool()
    links = [shard.peers.find(OTHER + n).link.incoming for n in range(others)]
    part = min(MOST_WINDOW, WORKER_POOL // others), min(WINDOW_BYTES, WORKER_POOL_BYTES // others)

    assert {(link.window_messages, link.window_bytes) for link in links} == {part}


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
