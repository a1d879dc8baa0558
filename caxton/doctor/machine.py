"""What the machine lets a runtime have: open files, mappings, memory, cores. Numbers in, findings out."""

import re
from pathlib import Path

from caxton.config.settings import LEAST_MEMORY_LIMIT_MIB
from caxton.doctor.finding import Finding, ok, problem, suggestion
from caxton.errors import ConfigurationError
from caxton.transport.descriptors import MAX_SESSIONS, Room

MIB = 1 << 20
# The kernel's own default; a worker has room for 30,717 instances with it.
USUAL_MAPPINGS = 65_530
# Below it a worker has none for instances beside its own.
LEAST_MAPPINGS = 8_192
# Of each worker, with agents in it, so that nothing is paged out.
GOOD_MEMORY_MIB = 512
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def open_files(limit: int, shards: int) -> Finding:
    """Judge how many files a process may open, as a supervisor raises it."""
    name = "open files"
    try:
        room = Room.of(limit, shards)
    except ConfigurationError as error:
        return problem(name, error.problem, f"{error.remedy}, or LimitNOFILE= of its service")
    found = f"a process may open {limit:,}: room for {room.most_sessions:,} clients"
    if room.most_sessions < MAX_SESSIONS:
        return suggestion(
            name, found, f"raise `ulimit -n`, or LimitNOFILE= of its service: {MAX_SESSIONS:,} clients may be"
        )
    return ok(name, found)


def mappings(limit: int | None) -> Finding:
    """Judge vm.max_map_count. None: it cannot be read."""
    name, change = "mapped areas", f"sysctl -w vm.max_map_count={USUAL_MAPPINGS}, and in /etc/sysctl.d"
    if limit is None:
        return suggestion(name, "vm.max_map_count cannot be read", "mount /proc")
    found = f"vm.max_map_count is {limit:,}"
    if limit < LEAST_MAPPINGS:
        return problem(name, f"{found}: a worker has no room for agents' instances", change)
    return (
        suggestion(name, f"{found}, less than is usual: fewer instances fit", change)
        if limit < USUAL_MAPPINGS
        else ok(name, found)
    )


def memory(available: int | None, workers: int) -> Finding:
    """Judge what memory is there, in bytes. None: it cannot be read."""
    name = "memory"
    if available is None:
        return suggestion(name, "what is available cannot be read", "mount /proc")
    found = f"{available // MIB:,} MiB are available for {workers} workers"
    least, good = workers * LEAST_MEMORY_LIMIT_MIB, workers * GOOD_MEMORY_MIB
    if available < least * MIB:
        return problem(name, found, f"make room for {least:,} MiB at least, or serve with fewer workers")
    if available < good * MIB:
        return suggestion(name, found, f"{good:,} MiB leave room for agents and what waits for them")
    return ok(name, found)


def cores(there: int, workers: int) -> Finding:
    """Judge the number of workers."""
    name, found = "cores", f"{workers} workers on {there} cores"
    if workers > there:
        return suggestion(name, found, f"a worker uses one core: make data directories with {there}")
    return ok(name, found)


def available_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Read what memory a new process may have, in bytes: the machine's, or less where this container has less."""
    try:
        found = _AVAILABLE.search((proc / "meminfo").read_text())
    except OSError:
        return None
    if found is None:
        return None
    free = [int(found[1]) << 10]
    for most, used in (
        (groups / "memory.max", groups / "memory.current"),
        (groups / "memory/memory.limit_in_bytes", groups / "memory/memory.usage_in_bytes"),
    ):
        limit, now = number_in(most), number_in(used)
        if limit is not None and now is not None:
            free.append(max(0, limit - now))
    return min(free)


def number_in(path: Path) -> int | None:
    """Read a file of one number; None where it has none, such as "max", or is not there."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
