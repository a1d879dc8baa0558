import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
BENCH = [sys.executable, "-m", "bench", "peers"]


def test_peers_stand_beside_caxton(tmp_path):
    """Raw pyzmq and Caxton have rows with figures, a peer that is not installed is named, and ratios follow."""
    options = ["--only", "pyzmq,pykka", "--seconds", "0.2", "--rounds", "1", "--results", str(tmp_path), "-o", "json"]
    done = subprocess.run([*BENCH, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    rows = {(row["peer"], row["form"]): row for row in result["peers"]}
    lanes = [f"{form}, {lane}" for form in ("one by one", "batched") for lane in ("volatile", "durable")]
    measured = [("pyzmq", "one by one"), ("pyzmq", "batched"), *(("caxton", form) for form in lanes)]
    assert set(measured) <= set(rows)
    for key in measured:
        assert rows[key]["status"] == "ok"
        assert rows[key]["round_trips_per_s"] > 0
        assert rows[key]["under_way"] >= 16
        assert rows[key]["computing_us"] >= 0
        assert (rows[key]["latency_us"] is None) == key[1].startswith("batched")
    pykka = next(row for row in result["peers"] if row["peer"] == "pykka")
    assert pykka["status"] == ("ok" if importlib.util.find_spec("pykka") else "not installed")
    (ratio,) = [each for each in result["ratios"] if (each["peer"], each["form"]) == ("pyzmq", "batched")]
    caxton, pyzmq = (rows[key]["round_trips_per_s"] for key in (("caxton", "batched, volatile"), ("pyzmq", "batched")))
    assert ratio["batched"] == pytest.approx(caxton / pyzmq, abs=0.001)
    assert [json.loads(path.read_bytes())["question"] for path in tmp_path.iterdir()] == ["peers"]
    nets = {(row["peer"], row["form"]): row for row in result["contract_nets"]}
    assert all(nets["caxton", f"contract net, {lane}"]["rounds_per_s"] > 0 for lane in ("volatile", "durable"))
    assert nets["pyzmq", None]["status"] == nets["pykka", None]["status"] == "no such form"
    assert result["contract_net_ratios"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("peer", "module", "ways"),
    [("autogen", "autogen_core", [""]), ("spade", "spade", [", XMPP", ", one container"])],
)
def test_systems_of_agents_answer_requests_and_hold_contract_nets(peer, module, ways, tmp_path):
    """A system of agents that is installed has figures of both, with ratios; one that is not has both say so."""
    options = ["--only", peer, "--seconds", "0.2", "--rounds", "1", "--results", str(tmp_path), "-o", "json"]
    done = subprocess.run([*BENCH, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=290)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    requests = [row for row in result["peers"] if row["peer"] == peer]
    nets = [row for row in result["contract_nets"] if row["peer"] == peer]
    if not importlib.util.find_spec(module):
        assert [row["status"] for row in requests + nets] == ["not installed"] * 2
        return
    if "no network of its own" in requests[0].get("reason", ""):
        pytest.skip("the kernel gives it no network of its own")
    rates = {row["form"]: row["round_trips_per_s"] for row in requests}
    rates |= {row["form"]: row["rounds_per_s"] for row in nets}
    assert {*rates} == {f"{form}{way}" for form in ("one by one", "contract net") for way in ways}, requests
    assert all(rates.values())
    caxton = {row["form"]: row["rounds_per_s"] for row in result["contract_nets"] if row["peer"] == "caxton"}
    for ratio in result["contract_net_ratios"]:
        for lane in ("volatile", "durable"):
            wanted = caxton[f"contract net, {lane}"] / rates[ratio["form"]]
            assert ratio[lane] == pytest.approx(wanted, abs=0.001)
    assert len(result["contract_net_ratios"]) == len(nets)


def test_the_table_for_people_names_every_peer(tmp_path):
    """Without -o json a comparison is a table of its rows, and the figures of the machine below it."""
    options = ["--only", "caxton", "--seconds", "0.2", "--rounds", "1", "--payload", "0", "--results", str(tmp_path)]
    done = subprocess.run([*BENCH, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 0, done.stderr
    assert "batched, durable" in done.stdout
    assert "machine.cpu" in done.stdout
    assert "peers.1" not in done.stdout
    assert done.stderr.startswith("saved: ")


def test_an_unknown_peer_is_wrong_usage():
    """A peer that is not in the catalogue is named, with those that are, and nothing is started."""
    done = subprocess.run(
        [*BENCH, "--only", "pyzmq,akka"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert "akka" in done.stderr
    assert "xoscar" in done.stderr


def test_an_interrupted_comparison_leaves_nothing_behind(tmp_path):
    """A comparison that is told to end stops the peer that it measures, and all that this peer has started."""
    options = ["--only", "caxton", "--seconds", "30", "--results", str(tmp_path)]
    command = [*BENCH, *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        served = wait_for_worker(psutil.Process(child.pid))
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)

    assert child.returncode != 0
    _, alive = psutil.wait_procs(served, timeout=60)
    assert alive == []


def wait_for_worker(parent):
    """Return every descendant of a bench, once there is a worker among them."""
    while parent.is_running():
        found = parent.children(recursive=True)
        try:
            if any("worker" in " ".join(process.cmdline()) for process in found):
                return found
        except psutil.NoSuchProcess:
            continue
    raise AssertionError("it ended before it had a worker")
