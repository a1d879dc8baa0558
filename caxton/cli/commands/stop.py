"""`caxton stop`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import Format, Output, print_json, print_text, reports_errors
from caxton.client.call_line import ask
from caxton.errors import NetworkError, Timeout
from caxton.store.directory_lock import Holder, holder, still_holds
from caxton.wire.supervision import StopRuntime

EXAMPLES = "Examples: caxton stop; caxton stop --runtime-dir ./run --timeout 30 -o json"
# A drain's default deadline, and the time to reap and to tidy up.
_TIMEOUT_S = 15.0
_LOOK_PERIOD_S = 0.02


@reports_errors
def stop(
    runtime_dir: RuntimeDirOption = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for its end.")] = _TIMEOUT_S,
    output: Output = Format.TEXT,
) -> None:
    """Have the runtime finish what is under way and end; returns when it has ended."""
    directory = resolve_runtime_dir(runtime_dir)
    deadline_s = time.monotonic() + timeout
    served_by = holder(directory)
    pid = None if served_by is None else served_by.pid
    try:
        ask(directory, StopRuntime(), timeout)
    except NetworkError:
        if still_holds(served_by, directory):
            raise  # else it has ended, which is what we want
    _wait_for_end(directory, served_by, deadline_s, timeout)
    if output is Format.JSON:
        print_json({"stopped": True, "pid": pid, "runtime_dir": str(directory)})
    else:
        print_text(f"stopped the runtime in {directory} (pid {pid})")


def _wait_for_end(directory: Path, served_by: Holder | None, deadline_s: float, timeout_s: float) -> None:
    """Wait until the one that was asked serves no more; a successor that came at once serves on."""
    while still_holds(served_by, directory):
        if time.monotonic() > deadline_s:
            raise Timeout(f"stopping the runtime in {directory}", timeout_s)
        time.sleep(_LOOK_PERIOD_S)
