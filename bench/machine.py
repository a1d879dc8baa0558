"""The machine that a result came from: a figure without it says little."""

import datetime as dt
import importlib.metadata
import os
import platform
from pathlib import Path

LIBRARIES = ("pyzmq", "msgspec", "wasmtime")
_CPUINFO = Path("/proc/cpuinfo")


def describe() -> dict[str, str | int]:
    """Tell what runs here: cpu, cores usable by this process, kernel, Python, libraries, and today's date (UTC)."""
    return {
        "cpu": cpu_model(_CPUINFO.read_text(encoding="utf-8", errors="replace")),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def cpu_model(cpuinfo: str) -> str:
    """Return the model that the text of /proc/cpuinfo names first; the architecture where it names none (ARM)."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
