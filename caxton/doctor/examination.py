"""Everything that is looked at, in order. What cannot be looked at is found as that, and stops nothing else."""

import os
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from caxton.config.settings import default_workers
from caxton.doctor import machine, places, versions
from caxton.doctor.finding import Finding, suggestion

_FILES_WANTED = 65_536


class Plan(NamedTuple):
    """What is to be served: where, with how many workers (None: one for each core), and what each may have on disk."""

    runtime_dir: Path
    data_dir: Path
    workers: int | None
    effects_on_disk_mib: int


def examine(plan: Plan) -> list[Finding]:
    """Look at everything. Makes no file that has a name, and changes nothing."""
    runtime_dir, data_dir = partial(places.whole, plan.runtime_dir), partial(places.whole, plan.data_dir)
    there = len(os.sched_getaffinity(0))
    workers = plan.workers or default_workers(there)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most_files = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    wanted_mib = workers * plan.effects_on_disk_mib

    def on(name: str, path: Path, *, is_kept: bool) -> Finding:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
        kind = places.kind_of(Path(os.path.realpath(path)), mounts)  # links that end nowhere are no error to it
        return places.filesystem(name, path, kind, is_kept=is_kept)

    looks: dict[str, Callable[[], Finding]] = {
        "python": versions.python,
        "packages": versions.packages,
        "sqlite": versions.sqlite,
        "zmq": versions.zmq,
        "cores": lambda: machine.cores(there, workers),
        "memory": lambda: machine.memory(machine.available_memory(), workers),
        "open files": lambda: machine.open_files(most_files, workers),
        "mapped areas": lambda: machine.mappings(machine.number_in(Path("/proc/sys/vm/max_map_count"))),
        "runtime directory": lambda: places.standing("runtime directory", runtime_dir()),
        "socket names": lambda: places.socket_names(runtime_dir()),
        "cleaners": lambda: places.cleaners(runtime_dir(), places.tmpfiles()),
        "runtime file system": lambda: on("runtime file system", runtime_dir(), is_kept=False),
        "data directory": lambda: places.standing("data directory", data_dir()),
        "data file system": lambda: on("data file system", data_dir(), is_kept=True),
        "free disk": lambda: places.free(data_dir(), wanted_mib),
        "disk sync": lambda: places.syncs(places.time_syncs(data_dir())),
    }
    return [_looked(name, look) for name, look in looks.items()]


def _looked(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 (whatever is wrong with a machine is what one wants to know of it)
        why = str(error) or type(error).__name__
        return suggestion(name, f"it cannot be looked at: {why}", "look after that first")
