"""Every setting of `caxton serve`: how a file, a flag and the environment call it, and what it may be. One table."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from caxton.acl.conversation_limits import MAX_TIMEOUT_S, MIN_TIMEOUT_S
from caxton.config import conversations, delivery, gateway
from caxton.config.conversations import DEFAULT_CONVERSATIONS
from caxton.config.delivery import DEFAULT_DELIVERY, DEFAULT_RETENTION, DeliverySettings, retention_ms
from caxton.config.log_levels import LOG_LEVELS, read_log_levels
from caxton.config.settings import BOUNDS, DRAIN_TIMEOUT_S, RESTART_LIMIT
from caxton.errors import ConfigurationError
from caxton.lines import CONSOLE, LOG_FORMATS, MODULES
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import shown

_WHOLE = re.compile("-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
PRESET_NAMES = ("development", "testing", "production")


class Kind(Enum):
    """What a setting is, as the reference calls it."""

    WHOLE = "whole number"
    NUMBER = "number"
    SWITCH = "true or false"
    TIME = "time"
    WORD = "word"
    PATH = "path"
    FILE = "file"
    ADDRESS = "address and port"
    NAMES = "names, with commas between them"
    LEVELS = "modules and their levels, with commas between them"


class MisfitError(ValueError):
    """What is wrong with a value, and what to write instead."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True)
class Key:
    """One setting.

    section, name: where it stands in a file; without a section at the top. means: a sentence for help and the
    reference. parameter: of the command, from which the flag and the variable have their names; the name unless told.
    least, most: bounds as a file writes the value. unit: how many units of a file are one of the flag's.
    unset: what holds where nobody sets it and there is no default. sets: what it bounds here, where its name says less.
    """

    section: str
    name: str
    kind: Kind
    means: str
    default: Any = None
    least: float | None = None
    most: float | None = None
    choices: Sequence[str] = ()
    unset: str = ""
    parameter: str = ""
    unit: int = 1
    sets: str = ""

    @property
    def path(self) -> str:
        """How messages and the reference call it: router.max_retries."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def option(self) -> str:
        """The parameter of `caxton serve`."""
        return self.parameter or self.name

    @property
    def flag(self) -> str:
        """Its flag."""
        return f"--{self.option.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return f"CAXTON_{self.option.upper()}"

    @property
    def bounds(self) -> str:
        """What may be chosen, in words."""
        if self.kind is Kind.WORD:
            return ", ".join(self.choices)
        if self.kind is Kind.TIME:
            return "1m to 3650d"
        if self.least is None:
            return ""
        return f"{_plain(self.least)} or more" if self.most is None else f"{_plain(self.least)} to {_plain(self.most)}"

    def read(self, text: str, *, quoted: bool = False) -> Any:
        """Return what a file says as the value of the parameter. Raises MisfitError."""
        if self.kind in {Kind.WHOLE, Kind.NUMBER}:
            return self._number(text, quoted=quoted)
        if self.kind is Kind.SWITCH:
            if quoted or text not in {"true", "false"}:
                raise MisfitError(f"{shown(text)} is not true or false", "write true or false, without quotes")
            return text == "true"
        if not text:
            raise MisfitError("it is empty", "leave the key out, or give it a value")
        if self.kind is Kind.WORD and text not in self.choices:
            raise MisfitError(f"{shown(text)} is not one of them", f"choose from {', '.join(self.choices)}")
        if self.kind in _CHECKS:
            _checked(_CHECKS[self.kind], text)
        if self.kind in {Kind.PATH, Kind.FILE} and (text.startswith("~") or "\0" in text):
            raise MisfitError(
                f"{shown(text)} is no path", "write it whole, or relative to this file; ~ stands for nothing"
            )
        return text

    def written(self, value: Any) -> Any:
        """Return the value of the parameter as a file would have it."""
        return value * self.unit if self.unit != 1 and value is not None else value

    def _number(self, text: str, *, quoted: bool) -> float:
        whole = self.kind is Kind.WHOLE
        if quoted or not (_WHOLE if whole else _NUMBER).fullmatch(text):
            what = "a whole number" if whole else "a number"
            remedy = f"choose from {self.bounds}" if self.most is not None else f"choose {self.bounds}"
            raise MisfitError(f"{shown(text)} is not {what}", f"{remedy}, without quotes" if quoted else remedy)
        value: float = int(text) if whole else float(text)
        if (self.least is not None and value < self.least) or (self.most is not None and value > self.most):
            remedy = f"choose from {self.bounds}" if self.most is not None else f"choose {self.bounds}"
            raise MisfitError(f"{text} is out of bounds", remedy)
        if self.unit == 1:
            return value
        if value % self.unit:
            raise MisfitError(f"{text} is no multiple of {self.unit}", "choose whole seconds")
        return value // self.unit


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _check_time(text: str) -> None:
    DeliverySettings(retention_ms=retention_ms(text))


_CHECKS: dict[Kind, Callable[[str], object]] = {
    Kind.TIME: _check_time,
    Kind.ADDRESS: gateway.read_address,
    Kind.NAMES: gateway.read_names,
    Kind.LEVELS: read_log_levels,
}


def _checked(check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except ConfigurationError as error:
        raise MisfitError(error.problem, error.remedy) from None


def _delivery(name: str, kind: Kind, means: str, unset: str = "", sets: str = "") -> Key:
    least, most = delivery.BOUNDS[name]
    return Key("router", name, kind, means, getattr(DEFAULT_DELIVERY, name), least, most, unset=unset, sets=sets)


def _switch(section: str, name: str, means: str) -> Key:
    return Key(section, name, Kind.SWITCH, means, default=False)


def _gateway(name: str, kind: Kind, means: str, unset: str) -> Key:
    return Key("gateway", name, kind, means, unset=unset)


def _conversations(name: str, means: str) -> Key:
    least, most = conversations.BOUNDS[name]
    return Key("router", name, Kind.WHOLE, means, getattr(DEFAULT_CONVERSATIONS, name), least, most)


_MS = 1_000
KEYS = (
    Key(
        "",
        "preset",
        Kind.WORD,
        "Values for a purpose, where nothing else sets them.",
        choices=PRESET_NAMES,
        unset="none: the defaults",
    ),
    Key(
        "runtime",
        "runtime_dir",
        Kind.PATH,
        "Where its sockets are. Otherwise CAXTON_RUNTIME_DIR, $XDG_RUNTIME_DIR/caxton or /tmp/caxton-UID.",
        unset="$XDG_RUNTIME_DIR/caxton, or /tmp/caxton-UID",
    ),
    Key(
        "runtime",
        "data_dir",
        Kind.PATH,
        "Where shards keep their files. Otherwise CAXTON_DATA_DIR or ~/.local/share/caxton.",
        unset="~/.local/share/caxton",
    ),
    Key(
        "runtime",
        "log_level",
        Kind.WORD,
        "From which level on the processes log to standard error.",
        choices=LOG_LEVELS,
        unset="info for workers, warning for the supervisor",
    ),
    Key(
        "runtime",
        "log_levels",
        Kind.LEVELS,
        f"Modules that log from another level on, such as guest=debug,gateway=info: {', '.join(MODULES)}.",
        unset="all as log_level says",
    ),
    Key(
        "runtime",
        "log_format",
        Kind.WORD,
        "How the processes log: lines for people, or a JSON object each.",
        CONSOLE,
        choices=LOG_FORMATS,
    ),
    Key(
        "runtime",
        "restart_limit",
        Kind.WHOLE,
        "Restarts of one worker in 30 s, then its shard has failed.",
        RESTART_LIMIT,
        *BOUNDS["restart_limit"],
    ),
    Key(
        "runtime",
        "drain_timeout_s",
        Kind.NUMBER,
        "Seconds to finish what is under way when stopped or restarted.",
        DRAIN_TIMEOUT_S,
        *BOUNDS["drain_timeout_s"],
        parameter="drain_timeout",
    ),
    Key(
        "runtime",
        "worker_memory_limit_mib",
        Kind.WHOLE,
        "Resident memory beyond which a worker is restarted in good order, in MiB. Otherwise there is no limit.",
        None,
        *BOUNDS["worker_memory_limit_mib"],
        unset="no limit",
        parameter="worker_memory_limit",
    ),
    _switch("runtime", "gateway_principals", "Let programs act for others, as gateways do: connect(principal=...)."),
    _gateway(
        "http",
        Kind.ADDRESS,
        "Serve HTTP there, such as 127.0.0.1:8080; port 0 is any that is free. It needs the extra caxton[http].",
        "no HTTP",
    ),
    _gateway("http_names", Kind.NAMES, "Names of hosts that requests may call it by, besides its address.", "none"),
    _switch(
        "gateway",
        "http_behind_proxy",
        "A proxy in front of it has TLS, so that it may listen where other machines reach it.",
    ),
    _gateway(
        "http_cert",
        Kind.FILE,
        "Serve HTTP and metrics with TLS, with the certificate in this file of PEM; it is read again when it changes.",
        "no TLS",
    ),
    _gateway("http_key", Kind.FILE, "The key of that certificate, in a file for its owner alone.", "no TLS"),
    _gateway(
        "http_client_ca",
        Kind.FILE,
        "Authorities: whoever asks has to have a certificate of one of them, besides a token.",
        "no certificates are asked for",
    ),
    _gateway(
        "metrics",
        Kind.ADDRESS,
        "Serve metrics for Prometheus there, such as 127.0.0.1:9090, with or without HTTP. It needs caxton[http].",
        "no metrics",
    ),
    _switch("gateway", "metrics_open", "Tell metrics to whoever asks, without a token."),
    _switch(
        "gateway",
        "otlp",
        "Tell a collector (OTEL_EXPORTER_OTLP_ENDPOINT) traces, metrics, logs and events. It needs caxton[http,otel].",
    ),
    Key(
        "gateway",
        "trace_sampling_ratio",
        Kind.NUMBER,
        "Of the traces that begin with requests by HTTP, or with this command line, how many are sampled.",
        0.0,
        0,
        1,
    ),
    Key(
        "router",
        "worker_thread_count",
        Kind.WHOLE,
        "Worker processes, one shard each. At first one for each core; `caxton reshard` changes it.",
        None,
        1,
        MAX_WORKERS,
        unset="one for each core",
        parameter="workers",
    ),
    Key(
        "router",
        "conversation_timeout_ms",
        Kind.WHOLE,
        "How long a conversation lasts, if its first message says no other.",
        DEFAULT_CONVERSATIONS.conversation_timeout_s,
        MIN_TIMEOUT_S * _MS,
        MAX_TIMEOUT_S * _MS,
        parameter="conversation_timeout_s",
        unit=_MS,
    ),
    _conversations("conversation_participants", "Participants of a conversation, likewise, besides who opened it."),
    _conversations("conversation_history", "Messages that a conversation remembers."),
    _delivery(
        "inbound_queue_size",
        Kind.WHOLE,
        "Messages that may wait for an agent that is deployed or attached from then on without a mailbox_capacity.",
        sets="mailbox_capacity of agents that are deployed or attached from now on without one",
    ),
    _delivery(
        "outbound_queue_size",
        Kind.WHOLE,
        "Messages that one client may have on their way to one shard: its window there, on each lane.",
        sets="each client's window on each shard and lane; all clients there share 32,768 messages",
    ),
    _delivery(
        "max_retries",
        Kind.WHOLE,
        "How often a durable message is tried again whose options say 3, as they do where nobody says.",
        sets="retries of durable messages whose options say 3, or nothing; any other number there counts",
    ),
    _delivery("retry_delay_ms", Kind.WHOLE, "Before the first retry of a durable message, in ms."),
    _delivery("retry_factor", Kind.NUMBER, "By how much each further wait is longer."),
    _delivery(
        "breaker_threshold", Kind.WHOLE, "Failures in a row after which a destination is left alone for a while."
    ),
    _delivery("breaker_timeout_s", Kind.NUMBER, "Seconds until such a destination is tried again."),
    Key(
        "router",
        "retention",
        Kind.TIME,
        "How long durable messages wait for a program that is away, or a paused agent: 90m, 36h, 7d.",
        DEFAULT_RETENTION,
    ),
    _delivery("dead_letter_capacity", Kind.WHOLE, "Dead letters that are kept; each shard has its even share."),
    _switch(
        "router",
        "dead_letter_eviction",
        "At capacity forget the oldest dead letter. Otherwise durable sends are refused then.",
    ),
    _delivery(
        "effects_on_disk_mib",
        Kind.WHOLE,
        "Durable messages between agents that each shard keeps on disk when memory has no room, in MiB.",
    ),
    Key(
        "router",
        "receiver_on_disk_mib",
        Kind.WHOLE,
        "Of these, what may wait for one agent. Otherwise a quarter.",
        None,
        1,
        delivery.BOUNDS["effects_on_disk_mib"][1],
        unset="a quarter of effects_on_disk_mib",
    ),
    _delivery(
        "states_mib",
        Kind.WHOLE,
        "What the states of all agents of a shard may come to, in MiB. Otherwise a quarter of --effects-on-disk-mib.",
        unset="a quarter of effects_on_disk_mib",
    ),
)
# What a file may ask for in vain, by its path: why it is no setting, and what to use instead.
REFUSED = {
    "router.message_timeout_ms": (
        "a message says itself how long it is worth delivering, 30,000 ms where nobody says",
        "write DeliveryOptions(timeout_ms=...) in programs, or `caxton message send --timeout-ms`",
    ),
}
SECTIONS = tuple(dict.fromkeys(key.section for key in KEYS if key.section))
BY_PATH = {key.path: key for key in KEYS}
BY_OPTION = {key.option: key for key in KEYS}
