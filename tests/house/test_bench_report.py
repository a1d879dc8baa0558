import importlib
import json
import re
import sys

import pytest
import typer
from typer.testing import CliRunner

from caxton.errors import ConfigurationError

MACHINE = {
    "date": "2026-11-20",
    "cpu": "a <quick> cpu",
    "cores": 2,
    "python": "CPython 3.11.7",
    "commit": "0123456789ab",
}
USUAL = {"workers": 1, "agents": 1_000, "payload": 100, "lane": "volatile"}
LATENCY = {"p50": 300, "p90": 500, "p99": 900, "p999": 5_001, "max": 9_000}
CPU = {"client": 2.0, "workers": 3.0}


@pytest.fixture(scope="session")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


def cost(times):
    return {"round_trips_per_s": 300_000, "cpu_us_each": {name: us * times for name, us in CPU.items()}}


def rate(per_s, p99):
    curve = [[0.0, 100], [90.0, 500], [99.0, p99], [99.99, p99 * 2]]
    return {"rate": per_s, "latency_us": LATENCY | {"p99": p99}, "sent": 10, "answered": 10, "lost": 0, "curve": curve}


def every_result():
    """One result of each kind, as the subcommands save them."""
    stage = {"process": "worker", "thread": "main", "stage": "sandbox", "us_per_turn": 1.1, "share": 0.4}
    growth = {"start_bytes": 100_000_000, "end_bytes": 101_000_000, "grown_bytes": 1_000_000}
    return [
        {"question": "throughput", "round_trips_per_s": 310_000, "ratio_to_limit": 0.7, **USUAL},
        {"question": "throughput", "round_trips_per_s": 210_000, "ratio_to_volatile": 0.68, **USUAL, "lane": "durable"},
        {
            "question": "latency",
            "rates": [rate(50_000, 700), rate(150_000, 950)],
            "max_round_trips_per_s": 300_000,
            "share": 0.5,
            **USUAL,
        },
        {
            "question": "sustain",
            "rate": 100_000,
            "seconds": 300.0,
            "lost": 0,
            "resident": {"worker_0": growth},
            **USUAL,
        },
        {
            "question": "scale",
            "most": None,
            "by": {
                "agents": [{"agents": 100, **cost(1)}, {"agents": 100_000, **cost(1.4)}],
                "payload": [{"payload": 0, **cost(1)}, {"payload": 65_536, **cost(9)}],
                "workers": [{"workers": 1, **cost(1)}, {"workers": 2, **cost(1), "round_trips_per_s": 330_000}],
                "registered": [{"registered": 1_000, **cost(1)}, {"registered": 1_000_000, **cost(1.6)}],
            },
        },
        {
            "question": "lookup",
            "in_process": {"sizes": [{"agents": 1_000, "find_us": 0.05}], "batches": [{"size": 10, "us_each": 0.2}]},
            "over_the_wire": {
                "sizes": [{"agents": 1_000, "inspect_us": LATENCY}],
                "batches": [{"size": 10, "us_each": 9.0}],
            },
        },
        {"question": "agents", "ready_ms": {"median": 910.0, "max": 950.0}, "registered_kb_each": 1.5},
        {"question": "budget", "us_per_turn": {"worker": 3.5}, "stages": [stage], **USUAL},
        {"question": "budget", "us_per_turn": {"worker": 5.5}, "stages": [stage], **USUAL, "lane": "durable"},
        {
            "question": "peers",
            "peers": [
                {"peer": name, "form": form, "round_trips_per_s": per_s, "status": "measured"}
                for name, form, per_s in (
                    ("Caxton", "one by one, volatile", 30_000),
                    ("Caxton", "batched, volatile", 300_000),
                    ("Erlang/OTP", "one by one", 150_000),
                    ("xoscar", "one by one", 10_000),
                    ("Ray", "one by one", 6_000),
                )
            ]
            + [{"peer": "raw pyzmq", "status": "failed", "note": "no answer"}],
            "ratios": {"Ray": 50.0},
        },
        {"question": "limit", "stages": [{"stage": "sandbox", "round_trips_per_s": 400_000, "us_each": 2.5}]},
    ]


@pytest.fixture
def results(room, tmp_path):
    """Save results as the subcommands do, and read them back."""

    def of(each_result):
        folder = tmp_path / "results"
        for number, result in enumerate(each_result):
            folder.mkdir(exist_ok=True)
            saved = {**result, "command": f"python -m bench {result['question']} --made-up", "machine": MACHINE}
            path = folder / f"{result['question']}-20261120T000000.{number:06}Z.json"
            path.write_text(json.dumps(saved))
        return room("results").Results(folder)

    return of


@pytest.fixture
def composed(room, results):
    """Compose a report of some results, with real plots."""
    return lambda some: room("report.document").compose(results(some), room("report.plots").draw)


def outcomes(document):
    return {each.goal.what: each.outcome.value for each in document.reached}


def test_every_figure_to_reach_has_its_outcome(composed):
    """Goals are met or missed by the figures of the results, each read where it stands."""
    assert outcomes(composed(every_result())) == {
        "volatile throughput over the limit of the same run": "met",
        "volatile round trips a second, one worker": "met",
        "durable throughput over volatile": "missed",
        "Caxton in batches over Erlang/OTP between two VMs": "met",
        "Caxton in batches over xoscar one by one": "met",
        "Caxton in batches over Ray one by one": "missed",
        "Caxton in batches over raw pyzmq with msgspec in batches": "not measured",
        "p99 at half of the maximum": "met",
        "p99.9 at half of the maximum": "missed",
        "lost at 100,000/s for 300 s": "met",
        "growth of the process that has grown most, as a share of its memory": "met",
        "cost of a message, 100,000 agents over 100": "met",
        "cost of a message, 1,000,000 registered agents over 1,000": "missed",
        "throughput of two workers over one": "met",
    }


def test_without_results_everything_is_open_and_has_its_command(room, composed):
    """A report of nothing names the command of every result, and meets no goal."""
    document = composed([])

    assert set(outcomes(document).values()) == {"not measured"}
    assert set(document.missing) == {source.command for source in room("report.sources").SOURCES.values()}
    assert all(chapter.plots == {} for chapter in document.chapters)
    page = room("report.markdown").markdown(document)
    assert all(f"`{command}`" in page for command in document.missing)


def test_a_figure_that_is_not_there_is_named(composed):
    """A result without the figure that a goal is about leaves the goal open, and the figure is named."""
    without = [result | {"ratio_to_limit": None} for result in every_result()[:1]]
    del without[0]["ratio_to_limit"]
    document = composed(without)
    [reached] = [each for each in document.reached if "over the limit" in each.goal.what]

    assert reached.outcome == "not measured"
    assert "ratio_to_limit" in reached.measured


def test_a_short_run_meets_no_goal_that_asks_for_a_long_one(composed):
    """What was sustained for ten seconds says nothing about three hundred."""
    document = composed([every_result()[3] | {"seconds": 10.0}])
    [reached] = [each for each in document.reached if each.goal.what.startswith("lost")]

    assert reached.outcome == "not measured"
    assert reached.measured == "seconds is 10, and 300 is asked for"


def test_a_whole_run_is_preferred_to_a_newer_short_one(room, results):
    """The newest result counts, unless an older one was as long as the source asks for, and the newer was not."""
    sources = room("report.sources").SOURCES
    long, *_ = (result for result in every_result() if result["question"] == "sustain")
    newer = results([long, long | {"lost": 1}, long | {"lost": 2, "seconds": 5.0}])

    assert sources["sustain"].find(newer)["lost"] == 1
    assert sources["peers"].find(newer) is None


def test_a_run_of_one_series_is_no_source_for_another(room, results):
    """Each series of sizes comes from the newest result that has it."""
    sources = room("report.sources").SOURCES
    by = {name: {"question": "scale", "most": None, "by": {name: [{name: 1}]}} for name in ("agents", "workers")}
    found = results([by["agents"], by["workers"]])

    assert sources["agents_series"].find(found)["by"] == by["agents"]["by"]
    assert sources["workers_series"].find(found)["by"] == by["workers"]["by"]
    assert sources["payload_series"].find(found) is None


def test_the_files_of_a_report_stand_for_themselves(room, composed, tmp_path):
    """The page of HTML needs nothing else, the Markdown names only plots beside it, and each plot is a PNG."""
    document = composed(every_result())
    paths = room("report.files").write(document, tmp_path / "report")
    html, markdown = ((tmp_path / "report" / name).read_text() for name in ("report.html", "report.md"))

    plots = [path for path in paths if path.suffix == ".png"]
    assert {path.stem for path in plots} == {"latency", "scale", "payload", "budget", "peers"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in plots)
    assert set(re.findall(r"\]\(([^)]+)\)", markdown)) == {path.name for path in plots}
    assert html.count("data:image/png;base64,") == len(plots)
    assert re.search(r"(?:https?:|src=\"(?!data:)|<link|<script|@import|url\()", html) is None
    assert "prefers-color-scheme: dark" in html
    assert "a &lt;quick&gt; cpu" in html
    for page in (html, markdown):
        assert all(text in page for text in ("310,000", "2026-11-20", "0123456789ab", "--made-up"))


def test_every_row_of_a_table_has_every_column(composed):
    """No table is ragged, so that each figure stands under its name."""
    tables = [
        table for chapter in composed(every_result()).chapters for shown in chapter.results for table in shown.tables
    ]

    assert tables
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)


def test_contract_nets_have_tables_of_their_own(room):
    """Peers are shown by requests, then by contract nets, the fastest first; older results have no contract nets."""
    peers = room("report.tables").peers
    result = {
        "peers": [{"peer": "a", "round_trips_per_s": 7}],
        "ratios": [{"peer": "a", "batched": 2.0}],
        "contract_nets": [{"peer": "b", "rounds_per_s": None}, {"peer": "a", "rounds_per_s": 2.5}],
        "contract_net_ratios": [{"peer": "a", "volatile": 3.0}],
        "contract_net_ratio_is": "Caxton over the peer",
    }
    *_, nets, ratios = peers(result)

    assert [list(row) for row in nets.rows] == [["a", "-", "-", "2.5"], ["b", "-", "-", "-"]]
    assert (nets.caption, ratios.caption) == ("contract nets", "Caxton over the peer")
    assert [list(row) for row in ratios.rows] == [["a", "3"]]
    assert len(peers(result)) == len(peers({"peers": [], "ratios": []})) + 2


def test_a_row_without_a_latency_has_no_column_more(room):
    """Where some rows have percentiles and others none, the percentiles are columns, and what is none is a dash."""
    table = room("report.tables").by_row(
        [{"peer": "a", "us": None}, {"us": {"p50": 7}, "peer": "b"}], "peers", ["peer"]
    )

    assert list(table.columns) == ["peer", "us.p50"]
    assert [list(row) for row in table.rows] == [["a", "-"], ["b", "7"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (310_000, "310,000"),
        (1_234.5, "1,234"),
        (0.6543, "0.654"),
        (12.0, "12"),
        (None, "-"),
        (True, "yes"),
        ("durable", "durable"),
    ],
)
def test_figures_are_shown_as_people_read_them(room, value, text):
    """A figure is shown with as many digits as say something."""
    assert room("report.figures").shown(value) == text


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["request", "--count", "5", "-o", "json"], "python -m bench request --count 5"),
        (["request", "--results", "some where", "--count=5"], "python -m bench request --count=5"),
        (["request", "--output=json", "--results=here"], "python -m bench request"),
    ],
)
def test_a_result_knows_the_command_that_gives_it_again(room, words, command):
    """The command line of a result leaves out where it was printed and saved."""
    assert room("results").command_of(words) == command


@pytest.fixture
def told(room, tmp_path):
    """Run the command in this process, on an empty folder of results."""

    def run(*arguments):
        app = typer.Typer()
        app.command()(room("questions.report").report)
        folders = ["--results", str(tmp_path / "results"), "--to", str(tmp_path / "report")]
        return CliRunner().invoke(app, [*folders, *arguments])

    return run


def test_the_command_tells_every_goal_and_file(told, tmp_path):
    """A report of nothing is written all the same, with the page of HTML, and every goal is told as open."""
    done = told("-o", "json")

    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert {figure["outcome"] for figure in said["figures"]} == {"not measured"}
    assert str(tmp_path / "report/report.html") in said["files"]
    assert said["missing"]


def test_without_its_library_a_report_names_the_extra(told, monkeypatch, tmp_path):
    """Without the library that draws, the error names the extra, and nothing is written or measured."""
    monkeypatch.delitem(sys.modules, "bench.report.plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = told("--run")

    assert done.exit_code == 1
    assert "pip install '.[report]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_quick_alone_is_an_error(told):
    """What shortens a run is of no use without one, and says so."""
    done = told("--quick")

    assert done.exit_code == 1
    assert "add --run" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(room, composed, tmp_path):
    """A report that cannot be written is an error that names the option."""
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(ConfigurationError, match="--to"):
        room("report.files").write(composed([]), tmp_path / "taken")
