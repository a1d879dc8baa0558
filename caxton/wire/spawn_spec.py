"""What the supervisor tells a worker at its birth, over its standard input: secrets do not belong on a command line."""

import msgspec

from caxton.config.conversations import DEFAULT_CONVERSATIONS, ConversationSettings
from caxton.config.delivery import DEFAULT_DELIVERY, DeliverySettings
from caxton.errors import ConfigurationError, InvalidMessageFormat
from caxton.placement.slot_table import SlotTable
from caxton.wire.frames import VERSION


class SpawnSpec(msgspec.Struct, array_like=True, frozen=True):
    """Who the worker is and what it works with. Keys are 32 bytes each; paths are absolute.

    incarnation: unique over the life of the data directory. last_crash: the crash note of the shard's last worker,
    when that one died in a turn. delivery: for the whole runtime; see `dead_letter_capacity` for this shard's share.
    most_sessions: how many clients the runtime has room for. release: of the supervisor; its workers are of the same
    one, or end at once. conversations: what these are limited to in the whole runtime. log_level: from which on it
    logs, as in `logging`. log_format: how it writes that. keeps_records: whether somebody exports what it
    logs. log_levels: of modules that log from another level on.
    """

    runtime_dir: str
    data_dir: str
    shard: int
    incarnation: int
    supervisor_pid: int
    table: SlotTable
    marks_key: bytes
    naming_key: bytes
    cache_key: bytes
    last_crash: bytes | None = None
    delivery: DeliverySettings = DEFAULT_DELIVERY
    most_sessions: int = 1_024
    release: str = ""
    conversations: ConversationSettings = DEFAULT_CONVERSATIONS
    log_level: int = 20
    log_format: str = "console"
    keeps_records: bool = False
    log_levels: dict[str, int] = {}

    @property
    def dead_letter_capacity(self) -> int:
        """How many dead letters this shard keeps: its even share of what the runtime keeps."""
        return self.delivery.capacity_of(self.shard, max(self.table.owners) + 1)

    def encode(self) -> bytes:
        """Return the bytes to write to the worker's standard input."""
        return VERSION + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, raw: bytes) -> "SpawnSpec":
        """Read what `encode` wrote; raises InvalidMessageFormat."""
        if raw[:1] != VERSION:
            raise InvalidMessageFormat(
                "spawn spec", "not from this version's supervisor; start workers with `caxton serve`"
            )
        try:
            return msgspec.msgpack.decode(raw[1:], type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidMessageFormat("spawn spec", str(error)) from None

    def check_release(self, own: str) -> None:
        """Raise ConfigurationError unless the supervisor is of the worker's own release."""
        if self.release != own:
            raise ConfigurationError(
                f"worker of release {own}",
                f"its supervisor is of release {self.release}: what is installed was replaced while it ran",
                "end that runtime with `caxton stop`, and serve again",
            )
