"""The Python client: it places by itself and talks straight to the workers.

async with caxton.connect() as client:
    echo = await client.deploy("echo", Path("echo.wasm"))
    receipt = await client.send(echo, b"hello")
    reply = await client.request(echo, b"hello", timeout_s=5)
"""

import os
from pathlib import Path

from caxton.client.calls.agent_calls import AgentCalls
from caxton.client.calls.dead_letter_calls import DeadLetterCalls
from caxton.client.calls.message_calls import MessageCalls
from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.config.settings import runtime_directory
from caxton.errors import ConfigurationError
from caxton.printable import shown


def connect(runtime_dir: Path | str | None = None, *, reconnect: bool = True) -> "Client":
    """Return a client of the runtime in `runtime_dir`, CAXTON_RUNTIME_DIR or the usual place, for an `async with`.

    Opening raises RuntimeNotFound when nobody serves there. reconnect: whether it opens another session by itself when
    the runtime has ended and was started again; without, everything ends with NetworkError then. Raises
    ConfigurationError for what is not a path.
    """
    try:
        option = None if runtime_dir is None else Path(runtime_dir)
    except TypeError:
        raise ConfigurationError(
            "runtime_dir", f"{shown(runtime_dir)} is not a path", "give a Path or its text"
        ) from None
    return Client(runtime_directory(option, os.environ, os.geteuid()), reconnect=reconnect)


class Client(MessageCalls, AgentCalls, DeadLetterCalls, RuntimeCalls):
    """Everything a program may ask of a runtime, over one session, for one event loop."""
