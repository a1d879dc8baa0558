"""The options of `caxton serve` that say how hard messages are tried; each has its variable of the environment too."""

from typing import Annotated, Any

import typer

from caxton.config.delivery import BOUNDS


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
BreakerTimeout = Annotated[float, _bounded("breaker_timeout_s", "Seconds until such a destination is tried again.")]
