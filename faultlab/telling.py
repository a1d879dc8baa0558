"""What a child of the laboratory tells, and how it is told to finish: lines of JSON out, the end of its input in."""

import asyncio
import json
import os
import sys
from typing import Any, Self


def tell(event: str, **fields: Any) -> None:
    """Print one event."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Told:
    """Reads standard input on the loop. finish: set at its end."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    def _read(self) -> None:
        if not os.read(sys.stdin.fileno(), 4_096):
            self.finish.set()
            self._stop()

    def _stop(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
