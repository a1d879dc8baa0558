"""Who asked the runtime to stop, and how hard. Signal handlers only record; the supervisor acts."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """`requested`: drain and end. `insisted`: a signal came while that was under way already; kill."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.insisted = asyncio.Event()

    def request(self) -> None:
        """Ask for the drain. Asking twice is the same as asking once."""
        self.requested.set()

    def signalled(self) -> None:
        """Record a signal."""
        if self.requested.is_set():
            self.insisted.set()
        self.requested.set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record SIGINT and SIGTERM while inside; afterwards they do what they did before Python knew them."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.signalled)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
