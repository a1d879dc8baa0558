import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import caxton
from caxton.acl.options import Lane

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path):
    """Runs a subcommand, which saves its result in `tmp_path`."""

    def run(*arguments):
        command = [sys.executable, "-m", "bench", *arguments, "--results", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    return run


@pytest.fixture(scope="session")
def room():
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(ROOT))
    return lambda name: importlib.import_module(f"bench.{name}")


@pytest.fixture
def flooded(room):
    """Flood a graph of a runtime of its own, after something was done to it, and return the row."""

    async def run(name, before):
        graph = room("flow.graphs").GRAPHS[name]
        flood, deployed = room("flow.flood"), room("flow.deployed")
        async with caxton.testing.runtime() as served, served.connect() as client:
            agents = await deployed.deploy(client, graph, 1)
            crew = await room("flow.crew").Crew.of(client, served.runtime_dir)
            await deployed.wake(client, list(agents.values()), crew)
            await before(client, agents)
            entering = flood.Flood(client, graph, agents, Lane.VOLATILE, 10)
            row = await flood.measure(client, graph, crew, entering, flood.Bounds(0.5, 30.0))
            served.kill()
            return row

    return run


def test_every_turn_of_a_graph_runs(bench, room):
    """On both lanes each graph runs just the turns that follow from what enters it, and nothing else happens."""
    done = bench("flow", "--only", "star", "--workers", "2", "--turns", "20000", "-o", "json")

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert [row["graph"] for row in result["graphs"]] == ["flat", "star", "flat"] * 2
    assert [row["lane"] for row in result["graphs"]] == ["volatile"] * 3 + ["durable"] * 3
    amiss = (*room("flow.flood").AMISS, "lost", "unsent")
    for row in result["graphs"]:
        assert row["turns"] == row["wanted_turns"] == pytest.approx(20_000, rel=0.05)
        assert [row[name] for name in amiss] == [0] * len(amiss)
        assert row["problem"] is None
        assert row["workers"] == 2
        assert row["turns_per_s"] > 0
        assert row["ratio_to_flat"] > 0
        assert row["computing_us"] > 0
        assert row["computing_to_flat"] > 0
        assert row["computing_to_flat_msgpack"] is None
        assert row["longest_standstill_ms"] >= 0
    assert result["amiss"] == 0


async def test_a_graph_that_stands_still_is_given_up(flooded):
    """Where an agent runs no turns the graph ends all the same, and its row says how far it came."""

    async def pause(client, agents):
        await client.pause(agents["broker"])

    row = await flooded("broker", pause)

    assert row["turns"] == 10
    assert row["problem"].startswith("stood still with 10 of 520 turns done")
    assert row["longest_standstill_ms"] >= 400


async def test_what_is_not_a_turn_is_counted(flooded):
    """Messages that nobody takes are in the row, each as what it came to."""

    async def remove(client, agents):
        await client.remove(agents["subscriber-7"])

    row = await flooded("broker", remove)

    assert (row["turns"], row["wanted_turns"], row["refused"]) == (510, 520, 10)
    assert row["problem"] == "510 turns instead of 520; 10 refused; 10 failures"


def test_a_neighbour_is_asked_beside_a_flood(bench):
    """With --flood an echo agent is asked alone, and beside each kind of coordinator, which runs turns meanwhile."""
    short = ["--only", "flat", "--workers", "1", "--lane", "durable", "--turns", "500", "--seconds", "1"]
    done = bench("flow", *short, "--flood", "-o", "json")

    result = json.loads(done.stdout)
    assert [row["graph"] for row in result["neighbours"]] == ["coordinator-replies", "coordinator-news"]
    for row in result["neighbours"]:
        assert 0 < row["alone_us"]["p50"] <= row["alone_us"]["p99"]
        assert 0 < row["beside_us"]["p50"] <= row["beside_us"]["p99"]
        assert row["turns_per_s"] > 0
        assert row["grown_bytes"] <= row["most_grown_bytes"]
    assert done.returncode == (1 if result["amiss"] else 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "ring,square"], "square: take some of flat,"),
        (["--workers", "1,,2"], "'' is no number of workers"),
        (["--workers", "33"], "'33' is no number of workers"),
        (["--turns", "0"], "--turns"),
    ],
)
def test_what_is_no_graph_or_number_is_wrong_usage(bench, arguments, said):
    """An unknown graph, or a number out of its range, is named with exit code 2, before anything is started."""
    done = bench("flow", *arguments)

    assert done.returncode == 2
    assert said in done.stderr
