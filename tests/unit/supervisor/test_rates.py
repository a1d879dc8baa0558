"""How fast counters grow, from looks at what workers say."""

from caxton.supervisor.desk.rates import KEPT, Rates
from caxton.supervisor.workforce.run_ledger import GAUGES
from caxton.wire.counters import COUNTERS


def test_rates_are_those_of_the_last_looks():
    """What grew long ago is forgotten, but for the peak; what has only a level has no rate."""
    rates = Rates({"queued"})
    for second in range(KEPT + 5):
        rates.look(float(second), {1: {"run": min(second, 5) * 1_000, "queued": second}})

    assert rates.over_s == KEPT - 1
    assert rates.by_counter() == {}
    assert rates.peak == 1_000


def test_before_the_second_look_there_are_no_rates():
    """Nothing is made up; and looks that follow at once say nothing of a second."""
    rates = Rates(())
    assert (rates.by_counter(), rates.over_s, rates.peak) == ({}, 0.0, 0.0)
    rates.look(1.0, {1: {"run": 10}})
    rates.look(1.1, {1: {"run": 9_000}})

    assert (rates.by_counter(), rates.over_s, rates.peak) == ({}, 0.0, 0.0)


def test_a_new_worker_counts_with_all_that_it_did_and_one_that_ended_takes_nothing_back():
    """A successor begins at zero under its own incarnation."""
    rates = Rates(())
    rates.look(0.0, {1: {"run": 1_000}, 2: {"run": 50}})
    rates.look(2.0, {1: {"run": 1_500}, 3: {"run": 100}})

    assert rates.by_counter() == {"run": 300.0}
    assert rates.of("run") == rates.peak == 300.0


def test_what_has_a_level_is_told_by_its_explanation():
    """A dead worker has no mailboxes any more: none of these is added up."""
    assert {"queued", "state_bytes", "offers", "undecided"} <= GAUGES
    assert {name for name in GAUGES if not COUNTERS[name].startswith("gauge: ")} == set()
