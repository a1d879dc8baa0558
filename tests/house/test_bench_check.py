import importlib
import sys

import pytest
import typer
from typer.testing import CliRunner

from caxton.errors import ConfigurationError


@pytest.fixture(scope="session")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


@pytest.fixture
def held(room):
    """Make what a ratio is held to: a cost, unless the words say otherwise."""
    comparison = room("comparison")

    def of(value=1.0, better="lower", tolerance=0.3, **words):
        return comparison.HeldRatio("it", "this / that", value, comparison.Better(better), tolerance, **words)

    return of


@pytest.fixture
def round_of(room):
    """Make a round of one second: microseconds of computing in each process, and how busy the machine was."""
    rounds, loop, stretch = room("rounds"), room("limits.client").Loop, room("load.stretch").Stretch

    def of(limit_us=2.0, worker_us=3.0, count=100_000, busy_share=0.0, durable_count=80_000):
        return rounds.Round(
            loop(count * 2, 1.0, count * 2 * limit_us * 0.25e-6, count * 2 * limit_us * 0.75e-6),
            stretch(count, 1.0, count * 2e-6, count * worker_us * 1e-6, 0),
            stretch(durable_count, 1.0, durable_count * 3e-6, durable_count * worker_us * 2e-6, 400),
            busy_share,
        )

    return of


@pytest.mark.parametrize(
    ("better", "measured", "is_broken"),
    [
        ("lower", 1.31, True),
        ("lower", 1.29, False),
        ("lower", 0.1, False),
        ("higher", 0.69, True),
        ("higher", 0.71, False),
        ("higher", 9.0, False),
    ],
)
def test_a_ratio_is_broken_when_it_is_worse_by_more_than_its_tolerance(room, held, better, measured, is_broken):
    """A cost may not grow, and a rate may not fall, by more than the tolerance; to get better is never wrong."""
    [verdict] = room("comparison").compare({"it": measured}, [held(better=better)], 100)

    assert verdict.broken is is_broken
    assert verdict.skipped is None
    assert ("BROKEN" if is_broken else "held") in str(verdict)


def test_a_verdict_names_everything_that_it_is_made_of(room, held):
    """What is told of a broken ratio is its name, what was measured, the bound, the baseline and the tolerance."""
    [verdict] = room("comparison").compare({"it": 2.5}, [held(value=1.6)], 100)

    assert str(verdict) == "it: BROKEN: measured 2.500, at most 2.080 (baseline 1.600, tolerance 30%)"


def test_a_slower_disk_breaks_nothing(room, held):
    """A ratio that hangs on the disk is compared up to the slowest fsync that its baseline allows, and not beyond."""
    compare, ratio = room("comparison").compare, held(better="higher", slowest_fsync_us=600)

    assert compare({"it": 0.1}, [ratio], 600)[0].broken is True
    [skipped] = compare({"it": 0.1}, [ratio], 601)
    assert skipped.broken is False
    assert "fsync takes 601 µs" in str(skipped)


def test_what_could_not_be_measured_is_told_and_not_broken(room, held):
    """A ratio that a busy machine does not let us measure is not compared, and that alone settles nothing."""
    comparison = room("comparison")
    verdicts = comparison.compare({"it": None}, [held()], 100)

    assert [verdict.broken for verdict in verdicts] == [False]
    assert "too busy" in str(verdicts[0])
    assert comparison.is_settled(verdicts) is False
    assert comparison.is_settled(comparison.compare({"it": 1.0}, [held()], 100)) is True
    assert comparison.is_settled(comparison.compare({"it": 2.0}, [held()], 100)) is False


def test_a_baseline_of_another_version_is_refused(room, held):
    """A baseline that holds a ratio which is never measured is an error that says how to make another."""
    with pytest.raises(ConfigurationError, match="--update"):
        room("comparison").compare({"that": 1.0}, [held()], 100)


def test_ratios_are_of_the_best_that_any_round_saw(room, round_of):
    """One disturbed round beside an undisturbed one changes no ratio, whichever side it disturbed."""
    ratios, clean = room("rounds").ratios, round_of()
    alone = ratios([clean])

    assert alone["worker_cost_to_limit"] == pytest.approx(1.5)
    assert alone["client_cost_to_limit"] == pytest.approx(1.0)
    assert alone["volatile_rate_to_limit"] == pytest.approx(0.5)
    assert alone["durable_rate_to_volatile"] == pytest.approx(0.8)
    for disturbed in (round_of(limit_us=5.0), round_of(worker_us=9.0), round_of(count=60_000, durable_count=50_000)):
        assert ratios([disturbed, clean]) == ratios([clean, disturbed]) == alone


def test_two_microseconds_a_turn_are_beyond_the_tolerance(room, round_of):
    """A worker whose turn takes 2 µs more breaks the ratio of its cost, and one that takes a tenth more does not."""
    compare, ratios, held_to = room("comparison").compare, room("rounds").ratios, room("tolerances").held_to
    held = held_to(ratios([round_of(limit_us=2.2, worker_us=3.5)]), 250)

    def broken(worker_us):
        verdicts = compare(ratios([round_of(limit_us=2.2, worker_us=worker_us)]), held, 250)
        return {verdict.name for verdict in verdicts if verdict.broken}

    assert broken(3.5 + 2) >= {"worker_cost_to_limit"}
    assert broken(3.5 * 1.1) == set()


@pytest.mark.parametrize(("settled_after", "measured"), [(0, 2), (2, 2), (4, 4), (9, 6)])
def test_rounds_go_on_until_they_settle_it(room, round_of, settled_after, measured):
    """As many rounds as asked for are always measured, more while nothing is settled, and never more than the most."""
    numbers = []

    def measure(number):
        numbers.append(number)
        return round_of()

    rounds = room("rounds").rounds_until(lambda of: len(of) >= settled_after, measure, least=2, most=6)

    assert len(rounds) == measured
    assert numbers == list(range(measured))


@pytest.fixture
def told(room, round_of, monkeypatch, tmp_path):
    """Run the command on one round with this cost of a turn, against the baseline of one with 3 µs."""

    def run(worker_us, *arguments):
        rounds, command = room("rounds"), room("questions.check")
        held = room("tolerances").held_to(rounds.ratios([round_of()]), 250)
        room("baseline").Baseline("python -m bench check", {}, held).write(tmp_path / "baseline.json")
        figures = {"ratios": rounds.ratios([round_of(worker_us=worker_us)]), "fsync_us": 250}
        monkeypatch.setattr(command, "measure", lambda *_: figures)
        app = typer.Typer()
        app.command()(command.check)
        words = ["--against", str(tmp_path / "baseline.json"), "--results", str(tmp_path / "results"), *arguments]
        return CliRunner().invoke(app, words)

    return run


def test_a_broken_ratio_is_named_and_fails(told):
    """A broken ratio is named with what was measured and what it is held to, and the exit code is 1."""
    done = told(5.0)

    assert done.exit_code == 1
    assert "worker_cost_to_limit: BROKEN: measured 2.500, at most 2.100" in done.stderr
    assert "client_cost_to_limit: held" in done.stderr


def test_held_ratios_pass(told):
    """When every ratio is held, the exit code is 0 and each is told."""
    done = told(3.1)

    assert done.exit_code == 0
    assert "BROKEN" not in done.stderr
    assert done.stderr.count(": held: ") == 6


def test_an_update_makes_what_was_measured_the_baseline(told, room, tmp_path):
    """With --update nothing is broken: the baseline has what was measured, and the command that did it."""
    done = told(5.0, "--update", "--seconds", "2")

    assert done.exit_code == 0
    written = room("baseline").Baseline.read(tmp_path / "baseline.json")
    assert written.command == "python -m bench check --seconds 2 --rounds 3 --update"
    assert {ratio.name: ratio.value for ratio in written.ratios}["worker_cost_to_limit"] == 2.5


def test_a_busy_machine_has_costs_and_no_rates(room, round_of):
    """Rates are of rounds in which the machine was nearly ours, costs of rounds with enough round trips."""
    ratios = room("rounds").ratios
    busy, starved = ratios([round_of(busy_share=0.5)]), ratios([round_of(count=10_000, durable_count=10_000)])

    assert {name for name, value in busy.items() if value is None} == {
        "volatile_rate_to_limit",
        "durable_rate_to_volatile",
    }
    assert {name for name, value in starved.items() if value is None} == {name for name in starved if "cost" in name}


def test_a_baseline_reads_what_it_wrote(room, round_of, tmp_path):
    """A baseline that was written is read back as it was, and each of its ratios is between two that are named."""
    baseline, held_to = room("baseline").Baseline, room("tolerances").held_to
    measured = room("rounds").ratios([round_of()])
    written = baseline("python -m bench check --update", {"cores": 2}, held_to(measured, 250))
    written.write(tmp_path / "baseline.json")

    assert baseline.read(tmp_path / "baseline.json") == written
    assert {ratio.name for ratio in written.ratios} == set(measured)
    assert all("/" in ratio.about or "the same" in ratio.about for ratio in written.ratios)


def test_nothing_measured_is_no_baseline(room):
    """A machine on which no ratio could be measured gives no baseline."""
    with pytest.raises(ConfigurationError, match="too busy"):
        room("tolerances").held_to({"worker_cost_to_limit": None}, 250)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not there"),
        ("{", "is no baseline"),
        ('{"command": "", "machine": {}}', "ratios"),
        ("\xff", "no baseline"),
    ],
)
def test_a_file_that_is_no_baseline_is_named(room, tmp_path, text, said):
    """A baseline that is missing, damaged or incomplete is an error that says what to do."""
    path = tmp_path / "baseline.json"
    if text is not None:
        path.write_text(text, encoding="latin-1")

    with pytest.raises(ConfigurationError, match=said) as caught:
        room("baseline").Baseline.read(path)
    assert "--update" in caught.value.remedy


def test_the_baseline_of_the_project_is_one(room, root):
    """The baseline that is shipped holds the cost of a turn, within a tolerance that 2 µs exceed, and its machine."""
    baseline = room("baseline").Baseline.read(root / "bench/baseline.json")
    held = {ratio.name: ratio for ratio in baseline.ratios}

    assert held["worker_cost_to_limit"].better == "lower"
    assert held["worker_cost_to_limit"].tolerance <= 0.4
    assert {"cpu", "cores", "commit", "date"} <= set(baseline.machine)
    assert baseline.command.startswith("python -m bench check")
