import importlib
import os
import subprocess
import sys
import time

import psutil
import pytest

PYTHON = sys.executable
WAITS = """
import json, os, subprocess, sys
from bench.peers.surroundings import computing_s

def child(**env):
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=os.environ | env)

with child() as ours, child(TMPDIR="/elsewhere") as other:
    seen = computing_s()
    for each in (ours, other):
        each.communicate(b"\\n")
rows = [{"form": "one by one", "note": [process in seen for process in (os.getpid(), ours.pid, other.pid)]}]
print(json.dumps({"version": "1", "processes": 2, "rows": rows}))
"""
ROW = {
    "peer": "one",
    "version": "1",
    "form": "one by one",
    "per_s": 100,
    "computing_us": 7.5,
    "under_way": 16,
    "latency_us": {"p50": 10, "p99": 20},
    "processes": 2,
    "note": "",
    "status": "ok",
}
DAEMON = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print(f"left {child.pid}", file=sys.stderr)
raise SystemExit(3)
"""


@pytest.fixture(scope="module")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


@pytest.fixture
def rows_of(room):
    """Run a peer that is a line of Python."""

    def run(code, deadline_s=20.0, **needs):
        peer = room("peers.catalogue").Peer("some peer", (PYTHON, "-c", code), **needs)
        return room("peers.child").run(peer, 100, 1.0, deadline_s)

    return run


def test_a_peer_that_is_not_installed_is_named_as_such(rows_of):
    """A peer whose module or program is not there has a row that says so and how to get it, and is not started."""
    for needs in ({"modules": ("no_such_module",)}, {"programs": ("no-such-program",)}):
        (row,) = rows_of("raise SystemExit('it was started')", **needs)

        assert (row["peer"], row["status"]) == ("some peer", "not installed")
        assert row["install"] == "pip install '.[peers]'"
        assert row["per_s"] is None


def test_a_peer_that_crashes_is_a_row_with_its_reason(rows_of):
    """A child that ends with an error is reported with its exit code and its last words."""
    (row,) = rows_of("raise SystemExit('it broke')")

    assert (row["status"], row["reason"]) == ("failed", "exit code 1: it broke")


def test_a_peer_that_hangs_is_ended_at_its_deadline(rows_of):
    """A child that never ends is reported soon after its deadline."""
    began_s = time.monotonic()
    (row,) = rows_of("import signal; signal.pause()", deadline_s=0.5)

    assert (row["status"], row["reason"]) == ("failed", "no result within 0.5 s")
    assert 0.5 <= time.monotonic() - began_s < 10


@pytest.mark.parametrize("printed", ["", "no JSON", "[]", '{"version": "1", "processes": 2}'])
def test_a_peer_that_tells_nonsense_has_failed(rows_of, printed):
    """A child that ends well without a result that can be read is reported as failed."""
    (row,) = rows_of(f"print({printed!r})")

    assert row["status"] == "failed"
    assert row["reason"].startswith("its result cannot be read")


def test_a_daemon_does_not_outlive_its_peer(rows_of):
    """What a peer leaves behind in a session of its own is killed when the peer has ended."""
    (row,) = rows_of(DAEMON)

    assert row["status"] == "failed"
    left = int(row["reason"].rpartition(" ")[2])
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_what_a_peer_computes_is_that_of_all_it_started(rows_of):
    """A peer's computing time is its own and that of the processes in its surroundings, and of nobody else."""
    (row,) = rows_of(WAITS)

    assert row["note"] == [True, True, False], row


def test_a_peer_keeps_its_hands_off_the_home(rows_of):
    """A peer's home and temporary folder are one of its own, which is gone when it has ended."""
    (row,) = rows_of("import os; raise SystemExit(os.environ['HOME'] + ' ' + os.environ['TMPDIR'])")
    home, folder = row["reason"].split()[-2:]

    assert home == folder != os.environ.get("HOME")
    assert not os.path.exists(folder)  # noqa: PTH110 (a name as the child told it)


def test_the_result_of_a_peer_becomes_rows(rows_of):
    """Each form that a child tells of becomes a row that also has the version and the processes."""
    rows = [{"form": "one by one", "per_s": 5}, {"form": "contract net", "per_s": 0.5, "processes": 1}]
    told = {"version": "1", "processes": 2, "rows": rows}
    row, net = rows_of(f"import json; print('chatter'); print(json.dumps({told}))")

    assert row["status"] == "ok"
    assert (row["form"], row["per_s"], row["version"], row["processes"]) == ("one by one", 5, "1", 2)
    assert (net["form"], net["per_s"], net["version"], net["processes"]) == ("contract net", 0.5, "1", 1)
    assert set(row) == set(net) == set(ROW)


def test_an_own_network_has_only_a_loopback(root):
    """In a network of its own a program sees the loopback, which works, and nothing else; or is told why not."""
    code = """
import socket
server = socket.create_server(("0.0.0.0", 0))
socket.create_connection(("127.0.0.1", server.getsockname()[1])).close()
print([name for _, name in socket.if_nameindex()])
"""
    command = [PYTHON, "-m", "bench.peers.loopback", PYTHON, "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=30)

    if done.returncode:
        assert done.stderr.startswith("the kernel gives it no network of its own")
    else:
        assert "'lo'" in done.stdout
        assert "eth" not in done.stdout


def test_the_better_round_counts(room):
    """Of two rounds a form keeps its higher rate and its lower latency and computing, whichever they came from."""
    slow = ROW | {"per_s": 50, "latency_us": {"p50": 5, "p99": 9}, "computing_us": 3.5}
    failed = ROW | {"form": None, "per_s": None, "latency_us": None, "status": "failed", "reason": "no"}
    better_of = room("peers.compared").better_of
    best = ROW | {"latency_us": slow["latency_us"], "computing_us": 3.5}

    assert better_of([ROW, slow]) == better_of([slow, ROW]) == [best]
    assert better_of([failed, ROW]) == better_of([ROW, failed]) == [ROW]
    assert better_of([failed, failed]) == [failed]


def test_ratios_are_of_caxton_over_each_peer(room):
    """Every form of a peer has two ratios, of Caxton batched and of Caxton one by one; a failed peer has none."""
    rows = [
        ROW | {"peer": "caxton", "form": "batched, volatile", "per_s": 300},
        ROW | {"peer": "caxton", "form": "one by one, volatile", "per_s": 20},
        ROW | {"peer": "caxton", "form": "batched, durable", "per_s": 7},
        ROW,
        ROW | {"peer": "two", "form": None, "per_s": None, "status": "failed"},
    ]
    compared, forms = room("peers.compared"), room("questions.peers").NUMERATORS

    assert compared.ratios(rows, forms) == [{"peer": "one", "form": "one by one", "batched": 3.0, "one_by_one": 0.2}]
    assert compared.ratios([ROW], forms) == [{"peer": "one", "form": "one by one", "batched": None, "one_by_one": None}]
    assert [row["per_s"] for row in compared.best_first(rows)] == [300, 100, 20, 7, None]


def test_contract_nets_stand_apart_from_requests(room):
    """Rounds and requests are in tables of their own; why there are none is in both, or in that of rounds alone."""
    compared, peer = room("peers.compared"), room("peers.catalogue").Peer
    peers = [peer("caxton", ()), peer("one", ()), peer("two", ()), peer("wires", (), why_no_net="it has no agents")]
    net = ROW | {"form": "contract net", "per_s": 2.5}
    ours = ROW | {"peer": "caxton", "form": "contract net, durable", "per_s": 10.0}
    failed = ROW | {"peer": "two", "form": None, "per_s": None, "status": "failed", "reason": "it broke"}
    wires = ROW | {"peer": "wires"}
    rows = [ours, ROW, net, failed, wires]
    forms = room("questions.peers").NET_NUMERATORS

    assert compared.requests_of(rows) == [ROW, failed, wires]
    *nets, without = compared.nets_of(rows, peers)
    assert nets == [ours, net, failed]
    assert (without["peer"], without["status"], without["reason"]) == ("wires", "no such form", "it has no agents")
    assert (without["per_s"], set(without) - {"reason"}) == (None, set(ROW))
    assert compared.ratios([*nets, without], forms) == [
        {"peer": "one", "form": "contract net", "volatile": None, "durable": 4.0}
    ]
    assert compared.named([net], "rounds_per_s")[0]["rounds_per_s"] == 2.5


def test_every_peer_holds_contract_nets_or_says_why_not(room):
    """Caxton and systems of agents are compared by contract nets, and every other peer says why it is not."""
    peers = room("peers.catalogue").PEERS

    assert {name for name, peer in peers.items() if not peer.why_no_net} == {"caxton", "autogen", "spade"}


def test_ten_bidders_ask_what_the_sandboxed_ones_ask(room):
    """The first of ten bidders asks the least, by their tariffs; fewer bids, or another winner, are a wrong answer."""
    nets, bids, wrong = room("peers.nets"), room("conversations.bids"), room("load.closed_loop").WrongAnswer
    prices = [int(bids.bid(place, bids.JOB)) for place in range(nets.BIDDERS)]

    assert prices == [bids.tariff_of(place).price(480, 1200) for place in range(10)]
    assert nets.cheapest(prices) == 0
    for other in (prices[:9], prices[::-1]):
        with pytest.raises(wrong):
            nets.cheapest(other)
    assert bids.bid(0, b'{"km": 1, "kg": 8001}') == b""


def test_wrong_answers_are_no_round_trips(room):
    """A loop ends with an error as soon as an answer differs from what was sent."""
    loops, wrong = room("peers.loops"), room("load.closed_loop").WrongAnswer

    async def ask(content):
        return content + b"?"

    async def ask_many(batch):
        return [*batch[:-1], b"?"]

    with loops.new_runner() as runner:
        for loop in (
            loops.of_tasks(runner, ask, b"x"),
            loops.of_batches(runner, ask_many, b"x", 4),
            loops.of_rounds(lambda count: [b"?"] * count, b"x"),
        ):
            with pytest.raises(wrong):
                loop(8, 0.2)


def test_the_best_number_under_way_is_measured(room):
    """A form tries every number of messages under way and measures the best of them for the whole time."""
    asked = []

    def loop(under_way, seconds):
        asked.append((under_way, seconds))
        return 100.0 - abs(under_way - 64)

    form = room("peers.form").Form("some form", loop, (16, 64, 256))
    row = form.measure(10.0)

    assert (row["under_way"], row["per_s"], row["latency_us"]) == (64, 100, None)
    assert row["computing_us"] >= 0
    assert "processes" not in row
    assert [number for number, _ in asked] == [16, 64, 256, 64]
    assert asked[-1][1] == 10.0


def test_small_rates_keep_a_decimal(room):
    """A rate below a thousand has a decimal, for some negotiate a few times a second; a form has its own processes."""
    form = room("peers.form").Form
    for rate, told in ((2.46, 2.5), (999.94, 999.9), (1_234.5, 1_234)):
        row = form("some form", lambda _number, _seconds, rate=rate: rate, (1,), processes=3).measure(1.0)

        assert (row["per_s"], row["processes"]) == (told, 3)
