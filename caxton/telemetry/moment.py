"""All metrics of one moment, before anybody writes them."""

from collections.abc import Sequence
from typing import NamedTuple

from caxton.telemetry.family import Told


class Moment(NamedTuple):
    """run: what the runtime tells, which has run for `uptime_s`. gateway: what the gateway tells of itself.

    started_s: when the gateway started, in seconds since 1970: its counters begin there.
    """

    run: Sequence[Told]
    uptime_s: float
    gateway: Sequence[Told]
    started_s: float
