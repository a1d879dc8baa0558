"""py-spy, as a child process: it looks at the stacks of a running process many times a second, from outside."""

import json
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caxton.errors import ConfigurationError

# In ten seconds enough for a stage of a hundredth, and no load is slower for it by more than a few hundredths.
RATE_HZ = 400
_END_TIMEOUT_S = 60.0


def dump(pid: int) -> list[dict[str, Any]]:
    """Return the threads of a process as py-spy shows them: `thread_name`, `os_thread_id`, `frames`.

    Raises ConfigurationError when py-spy is missing, or may not look at that process.
    """
    command = [find(), "dump", "--pid", str(pid), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_END_TIMEOUT_S)
    if done.returncode != 0:
        raise _refused(done.stderr)
    threads: list[dict[str, Any]] = json.loads(done.stdout)
    return threads


@contextmanager
def recording(
    pid: int, output_format: str, path: Path, *, rate_hz: int = RATE_HZ
) -> Iterator["subprocess.Popen[bytes]"]:
    """Look at the threads of a process that compute, while the block runs, and write what was seen to `path`.

    output_format: `raw` (a line for each stack, with its count), `flamegraph` or `speedscope`. The process goes on
    while it is looked at: to stop it for that would halve a load, and show it waking up. A look that meets a change of
    the stack is dropped, up to two in a hundred. Raises ConfigurationError when py-spy is missing, or writes nothing.
    """
    command = [find(), "record", "--pid", str(pid), "--rate", str(rate_hz), "--threads", "--nonblocking"]
    command += ["--format", output_format, "--output", str(path)]
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            yield child
            child.send_signal(signal.SIGINT)  # its word to write what it has
            child.wait(_END_TIMEOUT_S)
        finally:
            child.kill()
            child.wait()
        said.seek(0)
        if child.returncode != 0 or not path.exists():
            raise _refused(said.read().decode(errors="replace"))


def find() -> str:
    """Return the path of py-spy: of this environment, or else of the search path. Raises ConfigurationError."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = shutil.which("py-spy", path=str(scripts)) or shutil.which("py-spy")
    if found is None:
        raise ConfigurationError("py-spy", "it is not installed", "install it with the extra: caxton[bench]")
    return found


def _refused(said: str) -> ConfigurationError:
    """Return the error of a py-spy that has failed, from what it said."""
    if "ermission" in said or "not permitted" in said:
        advice = "run as root, or set kernel.yama.ptrace_scope to 0, or give the container CAP_SYS_PTRACE"
        return ConfigurationError("py-spy", "it may not look at another process (ptrace is not permitted)", advice)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return ConfigurationError("py-spy", " ".join(lines)[:300] or "it failed without a word", "try a longer --seconds")
