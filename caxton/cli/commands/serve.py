"""`caxton serve`."""

import asyncio
import logging

import typer

from caxton.cli.effective import effective
from caxton.cli.layers import LayeredCommand, source_of
from caxton.cli.options import resolve_data_dir, resolve_runtime_dir
from caxton.cli.output import Format, Output, as_json, reports_errors
from caxton.cli.serve_options import (
    BreakerThreshold,
    BreakerTimeout,
    Config,
    ConversationHistory,
    ConversationParticipants,
    ConversationTimeout,
    DataDir,
    DeadLetterCapacity,
    DeadLetterEviction,
    DrainTimeout,
    EffectsOnDisk,
    GatewayPrincipals,
    Http,
    HttpBehindProxy,
    HttpCert,
    HttpClientCa,
    HttpKey,
    HttpNames,
    InboundQueueSize,
    LogFormat,
    LogLevel,
    MaxRetries,
    Metrics,
    MetricsOpen,
    ModuleLevels,
    Otlp,
    OutboundQueueSize,
    Preset,
    ReceiverOnDisk,
    RestartLimit,
    Retention,
    RetryDelay,
    RetryFactor,
    RuntimeDir,
    States,
    TraceSamplingRatio,
    WorkerMemoryLimit,
    Workers,
    read_gateway,
    read_levels,
    read_log_format,
    read_retention,
)
from caxton.cli.streams import STDERR, STDOUT
from caxton.config.conversations import DEFAULT_CONVERSATIONS, ConversationSettings
from caxton.config.delivery import DEFAULT_DELIVERY, DEFAULT_RETENTION, DeliverySettings
from caxton.config.settings import DRAIN_TIMEOUT_S, RESTART_LIMIT, ServeSettings
from caxton.lines import CONSOLE, Lines, log_as, log_from, log_to
from caxton.printable import printable
from caxton.supervisor.events import Event
from caxton.supervisor.supervisor import Supervisor

EXAMPLES = (
    "Examples: caxton serve; caxton serve --workers 2 --data-dir ./data --runtime-dir ./run -o json; "
    "caxton serve --dead-letter-eviction --retry-delay-ms 200 --worker-memory-limit 2048; "
    "caxton serve --preset production --config ./caxton.yaml; "
    "caxton serve --http 127.0.0.1:8080 --metrics 127.0.0.1:9090"
)
COMMAND = LayeredCommand


@reports_errors
def serve(
    ctx: typer.Context,
    workers: Workers = None,
    runtime_dir: RuntimeDir = None,
    data_dir: DataDir = None,
    *,
    config: Config = None,  # noqa: ARG001 (LayeredCommand reads both)
    preset: Preset = None,  # noqa: ARG001
    log_level: LogLevel = None,
    log_levels: ModuleLevels = None,
    log_format: LogFormat = CONSOLE,
    restart_limit: RestartLimit = RESTART_LIMIT,
    drain_timeout: DrainTimeout = DRAIN_TIMEOUT_S,
    worker_memory_limit: WorkerMemoryLimit = None,
    http: Http = None,
    http_names: HttpNames = None,
    http_behind_proxy: HttpBehindProxy = False,
    http_cert: HttpCert = None,
    http_key: HttpKey = None,
    http_client_ca: HttpClientCa = None,
    metrics: Metrics = None,
    metrics_open: MetricsOpen = False,
    otlp: Otlp = False,
    trace_sampling_ratio: TraceSamplingRatio = 0.0,
    gateway_principals: GatewayPrincipals = False,
    dead_letter_capacity: DeadLetterCapacity = DEFAULT_DELIVERY.dead_letter_capacity,
    dead_letter_eviction: DeadLetterEviction = False,
    inbound_queue_size: InboundQueueSize = DEFAULT_DELIVERY.inbound_queue_size,
    outbound_queue_size: OutboundQueueSize = DEFAULT_DELIVERY.outbound_queue_size,
    max_retries: MaxRetries = DEFAULT_DELIVERY.max_retries,
    retry_delay_ms: RetryDelay = DEFAULT_DELIVERY.retry_delay_ms,
    retry_factor: RetryFactor = DEFAULT_DELIVERY.retry_factor,
    breaker_threshold: BreakerThreshold = DEFAULT_DELIVERY.breaker_threshold,
    breaker_timeout_s: BreakerTimeout = DEFAULT_DELIVERY.breaker_timeout_s,
    retention: Retention = DEFAULT_RETENTION,
    effects_on_disk_mib: EffectsOnDisk = DEFAULT_DELIVERY.effects_on_disk_mib,
    receiver_on_disk_mib: ReceiverOnDisk = None,
    states_mib: States = None,
    conversation_timeout_s: ConversationTimeout = DEFAULT_CONVERSATIONS.conversation_timeout_s,
    conversation_participants: ConversationParticipants = DEFAULT_CONVERSATIONS.conversation_participants,
    conversation_history: ConversationHistory = DEFAULT_CONVERSATIONS.conversation_history,
    output: Output = Format.TEXT,
) -> None:
    """Run the runtime in the foreground until Ctrl-C, SIGTERM or `caxton stop`.

    A flag goes before its variable in the environment, that before the --config file, and that before the --preset.
    """
    delivery = DeliverySettings(
        dead_letter_capacity=dead_letter_capacity,
        dead_letter_eviction=dead_letter_eviction,
        inbound_queue_size=inbound_queue_size,
        outbound_queue_size=outbound_queue_size,
        max_retries=max_retries,
        retry_delay_ms=retry_delay_ms,
        retry_factor=retry_factor,
        breaker_threshold=breaker_threshold,
        breaker_timeout_s=breaker_timeout_s,
        retention_ms=read_retention(retention),
        effects_on_disk_mib=effects_on_disk_mib,
        receiver_on_disk_mib=receiver_on_disk_mib,
        states_mib=states_mib,
    )
    levels = read_levels(log_level, log_levels)
    tls = http_cert, http_key, http_client_ca
    gateway = read_gateway(
        http,
        http_names,
        metrics,
        tls,
        behind_proxy=http_behind_proxy,
        metrics_open=metrics_open,
        trace_sampling_ratio=trace_sampling_ratio,
        otlp=otlp,
    )
    # On the command line it is a claim about this data directory; anywhere else what a new one is made with.
    is_flag = source_of(ctx, "workers") == "flag"
    settings = ServeSettings(
        runtime_dir=resolve_runtime_dir(runtime_dir),
        data_dir=resolve_data_dir(data_dir),
        workers=workers if is_flag else None,
        workers_when_made=None if is_flag else workers,
        log_levels=levels,
        log_format=read_log_format(log_format),
        restart_limit=restart_limit,
        drain_timeout_s=drain_timeout,
        worker_memory_limit_mib=worker_memory_limit,
        # Its users are principals, and it claims them.
        effective=tuple(effective(ctx)),
        gateway_principals=gateway_principals or gateway is not None,
        gateway=gateway,
        delivery=delivery,
        conversations=ConversationSettings(
            conversation_timeout_s=conversation_timeout_s,
            conversation_participants=conversation_participants,
            conversation_history=conversation_history,
        ),
    )
    log_to(STDERR, logging.WARNING)
    log_as(settings.log_format)
    log_from(levels.of_others, levels.modules)
    raise typer.Exit(asyncio.run(Supervisor(settings, _Announcer(output, Lines(STDOUT)).tell).run()))


class _Announcer:
    """Prints events, and never lets the runtime wait, or end, for a reader of its output that does not read."""

    def __init__(self, output: Format, lines: Lines) -> None:
        self._output = output
        self._lines = lines

    def tell(self, event: Event) -> None:
        """Print an event, with how many before it were missed; raises OSError when this one will be missed too."""
        missed = self._lines.missed
        if self._output is Format.JSON:
            line = as_json(
                {"event": event.name, "level": event.level, "text": event.text, **event.fields, "missed": missed}
            )
        else:
            line = printable(event.text)
            if missed:
                line += f" ({missed} lines before this one were not shown)"
        if not self._lines.write(line):
            raise OSError(f"standard output has no room for: {line}")
