"""A runtime as a container has it: process 1 of its own, a root that nobody writes to, and two places that it may."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import psutil
import pytest

import caxton

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
CAXTON = [sys.executable, "-P", "-m", "caxton"]
SPACES = ["--mount", "--pid", *([] if os.geteuid() == 0 else ["--user"])]
UNSHARE = ["unshare", *SPACES, *([] if os.geteuid() == 0 else ["--map-root-user"]), "--fork", "--mount-proc"]
# What may be written to stays as it is, and everything else can only be read.
READ_ONLY = "mount --bind {kept} {kept} && mount -o remount,bind,ro / && ! touch /written 2>/dev/null && exec {serve}"


def problem():
    """Why there can be no such place here, None where there can."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "there is no unshare or no nsenter"
    script = "mount --bind /tmp /tmp && mount -o remount,bind,ro /"
    tried = subprocess.run([*UNSHARE, "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    return f"no namespaces may be made here: {tried.stderr.strip()}" if tried.returncode else None


class Contained:
    """A runtime in namespaces of its own, and what it told on its standard output."""

    def __init__(self, kept, log):
        self.kept = kept
        self._environ = os.environ | {
            "CAXTON_RUNTIME_DIR": str(kept / "r"),
            "CAXTON_DATA_DIR": str(kept / "d"),
            "HOME": "/nobody",
            "TMPDIR": str(kept),
        }
        serve = shlex.join([*CAXTON, "serve", "--workers", "1", "-o", "json"])
        script = READ_ONLY.format(kept=kept, serve=serve)
        self.outer = subprocess.Popen(
            [*UNSHARE, "--kill-child=KILL", "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=self._environ,
        )

    def told(self):
        """Return what it tells next."""
        line = self.outer.stdout.readline()
        assert line, "it has ended"
        return json.loads(line)

    @property
    def pid(self):
        """Process 1, as it is called from outside."""
        (child,) = psutil.Process(self.outer.pid).children()
        return child.pid

    def run(self, *arguments):
        """Run the command line beside it, as `docker exec` does."""
        credentials = [] if os.geteuid() == 0 else ["--preserve-credentials"]
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), *SPACES, *credentials, *CAXTON, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self._environ,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def contained():
    """Serve in a container of the test's own making."""
    if (why := problem()) is not None:
        pytest.skip(why)
    with TemporaryDirectory(prefix="cx-") as kept, TemporaryFile() as log:
        runtime = Contained(Path(kept), log)
        try:
            yield runtime
        finally:
            runtime.outer.kill()
            runtime.outer.wait()
            runtime.outer.stdout.close()


def test_it_serves_as_process_1_where_nothing_else_can_be_written(contained):
    """An agent is deployed and answers, health is well, and told to stop it drains and ends with 0."""
    ready = contained.told()
    assert (ready["event"], ready["pid"]) == ("ready", 1)

    contained.run("agent", "deploy", "echo", str(ECHO))
    answer = json.loads(contained.run("message", "request", "echo", "hello", "-o", "json"))
    health = json.loads(contained.run("health", "-o", "json"))
    assert answer["content"] == "hello"
    assert health["status"] == "healthy"

    os.kill(contained.pid, signal.SIGTERM)
    events = []
    while not events or events[-1]["event"] != "stopped":
        events.append(contained.told())
    assert contained.outer.wait(60) == 0
    assert (contained.kept / "d").is_dir()
