"""`caxton restart`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from caxton.cli.elsewhere import elsewhere
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import Timeout
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import counted
from caxton.wire.answered import answered
from caxton.wire.supervision import AskHealth, RestartWorkers, Told

EXAMPLES = "Examples: caxton restart; caxton restart --shard 1; caxton restart --timeout 120 -o json"
# For one worker: the default deadlines of its drain and its stop, and a start that reads back what waits.
_TIMEOUT_PER_WORKER_S = 30.0
# To be let in the runtime must serve, which takes as long as its first start.
_ASK_TIMEOUT_S = 15.0

Advance = Callable[[int, int, str], None]


@reports_errors
def restart(
    shard: Annotated[
        int | None, typer.Option(min=0, max=MAX_WORKERS - 1, help="This one's worker alone.", show_default=False)
    ] = None,
    runtime_dir: RuntimeDirOption = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds to wait for all of it. Otherwise 30 for each worker.", show_default=False),
    ] = None,
    output: Output = Format.TEXT,
) -> None:
    """Restart every worker, one after the other, while the others serve; no durable message is lost.

    Failed and quarantined shards get a new try. Exits with 1 when a shard did not come back.
    """
    began_s = time.monotonic()
    with _progress(output) as advance:
        before, after = asyncio.run(_restart(runtime_dir, shard, timeout, advance))
    pairs = zip(before["workers"], after["workers"], strict=True)
    workers = [_compared(old, new) for old, new in pairs if shard in {None, new["shard"]}]
    absent = [worker["shard"] for worker in workers if not worker["restarted"]]
    took_s = round(time.monotonic() - began_s, 3)
    if output is Format.JSON:
        print_json({"restarted": not absent, "absent": absent, "took_s": took_s, "workers": workers})
    else:
        _show(workers, absent, took_s)
    if absent:
        raise typer.Exit(FAILED)


async def _restart(
    runtime_dir: Path | None, shard: int | None, timeout_s: float | None, advance: Advance
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return health before, and when no restart is left."""
    async with _reached(runtime_dir) as runtime:
        before = await runtime.health()
        count = len(before["workers"]) if shard is None else 1
        longest_s = _TIMEOUT_PER_WORKER_S * count if timeout_s is None else timeout_s
        deadline_s = time.monotonic() + longest_s
        await runtime.restart(shard, min(_ASK_TIMEOUT_S, longest_s))
        while left := (now := await runtime.health())["restarting"]:
            if time.monotonic() > deadline_s:
                raise Timeout(f"the restart of shards {', '.join(map(str, left))}", longest_s)
            advance(count - len(left), count, f"shard {left[0]} is {now['workers'][left[0]]['state']}")
            await asyncio.sleep(runtime.look_period_s)
        advance(count, count, "")
        return before, now


class _Here:
    """The supervisor of this machine."""

    look_period_s = 0.1

    def __init__(self, line: SupervisorLine) -> None:
        self._line = line

    async def health(self) -> dict[str, Any]:
        return answered(await self._line.ask(AskHealth(), _ASK_TIMEOUT_S), Told, "the supervisor").values

    async def restart(self, shard: int | None, timeout_s: float) -> None:
        await self._line.ask(RestartWorkers(shard), timeout_s)


class _Elsewhere:
    """A runtime of another machine, by its gateway, which tells health twice a second."""

    look_period_s = 0.5

    def __init__(self, client: RuntimeCalls) -> None:
        self._client = client

    async def health(self) -> dict[str, Any]:
        values: dict[str, Any] = msgspec.to_builtins(await self._client.health())
        return values

    async def restart(self, shard: int | None, timeout_s: float) -> None:
        async with asyncio.timeout(timeout_s):
            await self._client.restart(shard)


@asynccontextmanager
async def _reached(runtime_dir: Path | None) -> AsyncIterator[_Here | _Elsewhere]:
    if elsewhere(runtime_dir) is not None:
        from caxton.cli.session import client_of  # noqa: PLC0415 (all of the client, which is loaded later)

        async with client_of(runtime_dir) as client:
            yield _Elsewhere(client)
        return
    line = SupervisorLine(resolve_runtime_dir(runtime_dir))
    try:
        yield _Here(line)
    finally:
        line.close()


def _compared(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {
        "shard": new["shard"],
        "state": new["state"],
        "pid": new["pid"],
        "incarnation_before": old["incarnation"],
        "incarnation": new["incarnation"],
        "last_exit": new["last_exit"],
        "restarted": new["state"] == "ready" and new["incarnation"] > old["incarnation"],
    }


def _show(workers: list[dict[str, Any]], absent: list[int], took_s: float) -> None:
    names = ["shard", "state", "pid", "incarnation_before", "incarnation", "last_exit"]
    titles = ["shard", "state", "pid", "incarnation before", "now", "last exit"]
    print_table("workers", titles, [[worker[name] for name in names] for worker in workers])
    if absent:
        print_text(f"these shards did not come back: {', '.join(map(str, absent))}; see `caxton health`")
    else:
        print_text(f"restarted {counted(len(workers), 'workers')} in {took_s:.1f} s")


@contextmanager
def _progress(output: Format) -> Iterator[Advance]:
    """Show on standard error how far it is, if people look at it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("restarting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=output is Format.JSON or not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, doing: progress.update(task, completed=done, total=total, description=doing)
