"""Control frames in: states of links, hellos, calls, and the supervisor's word."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from caxton.errors import InvalidMessageFormat
from caxton.transport import sockets
from caxton.wire.capable import Capable, Subscribe
from caxton.wire.codec import CONTROL
from caxton.wire.control import AskBeat, Call, Control, FromSupervisor, Hello, LogFrom, SessionEnded, Topology
from caxton.wire.heads import control_head
from caxton.wire.link_state import LinkState
from workers.peers.peer import Peer
from workers.peers.peers import Peers

AT_ONCE, ENOUGH_BYTES = 256, 1 << 20
_FromPeer = LinkState | Hello | Call | Subscribe | Capable


class Listener(Protocol):
    """What is told of control frames whose mark was checked."""

    def heard_state(self, peer: Peer, state: LinkState) -> None:
        """A peer says how the link stands."""

    def heard_hello(self, peer: Peer, hello: Hello) -> None:
        """A peer is there."""

    def heard_call(self, peer: Peer, call: Call) -> None:
        """A client asks for something."""

    def heard_subscribe(self, peer: Peer, word: Subscribe) -> None:
        """A peer wants to be told who has capabilities."""

    def heard_capable(self, peer: Peer, page: Capable) -> None:
        """Another worker tells who has a capability."""

    def heard_topology(self, topology: Topology) -> None:
        """The supervisor says who serves which shard."""

    def heard_session_end(self, session: int) -> None:
        """The supervisor says that a client is gone."""

    def heard_drain(self, phase: int, *, replaced: bool) -> None:
        """The supervisor wants this worker to end."""

    def heard_log_from(self, level: int, modules: Mapping[str, int]) -> None:
        """The supervisor says from which levels on this worker logs."""

    def heard_ask_beat(self, number: int) -> None:
        """The supervisor wants a heartbeat now."""


class ControlInlet:
    """Checks control frames and hands them on."""

    def __init__(self, socket: sockets.Inlet, peers: Peers, own: int, listener: Listener) -> None:
        self._receive = socket.receive
        self._peers = peers
        self._own = own
        self._listener = listener

    def take(self, counts: Counter[str]) -> bool:
        """Take what has come, up to 256 frames or 1 MiB and a frame; True when there may be more."""
        budget = ENOUGH_BYTES
        for _ in range(AT_ONCE):
            if budget <= 0:
                return True
            raw = self._receive()
            if raw is None:
                return False
            budget -= len(raw)
            head = control_head(raw)
            if head is not None and not self._peers.vouches(head.source, head.mark):
                counts["forged"] += 1
                continue
            try:
                control = CONTROL.decode(raw)
            except InvalidMessageFormat:
                counts["garbage"] += 1
                continue
            self._sort(control, counts)
        return True

    def _sort(self, control: Control, counts: Counter[str]) -> None:
        if isinstance(control, FromSupervisor):
            if not self._peers.is_supervisor(control.source, control.mark):
                counts["forged"] += 1
            else:
                self._from_supervisor(control)
            return
        if not isinstance(control, _FromPeer) or control.target != self._own:
            counts["garbage"] += 1
            return
        peer = self._peers.known(control.source, control.mark)
        if peer is None:
            counts["forged"] += 1
        elif isinstance(control, Capable) and peer.is_session:
            counts["garbage"] += 1
        else:
            self._from_peer(peer, control)

    def _from_peer(self, peer: Peer, control: _FromPeer) -> None:
        match control:
            case LinkState():
                self._listener.heard_state(peer, control)
            case Hello():
                self._listener.heard_hello(peer, control)
            case Call():
                self._listener.heard_call(peer, control)
            case Subscribe():
                self._listener.heard_subscribe(peer, control)
            case Capable():
                self._listener.heard_capable(peer, control)

    def _from_supervisor(self, control: FromSupervisor) -> None:
        if isinstance(control, Topology):
            self._listener.heard_topology(control)
        elif isinstance(control, SessionEnded):
            self._listener.heard_session_end(control.session)
        elif isinstance(control, LogFrom):
            self._listener.heard_log_from(control.level, control.modules)
        elif isinstance(control, AskBeat):
            self._listener.heard_ask_beat(control.number)
        else:
            self._listener.heard_drain(control.phase, replaced=control.replaced)
