"""The options of `caxton serve`: of each the table of keys says what it means, what it may be and its variable."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from caxton.config.delivery import retention_ms
from caxton.config.gateway import METRICS, GatewaySettings, Tls, read_address, read_names
from caxton.config.keys import BY_OPTION, Kind
from caxton.config.log_levels import LogLevels
from caxton.errors import ConfigurationError

_METAVARS = {"retention": "TIME", "worker_memory_limit": "MIB", "http": "ADDRESS:PORT"}
_METAVARS |= {"http_cert": "FILE", "http_key": "FILE", "http_client_ca": "FILE"}
_METAVARS |= {"http_names": "NAMES", "metrics": "ADDRESS:PORT"}


def _option(name: str) -> Any:
    """Return an option; a flag's bounds are in its own unit."""
    key = BY_OPTION[name]
    least, most = (bound // key.unit if bound and key.unit != 1 else bound for bound in (key.least, key.most))
    flag = f"{key.flag}/--no-{key.flag.removeprefix('--')}" if key.kind is Kind.SWITCH else key.flag
    metavar = _METAVARS.get(name, "|".join(key.choices) or None)
    shows = key.default is not None
    return typer.Option(
        flag, min=least, max=most, envvar=key.variable, help=key.means, metavar=metavar, show_default=shows
    )


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="CAXTON_CONFIG_PATH",
        help="A file of YAML with settings; flags and the environment go before it. See `caxton config`.",
        show_default=False,
    ),
]
Preset = Annotated[str | None, _option("preset")]
RuntimeDir = Annotated[Path | None, _option("runtime_dir")]
DataDir = Annotated[Path | None, _option("data_dir")]
LogLevel = Annotated[str | None, _option("log_level")]
ModuleLevels = Annotated[str | None, _option("log_levels")]
LogFormat = Annotated[str, _option("log_format")]
RestartLimit = Annotated[int, _option("restart_limit")]
DrainTimeout = Annotated[float, _option("drain_timeout")]
WorkerMemoryLimit = Annotated[int | None, _option("worker_memory_limit")]
Http = Annotated[str | None, _option("http")]
HttpNames = Annotated[str | None, _option("http_names")]
HttpCert = Annotated[Path | None, _option("http_cert")]
HttpKey = Annotated[Path | None, _option("http_key")]
HttpClientCa = Annotated[Path | None, _option("http_client_ca")]
HttpBehindProxy = Annotated[bool, _option("http_behind_proxy")]
Metrics = Annotated[str | None, _option("metrics")]
MetricsOpen = Annotated[bool, _option("metrics_open")]
Otlp = Annotated[bool, _option("otlp")]
TraceSamplingRatio = Annotated[float, _option("trace_sampling_ratio")]
GatewayPrincipals = Annotated[bool, _option("gateway_principals")]
Workers = Annotated[int | None, _option("workers")]
ConversationTimeout = Annotated[int, _option("conversation_timeout_s")]
ConversationParticipants = Annotated[int, _option("conversation_participants")]
ConversationHistory = Annotated[int, _option("conversation_history")]
InboundQueueSize = Annotated[int, _option("inbound_queue_size")]
OutboundQueueSize = Annotated[int, _option("outbound_queue_size")]
MaxRetries = Annotated[int, _option("max_retries")]
RetryDelay = Annotated[int, _option("retry_delay_ms")]
RetryFactor = Annotated[float, _option("retry_factor")]
BreakerThreshold = Annotated[int, _option("breaker_threshold")]
BreakerTimeout = Annotated[float, _option("breaker_timeout_s")]
Retention = Annotated[str, _option("retention")]
DeadLetterCapacity = Annotated[int, _option("dead_letter_capacity")]
DeadLetterEviction = Annotated[bool, _option("dead_letter_eviction")]
EffectsOnDisk = Annotated[int, _option("effects_on_disk_mib")]
ReceiverOnDisk = Annotated[int | None, _option("receiver_on_disk_mib")]
States = Annotated[int | None, _option("states_mib")]


def read_retention(text: str) -> int:
    """Return the option `--retention` in milliseconds. Raises BadParameter."""
    try:
        return retention_ms(text)
    except ConfigurationError as error:
        raise typer.BadParameter(f"{error.problem}; {error.remedy}", param_hint="--retention") from None


def read_gateway(
    http: str | None,
    names: str | None,
    metrics: str | None,
    files: Sequence[Path | None],
    *,
    behind_proxy: bool,
    metrics_open: bool,
    trace_sampling_ratio: float = 0.0,
    otlp: bool = False,
) -> GatewaySettings | None:
    """Return where HTTP and metrics are served, None for nowhere. files: of TLS. Raises ConfigurationError."""
    tls = Tls.of(*(None if file is None else str(file.absolute()) for file in files))
    if http is None and metrics is None and not otlp and tls is None:
        return None
    return GatewaySettings(
        http=None if http is None else read_address(http),
        metrics=None if metrics is None else read_address(metrics, METRICS),
        metrics_open=metrics_open,
        names=read_names(names or ""),
        behind_proxy=behind_proxy,
        tls=tls,
        trace_sampling_ratio=trace_sampling_ratio,
        otlp=otlp,
    )


def read_log_format(text: str) -> str:
    """Return the option `--log-format`. Raises BadParameter."""
    choices = BY_OPTION["log_format"].choices
    if text not in choices:
        raise typer.BadParameter(f"choose from {', '.join(choices)}", param_hint="--log-format")
    return text


def read_levels(level: str | None, modules: str | None) -> LogLevels:
    """Return the options `--log-level` and `--log-levels`. Raises BadParameter, ConfigurationError."""
    choices = BY_OPTION["log_level"].choices
    if level is not None and level not in choices:
        raise typer.BadParameter(f"choose from {', '.join(choices)}", param_hint="--log-level")
    return LogLevels.of(level, modules)
