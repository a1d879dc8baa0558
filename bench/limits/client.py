"""The client of a bare loop: so many frames are under way, and each that comes back is followed by the next."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice

import psutil
import zmq

from bench.limits.message import BATCH, decode, encode, requests
from bench.limits.worker import TIMEOUT_MS, Setting, Stage, run

WARM_UP_S = 0.3
_END_TIMEOUT_S = 5.0


class LimitBroken(AssertionError):
    """A bare loop answered with something else than it should, or not at all: its rate would say nothing."""


@dataclass(frozen=True)
class Loop:
    """What a bare loop did. client_cpu_s, workers_cpu_s: computing time of all threads."""

    round_trips: int
    seconds: float
    client_cpu_s: float
    workers_cpu_s: float


def measure(setting: Setting) -> Loop:
    """Start the workers of a setting, keep its window full through a short warm-up and its seconds, and end them.

    Raises LimitBroken when an answer is not what was sent, or none comes for a minute.
    """
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        context.setsockopt(zmq.LINGER, 0)  # of every socket: what is under way at the end is dropped
        inlet = stack.enter_context(context.socket(zmq.PULL))
        inlet.rcvtimeo = TIMEOUT_MS
        inlet.bind(setting.endpoint("client"))
        pids = [stack.enter_context(_worker(setting, number)) for number in range(setting.workers)]
        outlets = [stack.enter_context(context.socket(zmq.PUSH)) for _ in pids]
        for number, outlet in enumerate(outlets):
            outlet.connect(setting.endpoint(number))
        try:
            for _ in pids:
                inlet.recv()
            client = _Client(setting, inlet, outlets)
            client.fill()
            client.run(WARM_UP_S)
            before = client.round_trips, time.perf_counter(), *_cpu_s(pids)
            client.run(setting.seconds)
            after = client.round_trips, time.perf_counter(), *_cpu_s(pids)
        except zmq.Again:
            raise LimitBroken(f"no answer came at the stage {setting.stage}") from None
    round_trips, *seconds = (now - then for now, then in zip(after, before, strict=True))
    return Loop(int(round_trips), *seconds)


class _Client:
    """round_trips: messages that came back."""

    def __init__(self, setting: Setting, inlet: zmq.Socket[bytes], outlets: list[zmq.Socket[bytes]]) -> None:
        self._window = setting.window
        self._decodes = setting.stage is not Stage.FRAMES
        self._content = b"x" * setting.payload
        self._inlet = inlet
        self._outlets = outlets
        self._receivers = [cycle(setting.agents_of(number)) for number in range(setting.workers)]
        self._frame = encode(requests([0] * BATCH, self._content, 0))
        self.round_trips = 0

    def fill(self) -> None:
        """Send every worker its window of frames."""
        for number in range(len(self._outlets)):
            for _ in range(self._window):
                self._send(number)

    def run(self, seconds: float) -> None:
        """Let every frame that comes back be followed by another."""
        end_s, workers = time.perf_counter() + seconds, len(self._outlets)
        turns = cycle(range(workers))
        while time.perf_counter() < end_s:
            frame = self._inlet.recv()
            if not self._decodes:
                if len(frame) != len(self._frame):
                    raise LimitBroken("a frame did not come back as it was sent")
                self._send(next(turns))
            else:
                messages = decode(frame)
                if messages[-1].content != self._content:
                    raise LimitBroken("the guest is not an echo agent")
                self._send(messages[0].sender % workers)
            self.round_trips += BATCH

    def _send(self, worker: int) -> None:
        if self._decodes:
            receivers = list(islice(self._receivers[worker], BATCH))
            self._outlets[worker].send(encode(requests(receivers, self._content, self.round_trips)))
        else:
            self._outlets[worker].send(self._frame)


@contextmanager
def _worker(setting: Setting, number: int) -> Iterator[int]:
    """Run a worker process while the block runs, and give its process id."""
    process = multiprocessing.get_context("spawn").Process(target=run, args=(setting, number), daemon=True)
    process.start()
    try:
        yield process.pid or 0
    finally:
        process.kill()
        process.join(_END_TIMEOUT_S)


def _cpu_s(pids: list[int]) -> tuple[float, float]:
    """Return the seconds that this process, and the workers together, have computed."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return time.process_time(), sum(float(each.user + each.system) for each in times)
