"""A worker under watch: what `python -P -m workers` does, with a watched file system below and a clock of its own.

work: the laboratory's directory. deadly: the name that a relay's content begins with whose turn ends the process.
"""

import os
import re
import sys
import time
from pathlib import Path

from faultlab.orders import Orders
from faultlab.serial import relayed
from faultlab.shadow import Shadow
from faultlab.vfs import WatchedVfs

_NS_PER_MS = 1_000_000


def main(work: str, deadly: str = "") -> int:
    """Serve one shard as a worker does."""
    orders = Orders(Path(work, "orders"))
    WatchedVfs(orders, Shadow(Path(work, "shadow")))
    _move_clock(orders)
    if deadly:
        _abort_on(relayed(deadly, b""))
    from workers.main import main as serve  # noqa: PLC0415 (only now: what it imports must find the moved clock)

    return serve()


def _move_clock(orders: Orders) -> None:
    real = time.time_ns

    def time_ns() -> int:
        return real() + orders.clock_ahead_ms() * _NS_PER_MS

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def _abort_on(content: bytes) -> None:
    """End the process by SIGABRT in the middle of a turn whose content begins so: a death that the turn explains.

    What a relay is to pass on may have it further on, and ends no process before its receiver is given it.
    """
    from workers.sandbox.sandbox import Sandbox  # noqa: PLC0415 (as above)

    handle, is_deadly = Sandbox.handle, beginning_with(content)

    def deadly(self: Sandbox, given: bytes, now_ns: int | None = None) -> bytes | None:
        if is_deadly.search(given):
            os.abort()
        return handle(self, given, now_ns)

    Sandbox.handle = deadly  # type: ignore[method-assign,assignment]


def beginning_with(content: bytes) -> re.Pattern[bytes]:
    """Return what to look for in a message, as a sandbox is given it in MessagePack, whose content begins so."""
    return re.compile(rb"\xa7content\xc4." + re.escape(content), re.DOTALL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
