"""What the supervisor tells the gateway on its standard input; `gateway_tick` is what that tells back."""

import signal
from typing import Annotated

import msgspec

from caxton.config.gateway import Tls
from caxton.errors import ConfigurationError, InvalidMessageFormat

# The gateway says so often that it answers requests.
TICK_PERIOD_S = 1.0
# By which it is told, from then on, that settings have changed that it has to ask for.
SETTINGS_CHANGED = signal.SIGUSR1
KEY_BYTES = 32


class Listening(msgspec.Struct, frozen=True):
    """descriptor: of a socket that listens at `address` and `port`, which the gateway inherits."""

    descriptor: Annotated[int, msgspec.Meta(ge=0)]
    address: str
    port: Annotated[int, msgspec.Meta(gt=0, le=65_535)]


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a gateway is: it has no state of its own.

    http, metrics: where each is asked for, None for nowhere. metrics_open: whether metrics need no token. names: by
    which requests may call it, besides the address. tls: of both. trace_sampling_ratio, otlp: as in its settings.
    release: of the supervisor. log_level: as in `logging`. log_levels: of modules that log from another one on.
    session_key: seals the sessions of pages; it is drawn for the run, so that they outlive a gateway.
    """

    runtime_dir: str
    data_dir: str
    supervisor_pid: Annotated[int, msgspec.Meta(gt=0)]
    http: Listening | None
    metrics: Listening | None
    metrics_open: bool
    names: tuple[str, ...]
    release: str
    log_level: int
    tls: Tls | None = None
    trace_sampling_ratio: float = 0.0
    otlp: bool = False
    log_format: str = "console"
    log_levels: dict[str, int] = {}
    session_key: Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]

    @property
    def listening(self) -> tuple[Listening, ...]:
        """Every socket that it inherits."""
        return tuple(place for place in (self.http, self.metrics) if place is not None)

    def encode(self) -> bytes:
        """Return it as it is sent."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, raw: bytes) -> "GatewaySpec":
        """Return what was sent; raises InvalidMessageFormat."""
        try:
            return msgspec.msgpack.decode(raw, type=cls)
        except msgspec.DecodeError as error:
            raise InvalidMessageFormat("the gateway's spec", str(error)) from None

    def check_release(self, own: str) -> None:
        """Raise ConfigurationError unless the supervisor is of this release."""
        if self.release != own:
            problem = f"the supervisor is {self.release}, and the installed gateway {own}"
            raise ConfigurationError("gateway", problem, "stop the runtime and serve again")
