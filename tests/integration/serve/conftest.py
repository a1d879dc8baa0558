"""Runtimes as people start them: `caxton serve` in a process of its own, in directories of its own."""

import json
import os
import queue
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from caxton.client.call_line import ask
from caxton.wire.supervision import AskHealth, AskStats

CAXTON = (sys.executable, "-P", "-m", "caxton")


class Command:
    """One run of `caxton` to its end."""

    def __init__(self, *arguments, **environment):
        done = subprocess.run(
            [*CAXTON, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | environment,
        )
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)


class Served:
    """One `caxton serve`. Its events come out one after the other."""

    def __init__(self, runtime_dir, data_dir, *options, within=()):
        self.runtime_dir, self.data_dir = runtime_dir, data_dir
        places = ("--runtime-dir", str(runtime_dir), "--data-dir", str(data_dir))
        self.process = subprocess.Popen(
            [*within, *CAXTON, "serve", *places, "-o", "json", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self._events = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def event(self, name, timeout_s=60.0):
        """Return the next event of this name; what comes before it is passed over."""
        give_up_at = time.monotonic() + timeout_s
        while (event := self._events.get(timeout=max(0.0, give_up_at - time.monotonic()))) is not None:
            if event["event"] == name:
                return event
        raise AssertionError(f"it ended without {name}: {self.process.stderr.read()}")

    def health(self):
        return ask(self.runtime_dir, AskHealth(), 30.0).values

    def stats(self):
        return ask(self.runtime_dir, AskStats(), 30.0).values

    def until(self, answers, holds, timeout_s=60.0):
        """Ask again and again until the answer holds; returns it."""
        give_up_at = time.monotonic() + timeout_s
        while not holds(answer := answers()):
            assert time.monotonic() < give_up_at, answer
        return answer

    def children(self):
        """Return the pids of the supervisor's children: workers and compiler."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


def ended(pid, timeout_s):
    """True once a process has ended, at the latest after `timeout_s`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout_s)[0])
    finally:
        os.close(descriptor)


@pytest.fixture
def process_ended():
    """Wait for the end of any process."""
    return ended


@pytest.fixture(scope="session")
def command_line():
    """The words that start `caxton` from this checkout."""
    return CAXTON


@pytest.fixture
def caxton():
    """Run a command of `caxton` to its end."""
    return Command


@pytest.fixture
def place():
    """A directory whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="cx", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def serve(place):
    """Start runtimes in this test's own directories, with 2 workers unless told otherwise.

    within: a command that becomes the one that follows it, in surroundings of its own.
    """
    started = []

    def start(*options, runtime_dir=None, data_dir=None, workers=2, within=()):
        workers_option = () if workers is None else ("--workers", workers)
        served = Served(
            runtime_dir or place / "run", data_dir or place / "data", *workers_option, *options, within=within
        )
        started.append(served)
        return served

    yield start
    for served in started:
        served.end()
