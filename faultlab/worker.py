"""A worker under watch: what `python -P -m workers` does, with a watched file system below and a clock of its own.

work: the laboratory's directory. deadly: content that ends the process in the middle of the turn that is given it.
"""

import os
import sys
import time
from pathlib import Path

from faultlab.orders import Orders
from faultlab.shadow import Shadow
from faultlab.vfs import WatchedVfs

_NS_PER_MS = 1_000_000


def main(work: str, deadly: str = "") -> int:
    """Serve one shard as a worker does."""
    orders = Orders(Path(work, "orders"))
    WatchedVfs(orders, Shadow(Path(work, "shadow")))
    _move_clock(orders)
    if deadly:
        _abort_on(deadly.encode())
    from workers.main import main as serve  # noqa: PLC0415 (only now: what it imports must find the moved clock)

    return serve()


def _move_clock(orders: Orders) -> None:
    real = time.time_ns

    def time_ns() -> int:
        return real() + orders.clock_ahead_ms() * _NS_PER_MS

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def _abort_on(content: bytes) -> None:
    """End the process by SIGABRT in the middle of the turn that is given `content`: a death that the turn explains."""
    from workers.sandbox.sandbox import Sandbox  # noqa: PLC0415 (as above)

    handle = Sandbox.handle

    def deadly(self: Sandbox, given: bytes, now_ns: int | None = None) -> bytes | None:
        if content in given:
            os.abort()
        return handle(self, given, now_ns)

    Sandbox.handle = deadly  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
