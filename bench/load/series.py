"""The series of sizes along which the cost of a message is measured, and what serves each size."""

from dataclasses import dataclass
from enum import StrEnum

from bench.load.closed_loop import BATCH
from bench.load.lanes import DEFAULT_WINDOWS
from caxton.acl.options import Lane
from caxton.errors import ConfigurationError
from caxton.placement.slot_table import MAX_WORKERS

TAKING_PART = 1_000
PAYLOAD = 100
# What may be under way in bytes of content: so much that it is no limit below 4 KB, so little that it fits everywhere.
_MOST_UNDER_WAY_BYTES = 16 << 20
# Ids are hashes: of so many agents, a shard gets its share, give or take one or two in a hundred.
_EVENLY = 0.95


class By(StrEnum):
    """What grows along a series."""

    AGENTS = "agents"
    PAYLOAD = "payload"
    WORKERS = "workers"
    REGISTERED = "registered"


SIZES = {
    By.AGENTS: (10, 100, 1_000, 10_000, 100_000),
    By.PAYLOAD: (0, 100, 1_024, 4_096, 16_384, 65_536),
    By.REGISTERED: (1_000, 10_000, 100_000, 1_000_000),
}
# The size that the largest one is held against: with ten agents, several messages of a frame are for the same agent.
BASES = {By.AGENTS: 100, By.PAYLOAD: 100, By.WORKERS: 1, By.REGISTERED: 1_000}


@dataclass(frozen=True)
class Crowd:
    """A runtime: so many worker processes with so many registered agents. Settings of equal crowds share one."""

    workers: int
    registered: int


@dataclass(frozen=True)
class Setting:
    """One size of a series. agents: how many take part. payload: bytes of content."""

    size: int
    crowd: Crowd
    agents: int
    payload: int

    @property
    def window(self) -> int:
        """Batches of 256 under way: as usual, or fewer when the payload is large."""
        in_memory = _MOST_UNDER_WAY_BYTES // (BATCH * max(1, self.payload))
        return max(1, min(DEFAULT_WINDOWS[Lane.VOLATILE], in_memory))


def sizes_of(by: By, cores: int, most: int | None = None) -> list[int]:
    """Return the sizes of a series, none above `most`.

    Workers: 1, 2, 4 and so on, as many as there are cores, and one beyond. Raises ConfigurationError when none is left.
    """
    every = SIZES.get(by) or _worker_counts(cores)
    sizes = [size for size in every if most is None or size <= most]
    if not sizes:
        problem = f"{most} is below every size of the series {by}"
        raise ConfigurationError("--most", problem, f"take {every[0]} or more, or another series with --by")
    return sizes


def settings_of(by: By, sizes: list[int], sandboxes_per_worker: int) -> list[Setting]:
    """Return what each size is measured with: one of four things grows, and the others stay.

    An agent that takes part has a sandbox, and a worker only has so many: the series of agents is served, in all its
    sizes, by the fewest workers that can hold the largest. Raises ConfigurationError when no runtime can.
    """
    if by is By.AGENTS:
        workers = _workers_for(max(sizes), sandboxes_per_worker)
        return [Setting(size, Crowd(workers, size), size, PAYLOAD) for size in sizes]
    if by is By.PAYLOAD:
        return [Setting(size, Crowd(1, TAKING_PART), TAKING_PART, size) for size in sizes]
    if by is By.WORKERS:
        return [Setting(size, Crowd(size, TAKING_PART), TAKING_PART, PAYLOAD) for size in sizes]
    return [Setting(size, Crowd(1, size), min(size, TAKING_PART), PAYLOAD) for size in sizes]


def _worker_counts(cores: int) -> tuple[int, ...]:
    doubled = {1 << power for power in range(cores.bit_length())}
    return tuple(sorted(count for count in doubled | {cores, cores + 1} if count <= MAX_WORKERS))


def _workers_for(agents: int, sandboxes_per_worker: int) -> int:
    each = max(1, int(sandboxes_per_worker * _EVENLY))
    workers = -(-agents // each)
    if workers > MAX_WORKERS:
        problem = f"{agents} agents with a sandbox need {workers} workers of {sandboxes_per_worker} sandboxes each"
        raise ConfigurationError("--most", problem, f"take fewer than {each * MAX_WORKERS}, or raise vm.max_map_count")
    return workers
