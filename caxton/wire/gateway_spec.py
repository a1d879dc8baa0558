"""What the supervisor tells the gateway on its standard input, and what that tells back on its standard output."""

from typing import Annotated

import msgspec

from caxton.errors import ConfigurationError, InvalidMessageFormat

# What the gateway writes when it answers requests, and again each second.
TICK = b"."
TICK_PERIOD_S = 1.0


class GatewaySpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a gateway is: it has no state of its own.

    descriptor: of the socket that listens at `address` and `port`, which it inherits. names: by which requests may
    call it, besides the address. release: of the supervisor. log_level: as in `logging`.
    """

    runtime_dir: str
    data_dir: str
    supervisor_pid: Annotated[int, msgspec.Meta(gt=0)]
    descriptor: Annotated[int, msgspec.Meta(ge=0)]
    address: str
    port: Annotated[int, msgspec.Meta(gt=0, le=65_535)]
    names: tuple[str, ...]
    release: str
    log_level: int

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
