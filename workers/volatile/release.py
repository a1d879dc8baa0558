"""What makes a pass true: commit, then send, then acknowledge and give credit. In this order, whatever happens.

On the volatile lane the commit is that of the books: from then on what the pass took counts as taken, and what it
emits as emitted, even if the process dies before the first frame leaves.
"""

from caxton.delivery.latency import bucket_of
from caxton.store.books import Book
from workers.conversations.conversations import Conversations
from workers.peers.peer import Peer
from workers.peers.peers import Peers
from workers.queues.backlogs import Backlogs
from workers.worker_pass import Pass

Frames = list[tuple[Peer, bytearray]]


def release(
    a_pass: Pass, peers: Peers, backlogs: Backlogs, conversations: Conversations, book: Book, gauges: dict[str, int]
) -> int:
    """Commit the pass, send its frames, tell its sources. Returns how many frames found no room in a socket."""
    frames = _pack(a_pass, peers, backlogs, conversations, book)
    _commit(a_pass, book, gauges)
    unsent = 0
    for target, frame in frames:
        if not target.send(frame):
            unsent += 1
            target.announce()  # the state of the link may have been in it: now it goes alone
    for number in a_pass.tell:
        peer = peers.find(number)
        if peer is None:
            continue
        if peer.link.changed:
            peer.send_state()
        if peer.announced:
            peer.send_durable_state()
    return unsent


def _pack(a_pass: Pass, peers: Peers, backlogs: Backlogs, conversations: Conversations, book: Book) -> Frames:
    frames: Frames = []
    counts = a_pass.counts
    for number, messages in a_pass.emitted.items():
        peer = peers.find(number)
        if peer is None:
            counts["session_gone"] += len(messages)
            continue
        if peer.is_session:
            room = peer.room()
            counts["session_full"] += max(0, len(messages) - room)
            del messages[room:]
            conversations.leave(messages)
        tells = peer.is_session and peer.link.changed and number in a_pass.tell
        packed, left = peer.pack(messages, tells=tells)
        frames += [(peer, frame) for frame in packed]
        if peer.is_session:
            peers.heed_unread(peer)
        counts["emitted_to_sessions" if peer.is_session else "emitted_to_workers"] += len(messages) - len(left)
        if left:  # more bytes than there is credit for: they were to go first, and are the first to go
            backlogs.put_back(peers.workers.index(number), left, a_pass)
        book.emitted(number, peer.link.outgoing.emitted)
    backlogs.released()
    counts["frames_out"] += len(frames)
    return frames


def _commit(a_pass: Pass, book: Book, gauges: dict[str, int]) -> None:
    a_pass.counts["run"] += a_pass.turns - a_pass.counts["expired"] - a_pass.held_back
    a_pass.counts["passes"] += 1
    for name, n in a_pass.counts.items():
        if n:
            book.count(name, n)
    for name, value in gauges.items():
        book.gauge(name, value)
    for number, taken in a_pass.taken.items():
        book.taken(number, taken)
    for name, took_ns, count in a_pass.latencies:
        book.record(name, bucket_of(took_ns), count)
    book.commit()
