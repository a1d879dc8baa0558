"""A runtime of the laboratory: `caxton serve` in a process of its own, started, killed, cut and started again."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from caxton.client.call_line import ask
from caxton.errors import CaxtonError, NetworkError, Timeout
from caxton.wire.supervision import AskHealth, AskStats, Told
from faultlab.child import Child, gone
from faultlab.commands import python
from faultlab.orders import Orders
from faultlab.shadow import Shadow

READY_TIMEOUT_S = 90.0
ORPHAN_TIMEOUT_S = 2.0
_ASK_TIMEOUT_S = 10.0
_LOOK_PERIOD_S = 0.02


class Served:
    """One data directory and the runtime that serves it. `work` must be short enough for socket names.

    orders: what its workers are told to do. shadow: what a power cut would leave of its files.
    """

    def __init__(self, work: Path, workers: int, *, deadly: str = "", options: tuple[object, ...] = ()) -> None:
        self.work, self.runtime_dir, self.data_dir, self.log = work, work / "r", work / "d", work / "log"
        self.workers, self.deadly, self.options = workers, deadly, options
        self.orders, self.shadow = Orders(work / "orders"), Shadow(work / "shadow")
        self.child: Child | None = None

    def spawn(self) -> Child:
        """Start the runtime and return at once."""
        places = ("--runtime-dir", self.runtime_dir, "--data-dir", self.data_dir, "--workers", self.workers)
        command = python("serve", self.work, self.deadly, *places, *self.options)
        self.child = Child("the runtime", command, self.log)
        return self.child

    def start(self) -> float:
        """Start the runtime; returns how many seconds it took until it was ready. Raises NetworkError, Timeout."""
        began_s = time.monotonic()
        try:
            self.spawn().event("ready", timeout_s=READY_TIMEOUT_S)
        except CaxtonError as error:
            error.add_note(self.log.read_text(errors="replace")[-4_000:])
            raise
        return time.monotonic() - began_s

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the present runtime told."""
        return self.running.events

    @property
    def running(self) -> Child:
        """The process that serves; raises NetworkError when there is none."""
        if self.child is None:
            raise NetworkError("the laboratory's runtime", "it does not serve")
        return self.child

    def children(self) -> list[int]:
        """Return the pids of the supervisor's children: workers and compiler."""
        pid = self.running.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def health(self) -> dict[str, Any]:
        """Return what `caxton health -o json` prints."""
        told = ask(self.runtime_dir, AskHealth(), _ASK_TIMEOUT_S)
        return told.values if isinstance(told, Told) else {}

    def stats(self) -> dict[str, Any]:
        """Return what `caxton stats -o json` prints."""
        told = ask(self.runtime_dir, AskStats(), _ASK_TIMEOUT_S)
        return told.values if isinstance(told, Told) else {}

    def worker_pid(self, shard: int) -> int:
        """Return the process id of a shard's worker, waiting until there is one; raises Timeout."""
        give_up_s = time.monotonic() + READY_TIMEOUT_S
        while not (pid := int(self.health()["workers"][shard]["pid"] or 0)):
            if time.monotonic() > give_up_s:
                raise Timeout(f"a worker of shard {shard}", READY_TIMEOUT_S)
            time.sleep(_LOOK_PERIOD_S)
        return pid

    def kill_worker(self, shard: int) -> int:
        """Kill a shard's worker by SIGKILL; returns the moment, in ns on the monotonic clock."""
        pid = self.worker_pid(shard)
        killed_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        return killed_ns

    def kill_supervisor(self) -> list[int]:
        """Kill the supervisor alone; returns the children that were still there after two seconds."""
        children = self.children()
        self.running.kill()
        self.child = None
        give_up_s = time.monotonic() + ORPHAN_TIMEOUT_S
        return [pid for pid in children if not gone(pid, max(0.0, give_up_s - time.monotonic()))]

    def kill_all(self) -> None:
        """Kill the supervisor and every child of it at once, and wait for their ends."""
        pids = self.children()
        for pid in (self.running.pid, *pids):
            os.kill(pid, signal.SIGKILL)
        self.running.kill()
        self.child = None
        for pid in pids:
            if not gone(pid, ORPHAN_TIMEOUT_S):
                raise Timeout(f"the end of process {pid} after SIGKILL", ORPHAN_TIMEOUT_S)

    def cut_power(self) -> None:
        """Kill all, and leave of the shards' files what was synced."""
        self.kill_all()
        self.shadow.cut(self.data_dir)

    def stop(self) -> int:
        """Let it drain (SIGTERM); returns its exit code. Raises Timeout."""
        child = self.running
        child.signal(signal.SIGTERM)
        self.child = None
        return child.ended()

    def close(self) -> None:
        """End what runs and remove the directory."""
        child, self.child = self.child, None
        if child is not None:
            child.kill()
        self.shadow.close()
        shutil.rmtree(self.work, ignore_errors=True)
