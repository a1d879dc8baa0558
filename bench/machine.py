"""The machine that a result came from: a figure without it says little."""

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

LIBRARIES = ("caxton", "pyzmq", "msgspec", "wasmtime", "uvloop", "aiosqlite")
_ROOT = Path(__file__).parents[1]
_CPUINFO = Path("/proc/cpuinfo")


def describe() -> dict[str, str | int]:
    """Tell what runs here: cpu, cores usable by this process, kernel, Python, libraries, commit, and the day (UTC)."""
    return {
        "cpu": cpu_model(_CPUINFO.read_text(encoding="utf-8", errors="replace")),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
        "commit": commit(_ROOT),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def cpu_model(cpuinfo: str) -> str:
    """Return the model that the text of /proc/cpuinfo names first; the architecture where it names none (ARM)."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()


def commit(root: Path) -> str:
    """Return the commit that is checked out, with `+` where files differ from it; `none` where there is no git."""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + "+" * bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "none"


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
