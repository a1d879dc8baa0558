"""Who may say what to a worker's inlets: looked at before a large frame is taken, and once for each connection."""

from collections.abc import Callable

from caxton.transport.sockets import Inlet
from caxton.wire.heads import Head, control_head, data_head
from workers.peers.peers import Peers


def guard(data: Inlet, control: Inlet, peers: Peers, count: Callable[[], None]) -> None:
    """Let only peers with their own marks say large frames; `count` is called for connections that were ended."""

    def is_known(head: Head | None) -> bool:
        return head is not None and peers.vouches(head.source, head.mark)

    data.guard(lambda frame, _size: is_known(data_head(frame)), count)
    control.guard(lambda frame, _size: is_known(control_head(frame)), count)
