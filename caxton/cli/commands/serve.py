"""`caxton serve`."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.conversation_options import ConversationHistory, ConversationParticipants, ConversationTimeout
from caxton.cli.delivery_options import (
    BreakerThreshold,
    BreakerTimeout,
    DeadLetterCapacity,
    DeadLetterEviction,
    EffectsOnDisk,
    ReceiverOnDisk,
    Retention,
    RetryDelay,
    RetryFactor,
    States,
    read_retention,
)
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import Format, Output, as_json, reports_errors
from caxton.cli.streams import STDERR, STDOUT
from caxton.config.conversations import DEFAULT_CONVERSATIONS, ConversationSettings
from caxton.config.delivery import DEFAULT_DELIVERY, DEFAULT_RETENTION, DeliverySettings
from caxton.config.settings import (
    DRAIN_TIMEOUT_S,
    LEAST_MEMORY_LIMIT_MIB,
    RESTART_LIMIT,
    ServeSettings,
    data_directory,
)
from caxton.lines import Lines, log_to
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import printable
from caxton.supervisor.events import Event
from caxton.supervisor.supervisor import Supervisor

EXAMPLES = (
    "Examples: caxton serve; caxton serve --workers 2 --data-dir ./data --runtime-dir ./run -o json; "
    "caxton serve --dead-letter-eviction --retry-delay-ms 200 --worker-memory-limit 2048"
)


@reports_errors
def serve(
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_WORKERS,
            help="Worker processes, one shard each. At first one for each core; `caxton reshard` changes it.",
            show_default=False,
        ),
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where shards keep their files. Otherwise CAXTON_DATA_DIR or ~/.local/share/caxton."),
    ] = None,
    *,
    restart_limit: Annotated[
        int, typer.Option(min=0, help="Restarts of one worker in 30 s, then its shard has failed.")
    ] = RESTART_LIMIT,
    drain_timeout: Annotated[
        float, typer.Option(min=0.0, help="Seconds to finish what is under way when stopped or restarted.")
    ] = DRAIN_TIMEOUT_S,
    worker_memory_limit: Annotated[
        int | None,
        typer.Option(
            min=LEAST_MEMORY_LIMIT_MIB,
            metavar="MIB",
            envvar="CAXTON_WORKER_MEMORY_LIMIT",
            help="Resident memory beyond which a worker is restarted in good order. Otherwise there is no limit.",
            show_default=False,
        ),
    ] = None,
    gateway_principals: Annotated[
        bool,
        typer.Option(
            "--gateway-principals",
            envvar="CAXTON_GATEWAY_PRINCIPALS",
            help="Let programs act for others, as gateways do: connect(principal=...).",
        ),
    ] = False,
    dead_letter_capacity: DeadLetterCapacity = DEFAULT_DELIVERY.dead_letter_capacity,
    dead_letter_eviction: DeadLetterEviction = False,
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
    """Run the runtime in the foreground until Ctrl-C, SIGTERM or `caxton stop`."""
    delivery = DeliverySettings(
        dead_letter_capacity=dead_letter_capacity,
        dead_letter_eviction=dead_letter_eviction,
        retry_delay_ms=retry_delay_ms,
        retry_factor=retry_factor,
        breaker_threshold=breaker_threshold,
        breaker_timeout_s=breaker_timeout_s,
        retention_ms=read_retention(retention),
        effects_on_disk_mib=effects_on_disk_mib,
        receiver_on_disk_mib=receiver_on_disk_mib,
        states_mib=states_mib,
    )
    settings = ServeSettings(
        runtime_dir=resolve_runtime_dir(runtime_dir),
        data_dir=data_directory(data_dir, os.environ),
        workers=workers,
        restart_limit=restart_limit,
        drain_timeout_s=drain_timeout,
        worker_memory_limit_mib=worker_memory_limit,
        gateway_principals=gateway_principals,
        delivery=delivery,
        conversations=ConversationSettings(
            conversation_timeout_s=conversation_timeout_s,
            conversation_participants=conversation_participants,
            conversation_history=conversation_history,
        ),
    )
    log_to(STDERR, logging.WARNING)
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
