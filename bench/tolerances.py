"""What the ratios of `check` are held to: how much worse each may be, and why so much."""

from collections.abc import Mapping

from bench.comparison import Better, HeldRatio
from caxton.errors import ConfigurationError

# Of the cost of a worker's turn. Others who want the same cores and caches make it up to 26 % larger, as a ratio, than
# on a quiet machine (seen in rounds of 1 s beside a load of 25 on two cores); 2 µs more in each turn, 60 to 67 %.
WORKER_TOLERANCE = 0.4
# Of the other costs: the client's differs more between a busy machine and a quiet one, and the durable lane's hangs on
# how many round trips share a commit too, which is the disk's pace.
CLIENT_TOLERANCE, DURABLE_TOLERANCE = 0.5, 0.6
# Of rates, which are compared on a quiet machine only: a runtime that waits where it need not falls so, and no other.
RATE_TOLERANCE = 0.5
# The durable rate is the disk's when its fsync takes so many times what it took for the baseline.
SLOWER_DISK = 3.0

_ABOUT = {
    "worker_cost_to_limit": "computing time of a volatile round trip in the worker / in both processes of the limit",
    "client_cost_to_limit": "computing time of a volatile round trip in the client / in both processes of the limit",
    "durable_worker_cost_to_limit": "the same of a durable round trip, in the worker",
    "durable_client_cost_to_limit": "the same of a durable round trip, in the client",
    "volatile_rate_to_limit": "volatile round trips a second / those of the limit",
    "durable_rate_to_volatile": "durable round trips a second / volatile ones",
}


def held_to(measured: Mapping[str, float | None], fsync_us: float) -> list[HeldRatio]:
    """Return what each measured ratio is held to from now on. fsync_us: of the disk that it was measured on.

    What could not be measured is not held. Raises ConfigurationError when nothing could.
    """
    held = [_held(name, value, fsync_us) for name, value in measured.items() if value is not None]
    if not held:
        raise ConfigurationError(
            "--update", "the machine is too busy to measure anything", "try again when it is quiet"
        )
    return held


def _held(name: str, value: float, fsync_us: float) -> HeldRatio:
    is_durable = name.startswith("durable")
    if "rate" in name:
        slowest_us = round(SLOWER_DISK * fsync_us) if is_durable else None
        return HeldRatio(name, _ABOUT[name], value, Better.HIGHER, RATE_TOLERANCE, slowest_us)
    of_volatile = WORKER_TOLERANCE if name.startswith("worker") else CLIENT_TOLERANCE
    return HeldRatio(name, _ABOUT[name], value, Better.LOWER, DURABLE_TOLERANCE if is_durable else of_volatile)
