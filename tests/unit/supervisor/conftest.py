"""Supervisors in the test's own process, with workers that do what a test tells them.

Run as a script, this file is such a worker: a real process that binds its sockets, beats, keeps a book, obeys Drain.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from caxton.client.call_line import ask_soon
from caxton.config.settings import ServeSettings
from caxton.links.session import SessionMarks
from caxton.store.books import Book
from caxton.supervisor.supervisor import Supervisor
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Inlet, Outlet, end_context, new_context
from caxton.wire.codec import CONTROL
from caxton.wire.condition import Condition
from caxton.wire.control import Drain, Heartbeat, SessionEnded, Topology
from caxton.wire.spawn_spec import SpawnSpec
from caxton.wire.supervision import AskHealth, AskStats
from workers.crash_note import CrashNote
from workers.parent import die_with_parent

# Incarnations of workers that had no predecessor, in a runtime of two workers.
FIRST_LIVES = 2
COUNTERS = ("topologies", "forged", "sessions_ended", "charged_agent", "queued", "gaps", "agents")


class FakeWorker:
    """behaviour: serve, exit, damaged, mute, hang, hang_in_turn, crash_in_turn, busy, stubborn, fat."""

    def __init__(self, spec, behaviour):
        self.behaviour = behaviour
        self.spec = spec
        directory = RuntimeDir(Path(spec.runtime_dir))
        own = spec.incarnation
        self.marks = SessionMarks(spec.marks_key)
        self.context = new_context()
        self.data = Inlet(directory.data(own))
        self.control = Inlet(directory.control(own))
        self.supervisor = Outlet(self.context, directory.control(SUPERVISOR))
        self.book = Book.create(directory.book(own), own, COUNTERS)
        self.note = CrashNote(directory.crash_note(own))
        self.phase = 0
        self.ready = self.told_ready = False
        self.done = asyncio.Event()
        # Beyond 128 MiB in a first life; pages that were never written would not count.
        self.fat = b"x" * (150 << 20) if behaviour == "fat" and spec.incarnation <= FIRST_LIVES else b""
        if spec.last_crash is not None:
            self.book.gauge("charged_agent", int.from_bytes(spec.last_crash[16:24], "little"))

    async def live(self):
        self.beat()
        self.ready = self.behaviour != "mute"
        self.control.watch(asyncio.get_running_loop(), self.take)
        while not self.done.is_set():
            self.beat()
            self.misbehave()
            try:
                await asyncio.wait_for(self.done.wait(), 0.05)
            except TimeoutError:
                continue

    def misbehave(self):
        if self.behaviour in {"hang_in_turn", "crash_in_turn"} and not self.note.cells[2]:
            self.note.cells[0], self.note.cells[1], self.note.cells[3] = 5, 6, time.monotonic_ns()
            self.note.cells[2] = 77
        if self.behaviour == "crash_in_turn" and self.spec.last_crash is None:
            os.abort()

    def take(self):
        while (frame := self.control.receive()) is not None:
            control = CONTROL.decode(frame)
            if not self.marks.verify(control.source, control.mark) or control.source != SUPERVISOR:
                self.book.count("forged")
            elif isinstance(control, Topology):
                self.book.count("topologies")
            elif isinstance(control, SessionEnded):
                self.book.count("sessions_ended")
            elif isinstance(control, Drain) and self.behaviour != "stubborn":
                self.phase = control.phase
                if self.phase == 2:
                    self.done.set()
        self.book.commit()

    def beat(self):
        if self.told_ready and self.behaviour in {"hang", "hang_in_turn"}:
            return
        self.told_ready = self.ready
        own, shard = self.spec.incarnation, self.spec.shard
        mark = self.marks.mark(own)
        idle = self.behaviour != "busy"
        self.book.commit()
        counters = self.book.totals()
        condition = Condition(modules_ms=own)
        beat = Heartbeat(own, mark, shard, self.ready, self.phase, idle, counters, condition)
        self.supervisor.send(CONTROL.encode(beat))


def work() -> int:
    spec = SpawnSpec.decode(sys.stdin.buffer.read())
    die_with_parent(spec.supervisor_pid)
    behaviour = json.loads(sys.argv[1]).get(str(spec.shard), "serve")
    if behaviour == "exit":
        return 3
    if behaviour == "damaged" and not Path(spec.data_dir, "restored").exists():
        return os.EX_DATAERR
    worker = FakeWorker(spec, behaviour)
    asyncio.run(worker.live())
    worker.data.close()
    worker.control.close()
    worker.supervisor.close(linger_ms=100)
    end_context(worker.context)
    return 0


class Running:
    """A supervisor that runs in a task of the test's loop; its events come out one after the other."""

    def __init__(self, settings, behaviours, compiler_command):
        self.directory = RuntimeDir(settings.runtime_dir)
        self.data_dir = settings.data_dir
        self._events = asyncio.Queue()
        command = (sys.executable, "-P", __file__, json.dumps(behaviours))
        self.supervisor = Supervisor(settings, self._events.put_nowait, command, compiler_command)
        self.task = asyncio.get_running_loop().create_task(self.supervisor.run())

    async def event(self, name, timeout_s=60):
        """Return the next event of this name; what comes before it is passed over."""
        async with asyncio.timeout(timeout_s):
            while True:
                waiting = asyncio.get_running_loop().create_task(self._events.get())
                await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    self.task.result()
                    raise AssertionError(f"it ended without {name}")
                if waiting.result().name == name:
                    return waiting.result()

    async def ask(self, request, timeout_s=60):
        return await ask_soon(self.directory.path, request, timeout_s)

    async def health(self):
        return (await self.ask(AskHealth())).values

    async def stats(self):
        return (await self.ask(AskStats())).values

    async def until(self, answers, holds, timeout_s=60):
        """Ask again and again until the answer holds; returns it."""
        async with asyncio.timeout(timeout_s):
            answer = await answers()
            while not holds(answer):
                answer = await answers()
        return answer

    async def stop(self):
        if not self.task.done():
            self.task.cancel()
        await asyncio.wait({self.task})


# A compiler that is never asked anything: ready, and silent.
IDLE_COMPILER = """
import sys
from caxton.wire.compile_job import COMPILER_REPLY, CompilerReady, write_frame
write_frame(sys.stdout.buffer, COMPILER_REPLY.encode(CompilerReady("00ff")))
sys.stdin.buffer.read()
"""


@pytest.fixture
def short_dir():
    """A directory whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="cx", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def run(short_dir):
    """Start supervisors with fake workers that behave as told, shard by shard."""
    started = []

    def start(behaviours=None, compiler=IDLE_COMPILER, **settings):
        compiler_command = (sys.executable, "-P", "-c", compiler)
        serve = ServeSettings(short_dir / "run", short_dir / "data", **({"workers": 2} | settings))
        running = Running(serve, behaviours or {}, compiler_command)
        started.append(running)
        return running

    yield start
    for running in started:
        await running.stop()


if __name__ == "__main__":
    sys.exit(work())
