"""Where a runtime lives and how it serves: options first, then `CAXTON_*` of the environment, then defaults.

Pure: the environment comes in as a mapping, and nothing here looks at the disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from caxton.config.conversations import DEFAULT_CONVERSATIONS, ConversationSettings
from caxton.config.delivery import DEFAULT_DELIVERY, DeliverySettings
from caxton.config.gateway import GatewaySettings
from caxton.config.log_levels import DEFAULT_LEVELS, LogLevels
from caxton.config.setting import Setting
from caxton.errors import ConfigurationError
from caxton.lines import CONSOLE
from caxton.placement.slot_table import MAX_WORKERS

# Design, section 1: at most 5 restarts in 30 s; a drain ends in 10 s.
RESTART_LIMIT = 5
DRAIN_TIMEOUT_S = 10.0
# A worker without agents holds about 45 MiB (a test looks): a limit below this would leave no room for any.
LEAST_MEMORY_LIMIT_MIB = 128
# The least and the most of each: more than 10,000 restarts in 30 s cannot be, a drain ends within a day, and no worker
# has a TiB of memory.
BOUNDS = {
    "restart_limit": (0, 10_000),
    "drain_timeout_s": (0, 86_400),
    "worker_memory_limit_mib": (LEAST_MEMORY_LIMIT_MIB, 1 << 20),
}


@dataclass(frozen=True)
class ServeSettings:
    """How one runtime serves. `workers` None: as many as the data directory was made with.

    workers_when_made: how many a data directory is made with where `workers` says nothing, None for one for each core.
    restart_limit: restarts of one shard within 30 s before it is given up. drain_timeout_s: seconds from the first
    signal to the kill, and to one worker's kill in a planned restart. worker_memory_limit_mib: resident memory beyond
    which a worker is restarted in good order, None for no limit. gateway_principals: whether sessions may act for
    others than the owner of the runtime. gateway: where HTTP is served, None for nowhere. log_levels: from which
    levels on processes log. log_format: "console"
    or "json". effective: all of it as it is told. Raises ConfigurationError for numbers outside their bounds.
    """

    runtime_dir: Path
    data_dir: Path
    workers: int | None = None
    workers_when_made: int | None = None
    restart_limit: int = RESTART_LIMIT
    drain_timeout_s: float = DRAIN_TIMEOUT_S
    worker_memory_limit_mib: int | None = None
    gateway_principals: bool = False
    log_levels: LogLevels = DEFAULT_LEVELS
    log_format: str = CONSOLE
    delivery: DeliverySettings = DEFAULT_DELIVERY
    conversations: ConversationSettings = DEFAULT_CONVERSATIONS
    gateway: GatewaySettings | None = None
    effective: tuple[Setting, ...] = ()

    def __post_init__(self) -> None:
        for option, path in (("--runtime-dir", self.runtime_dir), ("--data-dir", self.data_dir)):
            if not _is_utf8(str(path)):
                raise ConfigurationError(option, f"{str(path)!r} is not UTF-8", "choose a directory with another name")
        for workers in (self.workers, self.workers_when_made):
            if workers is not None and not 1 <= workers <= MAX_WORKERS:
                raise ConfigurationError("--workers", f"{workers} workers", f"choose from 1 to {MAX_WORKERS}")
        for field, (least, most) in BOUNDS.items():
            value = getattr(self, field)
            if value is not None and not least <= value <= most:  # what is no number is within no bounds
                option = f"--{field.removesuffix('_s').removesuffix('_mib').replace('_', '-')}"
                raise ConfigurationError(option, f"{value} is out of bounds", f"choose from {least} to {most}")


def runtime_directory(option: Path | None, environ: Mapping[str, str], uid: int) -> Path:
    """Return where the sockets are: the option, CAXTON_RUNTIME_DIR, $XDG_RUNTIME_DIR/caxton or /tmp/caxton-<uid>."""
    if option is not None:
        return option
    if environ.get("CAXTON_RUNTIME_DIR"):
        return Path(environ["CAXTON_RUNTIME_DIR"])
    if environ.get("XDG_RUNTIME_DIR"):
        return Path(environ["XDG_RUNTIME_DIR"]) / "caxton"
    return Path(f"/tmp/caxton-{uid}")  # noqa: S108 (RuntimeDir.check refuses it unless it is ours alone)


def data_directory(option: Path | None, environ: Mapping[str, str]) -> Path:
    """Return where the shards' files are: the option, CAXTON_DATA_DIR or ~/.local/share/caxton.

    Raises ConfigurationError when nothing is set, not even HOME.
    """
    if option is not None:
        return option
    if environ.get("CAXTON_DATA_DIR"):
        return Path(environ["CAXTON_DATA_DIR"])
    if environ.get("HOME"):
        return Path(environ["HOME"]) / ".local" / "share" / "caxton"
    raise ConfigurationError("--data-dir", "HOME is not set", "name a directory with --data-dir or CAXTON_DATA_DIR")


def default_workers(cores: int) -> int:
    """Return how many workers a new data directory gets: one for each core, at most 32."""
    return max(1, min(cores, MAX_WORKERS))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
