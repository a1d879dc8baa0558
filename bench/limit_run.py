"""Runs the stand-alone limit (`limit.py`) in a process of its own, and returns its rate."""

import json
import subprocess
import sys
from pathlib import Path

from bench.guests.echo import echo_path

_LIMIT = Path(__file__).with_name("limit.py")
_START_TIMEOUT_S = 60.0


def limit_rate(workers: int, agents: int, payload: int, seconds: float, window: int) -> float:
    """Return round trips per second without a runtime, with as many processes, agents, bytes and batches under way.

    `seconds` are at least 1, whole ones: the limit counts no less. Raises CalledProcessError when it fails.
    """
    options = {
        "--workers": workers,
        "--agents": max(agents, workers),
        "--payload": payload,
        "--seconds": max(1, round(seconds)),
        "--window": max(1, window // workers),  # the limit has one for each worker
        "--wasm": echo_path(),
    }
    command = [sys.executable, str(_LIMIT), *(str(part) for option in options.items() for part in option)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + _START_TIMEOUT_S)
    return float(json.loads(done.stdout)["round_trips_per_s"])
