"""What the supervisor tells the person or program that started it: facts, in the past tense, with level and text."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from caxton.errors import CaxtonError
from caxton.printable import counted
from caxton.wire.tokens import TokenView
from caxton.wire.told import HealthReason, LimitWarning

UNTOLD = "events that could not be told"


@dataclass(frozen=True)
class Event:
    """Something that happened. level: info, warning or error; `fields` are what `-o json` prints beside the name."""

    name: str
    level: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


class Telling:
    """Tells events to whoever started the supervisor, and never fails: one that could not be told is counted.

    Whoever tells has something else to do, and a full disk behind standard output must not keep it from that.
    """

    def __init__(self, tell: Callable[[Event], None], dropped: Counter[str], keep: Callable[[Event], None]) -> None:
        self._tell = tell
        self._keep = keep
        self._dropped = dropped

    def __call__(self, event: Event) -> None:
        """Tell an event, or count it; it is kept for whoever asks."""
        self._keep(event)
        try:
            self._tell(event)
        except Exception:  # noqa: BLE001 (whatever it is, it is no reason to serve worse)
            self._dropped[UNTOLD] += 1


def ready(fields: dict[str, Any], failed: list[int], quarantined: list[int]) -> Event:
    """Everything that could be started was started."""
    workers = "1 worker" if fields["workers"] == 1 else f"{fields['workers']} workers"
    text = (
        f"serving with {workers} in {fields['runtime_dir']} (pid {fields['pid']}); "
        f"stop with Ctrl-C or `caxton stop --runtime-dir {fields['runtime_dir']}`"
    )
    if fields.get("http"):
        text += f"; HTTP at {fields['http']}"
    if fields.get("metrics"):
        text += f"; metrics at {fields['metrics']}"
    if failed:
        text += f"; FAILED shards: {', '.join(map(str, failed))}"
    if quarantined:
        text += f"; QUARANTINED shards: {', '.join(map(str, quarantined))}"
    level = "error" if failed or quarantined else "info"
    return Event("ready", level, text, fields | {"failed": failed, "quarantined": quarantined})


def workers_as_made(workers: int, configured: int, data_dir: str) -> Event:
    """The configuration names another number of workers than the data directory was made with, which counts."""
    return Event(
        "workers_as_made",
        "warning",
        f"{data_dir} was made with {counted(workers, 'workers')}, and so many serve; {configured} are configured: "
        f"`caxton stop && caxton reshard --workers {configured}` changes it",
        {"workers": workers, "configured": configured},
    )


def worker_died(shard: int, pid: int, incarnation: int, how: str) -> Event:
    """A worker ended that was not asked to."""
    fields = {"shard": shard, "pid": pid, "incarnation": incarnation, "how": how}
    return Event("worker_died", "warning", f"worker of shard {shard} died (pid {pid}, {how})", fields)


def worker_restarted(shard: int, pid: int, incarnation: int, restarts: int) -> Event:
    """A successor is ready."""
    fields = {"shard": shard, "pid": pid, "incarnation": incarnation, "restarts": restarts}
    return Event("worker_restarted", "info", f"worker of shard {shard} serves again (pid {pid})", fields)


def shard_failed(shard: int, how: str) -> Event:
    """A shard was given up: its worker died too often."""
    text = f"shard {shard} failed: its worker died too often (last: {how}); the other shards serve on"
    return Event("shard_failed", "error", text, {"shard": shard, "how": how})


def shard_quarantined(shard: int, data_dir: str) -> Event:
    """A shard's worker found its file damaged, and is not started again."""
    path = f"{data_dir}/shard-{shard}.db"
    text = (
        f"shard {shard} is quarantined: {path} is damaged; bring back this very file, or `caxton restore` a backup "
        "into a new directory; the other shards serve on"
    )
    return Event("shard_quarantined", "error", text, {"shard": shard, "path": path})


def worker_retired(shard: int, pid: int, incarnation: int, how: str) -> Event:
    """A worker ended that was asked to, and has a successor."""
    fields = {"shard": shard, "pid": pid, "incarnation": incarnation, "how": how}
    return Event("worker_retired", "info", f"worker of shard {shard} ended as planned (pid {pid}, {how})", fields)


def worker_over_memory(shard: int, pid: int, resident_bytes: int, limit_bytes: int) -> Event:
    """A worker holds more memory than it may, and is restarted."""
    fields = {"shard": shard, "pid": pid, "resident_bytes": resident_bytes, "limit_bytes": limit_bytes}
    text = (
        f"worker of shard {shard} holds {resident_bytes >> 20} MiB, the limit is {limit_bytes >> 20} MiB; restarting it"
    )
    return Event("worker_over_memory", "warning", text, fields)


def restart_began(shards: list[int]) -> Event:
    """Workers are restarted, one after the other."""
    return Event("restart_began", "info", f"restarting {len(shards)} workers, one after the other", {"shards": shards})


def restart_ended(absent: list[int]) -> Event:
    """Every worker has a successor, but for the shards named."""
    text = "every worker was restarted"
    if absent:
        text = f"restarted; these shards did not come back: {', '.join(map(str, absent))}"
    return Event("restart_ended", "error" if absent else "info", text, {"absent": absent})


def worker_hung(shard: int, pid: int, why: str) -> Event:
    """A worker was killed because it did not answer."""
    fields = {"shard": shard, "pid": pid, "why": why}
    return Event("worker_hung", "warning", f"worker of shard {shard} was killed: {why} (pid {pid})", fields)


def compiler_died(how: str) -> Event:
    """The compiler process ended before it had work."""
    return Event("compiler_died", "warning", f"the compiler process died before it was ready ({how})", {"how": how})


def module_refused(sha256: str, error: CaxtonError) -> Event:
    """A module that was accepted once cannot be compiled any more."""
    return Event("module_refused", "error", f"module {sha256}: {error}", {"sha256": sha256, "problem": str(error)})


def modules_not_compiled(error: CaxtonError) -> Event:
    """Stored modules could not be compiled at the start; their agents do not run."""
    return Event("modules_not_compiled", "error", f"stored modules were not compiled: {error}", {"problem": str(error)})


def modules_removed(modules: list[str]) -> Event:
    """Modules that no agent was made from for a while were removed from the data directory."""
    return Event("modules_removed", "info", f"removed {len(modules)} modules that nobody uses", {"modules": modules})


def modules_not_removed(error: CaxtonError) -> Event:
    """Modules that nobody uses could not be removed; they are tried again."""
    return Event("modules_not_removed", "warning", f"unused modules were not removed: {error}", {"problem": str(error)})


def gateway_ready(urls: Mapping[str, str], pid: int) -> Event:
    """The gateway is there. urls: where it is asked for HTTP, and for metrics; `url` is the first of them, if any."""
    does = f"answers at {' and '.join(urls.values())}" if urls else "exports traces"
    url = {"url": next(iter(urls.values()))} if urls else {}
    return Event("gateway_ready", "info", f"the gateway {does} (pid {pid})", {**url, **urls, "pid": pid})


def gateway_refused(error: CaxtonError) -> Event:
    """Nobody listens for the gateway, because the address cannot be had; it is tried again."""
    return Event("gateway_refused", "error", f"HTTP is not served: {error}", {"problem": str(error)})


def gateway_died(pid: int, how: str) -> Event:
    """The HTTP gateway ended, and was not asked to."""
    return Event("gateway_died", "warning", f"the HTTP gateway died (pid {pid}, {how})", {"pid": pid, "how": how})


def gateway_failed(how: str) -> Event:
    """The HTTP gateway was given up: it died too often."""
    text = f"the HTTP gateway died too often (the last: {how}), and is not started again until `caxton restart`"
    return Event("gateway_failed", "error", text, {"how": how})


def call_failed(problem: str) -> Event:
    """A call at the desk met an error that nobody foresaw."""
    return Event("call_failed", "error", f"a call failed unexpectedly: {problem}", {"problem": problem})


def drain_started(timeout_s: float) -> Event:
    """No more is taken from clients; what is under way is finished."""
    text = f"draining for up to {timeout_s:g} s; a second signal kills at once"
    return Event("drain_started", "info", text, {"timeout_s": timeout_s})


def stopped(lost: int, killed: list[int], *, insisted: bool) -> Event:
    """Everything has ended. `killed`: shards whose workers did not end by themselves, `insisted`: for a signal."""
    text = f"stopped; {lost} messages of the volatile lane lost in this run"
    if killed:
        text += f"; killed at the {'second signal' if insisted else 'deadline'}: shards {', '.join(map(str, killed))}"
    return Event("stopped", "warning" if killed else "info", text, {"lost": lost, "killed": killed})


def file_put_back(path: str) -> Event:
    """Somebody removed a file of the runtime, and it was made again."""
    return Event("file_put_back", "warning", f"{path} was gone, and is put back", {"path": path})


def files_gone(problem: str) -> Event:
    """Somebody removed files of the runtime that only a restart brings back."""
    return Event("files_gone", "error", problem, {"problem": problem})


def audit_begun() -> Event:
    """The supervisor's audit begins anew: its file was not there."""
    return Event("audit_begun", "warning", "the supervisor's audit begins anew: there was none")


def health_degraded(reason: HealthReason) -> Event:
    """A reason of health began to hold."""
    where = "" if reason.shard is None else f"shard {reason.shard}, "
    return Event("health_degraded", "warning", f"{where}{reason.text}", msgspec.structs.asdict(reason))


def health_restored() -> Event:
    """No reason of health holds any more."""
    return Event("health_restored", "info", "all is well again")


def token_created(token: TokenView) -> Event:
    """A token was made."""
    return Event("token_created", "info", f"token {token.token_id} ({token.name}) was made", _about(token))


def token_revoked(token: TokenView) -> Event:
    """A token lets nobody in any more."""
    return Event("token_revoked", "info", f"token {token.token_id} ({token.name}) was revoked", _about(token))


def _about(token: TokenView) -> dict[str, Any]:
    return {"token_id": token.token_id, "name": token.name, "role": token.role, "agents": token.agents}


def limit_near(warning: LimitWarning) -> Event:
    """Something came to 80 % of what may be."""
    where = "" if warning.shard is None else f"shard {warning.shard}, "
    return Event("limit_near", "warning", f"{where}limit near: {warning.text}", msgspec.structs.asdict(warning))
