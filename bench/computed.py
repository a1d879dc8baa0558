"""Computing time of processes: unlike a rate, it hardly depends on who else uses the machine."""

import psutil


def computed_s(process: psutil.Process) -> float:
    """Return the seconds that a process has computed, in user and kernel mode, all threads together."""
    times = process.cpu_times()
    return float(times.user + times.system)
