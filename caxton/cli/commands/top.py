"""`caxton top`."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from caxton.cli.elsewhere import elsewhere
from caxton.cli.figures import Figures
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import Format, Output, print_json, print_lines, reports_errors
from caxton.cli.top.page import page
from caxton.cli.top.seen import Seen
from caxton.cli.top.view import MOST_FILTER, View
from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.errors import NetworkError, ResourceExhausted, RuntimeNotFound, ShardUnavailable, Timeout
from caxton.store.directory_lock import holder
from caxton.wire.busy import MAX_BUSIEST, BusyBy

EXAMPLES = (
    "Examples: caxton top; caxton top --by failures; caxton top --filter counter --every 5; caxton top --once; "
    "caxton top -o json"
)
LEAST_EVERY_S, MOST_EVERY_S = 0.5, 60.0
# How long the supervisor, and then the shards, may take to answer before the screen says that they do not.
_ANSWER_S, _AGENTS_S = 5.0, 2.0
# Between the two looks of a page that is printed once.
_ONCE_S = 1.0


@reports_errors
def top(
    by: Annotated[BusyBy, typer.Option(help="What the busiest agents have most of.")] = BusyBy.TURNS,
    wanted: Annotated[
        str, typer.Option("--filter", metavar="TEXT", help="Only agents whose names have this in them.")
    ] = "",
    every: Annotated[
        float, typer.Option(min=LEAST_EVERY_S, max=MOST_EVERY_S, metavar="SECONDS", help="Between two looks.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print one page, of one second, and end.")] = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Watch workers, rates, times, mailboxes and the busiest agents on a screen; q or Ctrl-C ends it.

    Without a terminal, with --once or -o json one page is printed. While no runtime is there the screen says so, and
    goes on with the next one of the same data directory. The agents are the 100 busiest, also for --filter.
    """
    view = View(by, wanted[:MOST_FILTER])
    if once or output is Format.JSON or not _has_terminal():
        asyncio.run(_print(runtime_dir, view, output))
    else:
        asyncio.run(_watch(runtime_dir, view, every))


def _has_terminal() -> bool:
    """Tell if there is a terminal for keys, and one for a page that changes."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@asynccontextmanager
async def _figures(runtime_dir: Path | None, *, reconnect: bool) -> AsyncIterator[tuple[RuntimeCalls, Path | None]]:
    """Yield who tells figures, and the directory of the runtime where that is one of this machine."""
    if elsewhere(runtime_dir) is not None:
        from caxton.cli.session import client_of  # noqa: PLC0415 (all of the client, which is loaded later)

        async with client_of(runtime_dir) as client:
            yield client, None
        return
    directory = resolve_runtime_dir(runtime_dir)
    async with Figures(directory, reconnect=reconnect) as here:
        yield here, directory


async def _print(runtime_dir: Path | None, view: View, output: Format) -> None:
    async with _figures(runtime_dir, reconnect=False) as (client, _):
        before = await _look(client, view.by, None)
        await asyncio.sleep(_ONCE_S)
        seen = await _look(client, view.by, before)
    if output is Format.JSON:
        agents = [] if seen.busiest is None else [one for one in seen.busiest.agents if view.shows(one.name)]
        told = {"over_s": round(seen.since_s, 3), "stats": msgspec.to_builtins(seen.stats)}
        named = [msgspec.structs.asdict(agent) | {"agent_id": str(agent.id)} for agent in agents]
        print_json(told | {"health": msgspec.to_builtins(seen.health), "agents": named, "untold": seen.untold or None})
    else:
        print_lines(line.text for line in page(seen, view, "", None))


async def _watch(runtime_dir: Path | None, view: View, every_s: float) -> None:
    from caxton.cli.top.terminal import keys, screen  # noqa: PLC0415 (a page that is printed once needs none of it)

    async with _figures(runtime_dir, reconnect=True) as (client, directory):
        watch = _Watch(client, directory, view, every_s)
        loop = asyncio.get_running_loop()
        with screen(os.environ) as shown, keys(watch.press, watch.end) as take:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, watch.end)
            loop.add_signal_handler(signal.SIGWINCH, watch.changed.set)
            loop.add_reader(sys.stdin.fileno(), take)
            try:
                async with asyncio.TaskGroup() as group:
                    looking = group.create_task(watch.look_for_ever())
                    while not watch.view.quits:
                        shown.show(page(watch.seen, watch.view, watch.problem, shown.height))
                        await watch.changed.wait()
                        watch.changed.clear()
                    looking.cancel()
            except ExceptionGroup as group_error:
                raise group_error.exceptions[0] from None
            finally:
                loop.remove_reader(sys.stdin.fileno())


class _Watch:
    """What was seen last, what is shown of it, and what is wrong; `changed` whenever the screen is to be drawn anew."""

    def __init__(self, client: RuntimeCalls, directory: Path | None, view: View, every_s: float) -> None:
        self._client = client
        self._directory = directory
        self._every_s = every_s
        self.view = view
        self.seen: Seen | None = None
        self.problem = "looking for the first time"
        self.changed = asyncio.Event()
        self._asked = asyncio.Event()

    def press(self, key: str) -> None:
        """A key was pressed."""
        before, self.view = self.view, self.view.after(key)
        if before.by is not self.view.by or before.paused is not self.view.paused:
            self._asked.set()
        self.changed.set()

    def end(self) -> None:
        """End the watch: a signal came, or the terminal has gone."""
        self.view = View(quits=True)
        self.changed.set()

    async def look_for_ever(self) -> None:
        """Look again and again. Raises what no later look could mend."""
        while True:
            if not self.view.paused:
                await self._look()
                self.changed.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._asked.wait()
            self._asked.clear()

    async def _look(self) -> None:
        try:
            self.seen = await _look(self._client, self.view.by, self.seen)
            self.problem = ""
        except ResourceExhausted as error:
            self.problem = f"the runtime has no room for this now; trying again: {error}"
        except (NetworkError, RuntimeNotFound, Timeout):
            gone = self._directory is not None and holder(self._directory) is None
            self.problem = (
                f"no runtime serves in {self._directory} any more; waiting for the next one"
                if gone
                else "the runtime does not answer; trying again"
            )


async def _look(client: RuntimeCalls, by: BusyBy, before: Seen | None) -> Seen:
    """Look once, after the look before. Raises Timeout, NetworkError or RuntimeNotFound without a supervisor."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            stats, health = await client.stats(), await client.health()
    except TimeoutError:
        raise Timeout("the supervisor's figures", _ANSWER_S) from None
    at_s, busiest, untold = time.monotonic(), None, ""
    try:
        async with asyncio.timeout(_AGENTS_S):
            busiest = await client.busiest(by, MAX_BUSIEST)
    except TimeoutError:
        untold = "a shard does not tell them in time"
    except (NetworkError, ResourceExhausted, ShardUnavailable, Timeout) as error:
        untold = str(error)
    if before is not None:
        another_run = stats.uptime_s < before.stats.uptime_s  # nothing of which has happened since that look
        before = None if another_run else replace(before, before=None)
    return Seen(at_s, stats, health, busiest, untold, before)
