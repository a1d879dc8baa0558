"""Every kind of the corpus as a client meets it: deployed on a real runtime, asked on both lanes, in both encodings."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import caxton.guests
from caxton.acl.options import DeliveryOptions
from caxton.agents.manifest import Encoding
from caxton.client.client import Client
from caxton.errors import (
    AgentError,
    CaxtonError,
    DeploymentError,
    InvalidMessageFormat,
    InvalidModule,
    ResourceLimitExceeded,
    WasmExecutionFailed,
)
from caxton.testing import ServedRuntime, eventually
from faultlab.hostile.corpus import NAME, Kind
from faultlab.hostile.frames import fuzz

OPTIONS = ("--retry-delay-ms", "100", "--restart-limit", "1000", "--breaker-threshold", "100")
_ASK_S = 30.0
_CONTENT = b"\x00\x01\x02\x03 hello"
_KIB, _MIB = 1 << 10, 1 << 20
# What an error calls a limit, and how the corpus calls it to go beyond it.
_BEYOND = {
    "max_fuel": "out_of_fuel",
    "max_execution_ms": "deadline",
    "max_memory_bytes": "memory_refused",
    "max_output_bytes": "output_too_large",
    "host_calls_per_turn": "host_call_quota",
    "max_output_messages": "too_much",
    "state": "too_much",
}


@dataclass(frozen=True)
class Tried:
    """What came of one kind on one lane in one encoding. peak_mib: of its worker; disk_kib: more than before."""

    kind: str
    encoding: str
    lane: str
    outcome: str
    seconds: float
    peak_mib: float
    disk_kib: int
    held: bool

    def with_(self, other: "Tried") -> "Tried":
        """Return the row of two rounds of one thing; what did not hold in one of them does not hold."""
        return Tried(
            self.kind,
            self.encoding,
            self.lane,
            self.outcome if not self.held else other.outcome,
            self.seconds + other.seconds,
            max(self.peak_mib, other.peak_mib),
            self.disk_kib + other.disk_kib,
            self.held and other.held,
        )


class Trial:
    """Of one runtime with one worker, whose client this is. `enter` once, then `all_of` for each kind."""

    def __init__(self, served: ServedRuntime, client: Client) -> None:
        self._served = served
        self._client = client
        self._began = len(served.events)

    async def enter(self) -> None:
        """Deploy the neighbour whose answers are looked at after each kind."""
        await self._client.deploy("neighbour", Path(caxton.guests.__file__).with_name("echo.wasm"))

    async def all_of(self, kind: Kind) -> AsyncIterator[Tried]:
        """Try a kind in each of its encodings, on each of its lanes; what is refused is refused once for all."""
        for encoding in kind.encodings:
            for lane in kind.lanes:
                tried = await self._tried(kind, encoding, lane)
                yield tried
                if tried.outcome == "refused":
                    return

    async def frames(self, count: int, seed: int) -> tuple[Tried, dict[str, int]]:
        """Send so many frames to every socket, and return what it cost and how many went where.

        The row holds if the neighbour answers after them as before.
        """
        pids = [self._served.pid, await self._served.worker_pid(0)]
        for pid in pids:
            _begin_peak_anew(pid)
        disk, began_s = _size_of(self._served.data_dir), time.monotonic()
        sent = await fuzz(self._served, count, seed)
        try:
            held, outcome = await self._neighbour_answers(), "counted"
        except CaxtonError as error:
            held, outcome = False, f"the neighbour does not answer: {error}"
        grown = (_size_of(self._served.data_dir) - disk) // _KIB
        peak = max(map(peak_of, pids))
        return Tried("frames", "", "", outcome, time.monotonic() - began_s, peak, grown, held), sent

    async def problems(self) -> list[str]:
        """Return what does not hold after all of them: workers that died, books that do not balance."""
        died = [event for event in self._served.events[self._began :] if event["event"] == "worker_died"]
        found = [f"a worker died: {event}" for event in died]
        ledger = await self._client.ledger()
        if not ledger.balanced:
            found.append(f"the books do not balance: {ledger.whole.problems}")
        return found

    async def _tried(self, kind: Kind, encoding: Encoding, lane: str) -> Tried:
        pid = await self._served.worker_pid(0)
        _begin_peak_anew(pid)
        disk, began_s = _size_of(self._served.data_dir), time.monotonic()
        outcome = await self._outcome(kind, encoding, lane)
        seconds = time.monotonic() - began_s
        held = outcome in kind.meets and await self._neighbour_answers()
        grown = (_size_of(self._served.data_dir) - disk) // _KIB
        return Tried(kind.name, encoding.value, lane, outcome, seconds, peak_of(pid), grown, held)

    async def _outcome(self, kind: Kind, encoding: Encoding, lane: str) -> str:
        try:
            await eventually(lambda: self._deployed(kind, encoding), _ASK_S)
        except InvalidModule:
            return "refused"
        except CaxtonError as error:
            return f"not deployed: {error}"
        try:
            return await self._asked(kind, lane)
        finally:
            await self._client.remove(NAME)

    async def _deployed(self, kind: Kind, encoding: Encoding) -> bool:
        """Deploy a kind; False while what waited for the one before is on its way to the dead letters."""
        try:
            await self._client.deploy(NAME, kind.wasm, encoding=encoding, limits=kind.limits)
        except InvalidModule:
            raise
        except DeploymentError:
            return False
        return True

    async def _asked(self, kind: Kind, lane: str) -> str:
        options = DeliveryOptions(reliability=lane, max_retries=1)
        try:
            if "silence" in kind.meets:
                await self._client.send(NAME, _CONTENT, options=options)
                return "silence"
            await self._client.request(NAME, _CONTENT, options=options, timeout_s=_ASK_S)
        except CaxtonError as error:
            return _word(error)
        return "answer"

    async def _neighbour_answers(self) -> bool:
        answer = await self._client.request("neighbour", _CONTENT, timeout_s=_ASK_S)
        return answer.content == _CONTENT


def _word(error: CaxtonError) -> str:
    """Return what the corpus calls this end of a turn; an error that is none of them by its own text."""
    if isinstance(error, WasmExecutionFailed):
        return error.reason
    if isinstance(error, ResourceLimitExceeded):
        return _BEYOND.get(error.resource, error.resource)
    if isinstance(error, AgentError):
        return "error"
    return "invalid_output" if isinstance(error, InvalidMessageFormat) else f"{type(error).__name__}: {error}"


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _begin_peak_anew(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_of(pid: int) -> float:
    """Return the most memory that a process had since its peak began anew; 0.0 of one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) * _KIB / _MIB
