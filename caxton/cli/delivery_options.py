"""The options of `caxton serve` that say how hard messages are tried; each has its variable of the environment too."""

from typing import Annotated, Any

import typer

from caxton.config.delivery import BOUNDS, retention_ms
from caxton.errors import ConfigurationError


def _bounded(field: str, meaning: str) -> Any:
    least, most = BOUNDS[field]
    return typer.Option(min=least, max=most, envvar=f"CAXTON_{field.upper()}", help=meaning)


DeadLetterCapacity = Annotated[
    int, _bounded("dead_letter_capacity", "Dead letters that are kept; each shard has its even share.")
]
DeadLetterEviction = Annotated[
    bool,
    typer.Option(
        "--dead-letter-eviction",
        envvar="CAXTON_DEAD_LETTER_EVICTION",
        help="At capacity forget the oldest dead letter. Otherwise durable sends are refused then.",
    ),
]
RetryDelay = Annotated[int, _bounded("retry_delay_ms", "Before the first retry of a durable message, in ms.")]
RetryFactor = Annotated[float, _bounded("retry_factor", "By how much each further wait is longer.")]
BreakerThreshold = Annotated[
    int, _bounded("breaker_threshold", "Failures in a row after which a destination is left alone for a while.")
]
Retention = Annotated[
    str,
    typer.Option(
        "--retention",
        metavar="TIME",
        envvar="CAXTON_RETENTION",
        help="How long durable messages wait for a program that is away, or a paused agent: 90m, 36h, 7d.",
    ),
]
EffectsOnDisk = Annotated[
    int,
    _bounded(
        "effects_on_disk_mib",
        "Durable messages between agents that each shard keeps on disk when memory has no room, in MiB.",
    ),
]
ReceiverOnDisk = Annotated[
    int | None,
    typer.Option(
        "--receiver-on-disk-mib",
        min=1,
        envvar="CAXTON_RECEIVER_ON_DISK_MIB",
        help="Of these, what may wait for one agent. Otherwise a quarter.",
        show_default=False,
    ),
]
States = Annotated[
    int | None,
    typer.Option(
        "--states-mib",
        min=BOUNDS["states_mib"][0],
        max=BOUNDS["states_mib"][1],
        envvar="CAXTON_STATES_MIB",
        help="What the states of all agents of a shard may come to. Otherwise a quarter of --effects-on-disk-mib.",
        show_default=False,
    ),
]
BreakerTimeout = Annotated[float, _bounded("breaker_timeout_s", "Seconds until such a destination is tried again.")]


def read_retention(text: str) -> int:
    """Return the option `--retention` in milliseconds. Raises BadParameter."""
    try:
        return retention_ms(text)
    except ConfigurationError as error:
        raise typer.BadParameter(f"{error.problem}; {error.remedy}", param_hint="--retention") from None
