"""What the death of a worker costs: how long its agents are away, and whether the loss is counted to the message."""

import asyncio
import os
import random
import signal
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

import caxton
from bench.guests.echo import deploy_echoes, requests_to
from bench.load.closed_loop import Load
from bench.options import RESULTS_DIR, Agents, ResultsDir, Window, Workers
from bench.output import Bar, bar
from bench.results import finish
from bench.runtime import serving
from caxton.acl.message import Message
from caxton.cli.output import FAILED, Format, Output, reports_errors

PAYLOAD = 100
# A worker is killed at a random moment of this part of its load, in seconds.
KILLED_BETWEEN_S = 0.5, 1.5
# The load goes on after the agents are back: what they lose then would be counted too.
AFTERWARDS_S = 0.3
MOST_AWAY_S = 10.0
_SEED = 1


def measure(runs: int, workers: int, agents: int, window: int, bar: Bar) -> dict[str, Any]:
    """Kill a random worker under load, `runs` times in one runtime, and compare the two counts of its loss."""
    with serving(workers, ["--restart-limit", str(10 * runs)]) as served:
        each = uvloop.run(_measure(served.runtime_dir, runs, agents, window, bar))
    recoveries_s = [run["recovery_s"] for run in each]
    return {
        "runs": each,
        "equal_runs": sum(run["equal"] for run in each),
        "of_runs": runs,
        "lost": sum(run["lost_by_client"] for run in each),
        "recovery_s": {"median": round(statistics.median(recoveries_s), 3), "max": max(recoveries_s)},
        "workers": workers,
        "agents": agents,
        "window": window,
    }


async def _measure(runtime_dir: Path, runs: int, agents: int, window: int, bar: Bar) -> list[dict[str, Any]]:
    dice = random.Random(_SEED)
    each = []
    async with caxton.connect(runtime_dir) as client:
        messages = requests_to(await deploy_echoes(client, agents), PAYLOAD)
        shard_of = {view.agent_id: view.shard for view in await client.agents()}
        for run in range(1, runs + 1):
            bar.show(run - 1, f"run {run} of {runs}")
            before = (await client.stats()).lost
            victim = dice.choice((await client.health()).workers)
            its_own = [message for message in messages if shard_of[message.receiver] == victim.shard]
            load = Load(client, messages, window)
            recovery_s = await _kill_under(load, victim.pid, its_own, dice.uniform(*KILLED_BETWEEN_S))
            after = (await client.stats()).lost
            each.append(_run(run, load, recovery_s, {place: after[place] - before[place] for place in after}))
    return each


async def _kill_under(load: Load, pid: int, its_own: list[Message], after_s: float) -> float:
    """Return the seconds from the kill to the moment when every agent of the dead worker has answered again."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        await asyncio.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
        killed_s = time.perf_counter()
        try:
            async with asyncio.timeout(MOST_AWAY_S):
                while await load.ask(its_own) < len(its_own):
                    pass
            recovery_s = time.perf_counter() - killed_s
            await asyncio.sleep(AFTERWARDS_S)
        finally:
            load.stop()
    return recovery_s


def _run(number: int, load: Load, recovery_s: float, lost: dict[str, int]) -> dict[str, Any]:
    return {
        "run": number,
        "sent": load.sent,
        "answered": load.answered,
        "refused": load.refused,
        "lost_by_client": load.unknown,
        "lost_by_stats": lost["total"],
        "equal": load.unknown == lost["total"],
        "recovery_s": round(recovery_s, 3),
        "lost_where": {place: count for place, count in lost.items() if count and place != "total"},
    }


EXAMPLES = "Example: python -m bench kill --runs 20 -o json"


@reports_errors
def kill(
    runs: Annotated[int, typer.Option(min=1, help="Workers to kill, one after another.")] = 20,
    workers: Workers = 2,
    agents: Agents = 1_000,
    window: Window = 16,
    output: Output = Format.TEXT,
    results: ResultsDir = RESULTS_DIR,
) -> None:
    """Kill workers under load: when their agents answer again, and whether the loss is counted exactly.

    Exit code 1 when the client's loss and that of `caxton stats` differ in any run.
    """
    with bar(total=runs) as progress:
        result = measure(runs, workers, agents, window, progress)
    finish("kill", result, output, results)
    if result["equal_runs"] != runs:
        raise typer.Exit(FAILED)
