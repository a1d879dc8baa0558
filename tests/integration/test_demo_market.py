"""`caxton demo market`: a contract net for each row, held to a computation without agents."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import caxton
from caxton.client.own_runtime import own_runtime
from caxton.demo.carriers import TARIFFS
from caxton.demo.freight import award, jobs_of
from caxton.demo.market import trade

CAXTON = [sys.executable, "-P", "-m", "caxton"]
TABLE = Path(__file__).parents[1] / "data" / "freight.csv"


@pytest.fixture(scope="module")
def runtime():
    with own_runtime(2) as directory:
        yield directory


def demo(runtime, *arguments):
    return subprocess.run(
        [*CAXTON, "demo", "market", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        timeout=180,
        env=os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)},
    )


def agents(runtime):
    async def listed():
        async with caxton.connect(runtime) as client:
            return await client.agents()

    return asyncio.run(listed())


def test_every_row_agrees(runtime):
    """All rows of the table are negotiated as computed, nothing is lost, and no agent stays."""
    done = demo(runtime, TABLE, "-o", "json")
    report = json.loads(done.stdout)
    awards = [award(job, [*TARIFFS.values()]) for job in jobs_of(TABLE)]
    assert done.returncode == 0
    assert (report["rows"], report["agrees"], report["lost"]) == (len(awards), len(awards), 0)
    assert report["nobody"] == awards.count(None) > 0
    places = [each[0] for each in awards if each is not None]
    assert report["by_carrier"] == {name: places.count(place) for place, name in enumerate(TARIFFS)}
    assert agents(runtime) == []


def test_a_negotiation_is_told(runtime, tmp_path):
    """People see who carries how much, whether it is right, and one negotiation step by step."""
    table = tmp_path / "one.csv"
    table.write_text("job,km,kg\nbooks,358,2\n", encoding="utf-8")
    done = demo(runtime, table)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 of 1 agree with the computation without agents, 0 contracts were lost" in done.stdout
    story = done.stdout[done.stdout.index("the negotiation with the most") :]
    assert "books: 358 km, 2 kg (line 2 of the table)" in story
    assert "cfp to 9 carriers\n  north (a sandbox) proposes 5,728\n" in story
    assert "accept-proposal to swift (Python), reject-proposal to 8 others" in story
    assert "swift (Python) informs: it is carried, for 3,502" in story


def test_a_worker_that_is_killed_changes_nothing(runtime):
    """With a worker killed in the middle every row still agrees, and every contract was carried once."""

    async def killed_in_the_middle():
        async with caxton.connect(runtime) as client:
            done = 0

            def advance(rows):
                nonlocal done
                done += rows
                if done == 50:
                    os.kill(victim, signal.SIGKILL)

            victim = (await client.health()).workers[0].pid
            return await trade(client, TABLE, advance, at_once=16)

    report = asyncio.run(killed_in_the_middle())
    assert (report.agrees, report.lost, report.disagreeing) == (report.rows, 0, ())
    assert report.restarted == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("km\n1\n", "its first line names no column kg"),
        ("", "its first line names no column km and no column kg"),
        ("km,kg\n", "it has no rows"),
        ("km,kg\n1,2\nx,3\n", "line 3: km is 'x', and no whole number"),
        ("km,kg\n1\n", "line 2: kg is '', and no whole number"),
        ("km,kg\n1,4294967296\n", "line 2: kg is '4294967296'"),
        (b"km,kg\n1,2\n\xff,3\n", "it is no table of UTF-8 text"),
    ],
)
def test_what_is_no_table_is_refused(runtime, tmp_path, text, says):
    """A table without the columns, without rows, or with what is no number is told with its line."""
    table = tmp_path / "table.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = demo(runtime, table)
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert agents(runtime) == []
