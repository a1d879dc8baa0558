"""The Python client of a program without an event loop. It has the calls of `caxton.Client`, without `await`.

with caxton.connect_sync() as client:
    echo = client.deploy("echo", Path("echo.wasm"))
    receipt = client.send(echo, b"hello")
    reply = client.request(echo, b"hello", timeout_s=5)
"""

from pathlib import Path

from caxton.remote.connecting import connect
from caxton.sync.calls.all_calls import AllCalls


def connect_sync(  # noqa: PLR0913 (by name, each with a default)
    runtime_dir: Path | str | None = None,
    *,
    reconnect: bool = True,
    principal: str = "",
    token: str | None = None,
    ca: Path | str | None = None,
    cert: Path | str | None = None,
    insecure_http: bool = False,
    trace_sampling_ratio: float = 0.0,
) -> "Client":
    """Connect to the runtime in `runtime_dir`, CAXTON_RUNTIME_DIR or the usual place, for a `with` or until `close`.

    Its arguments are those of `caxton.connect`, and it raises what that does, and what opening that client does:
    RuntimeNotFound when nobody serves there.
    """
    return Client(
        connect(
            runtime_dir,
            reconnect=reconnect,
            principal=principal,
            token=token,
            ca=ca,
            cert=cert,
            insecure_http=insecure_http,
            trace_sampling_ratio=trace_sampling_ratio,
        )
    )


class Client(AllCalls):
    """Everything a program may ask of a runtime, over one session, from any thread. Made by `caxton.connect_sync`."""
