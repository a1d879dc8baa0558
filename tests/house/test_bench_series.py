import importlib
import sys

import pytest

from caxton.errors import ConfigurationError


@pytest.fixture(scope="session")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


@pytest.fixture(scope="session")
def series(room):
    return room("load.series")


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [1, 2]), (2, [1, 2, 3]), (6, [1, 2, 4, 6, 7]), (64, [1, 2, 4, 8, 16, 32])]
)
def test_workers_double_up_to_the_cores_and_one_beyond(series, cores, counts):
    """Workers are counted by doubling up to the cores, with one beyond, and never more than a runtime has."""
    assert series.sizes_of(series.By.WORKERS, cores) == counts


@pytest.mark.parametrize(
    ("by", "most"), [("agents", 100_000), ("payload", 65_536), ("workers", 3), ("registered", 1_000_000)]
)
def test_each_series_ends_where_it_should_and_most_bounds_it(series, by, most):
    """A series goes to its largest size, which `most` takes away; below the smallest it is an error."""
    sizes = series.sizes_of(series.By(by), 2)

    assert sizes == sorted(sizes)
    assert sizes[-1] == most
    assert series.sizes_of(series.By(by), 2, most - 1) == sizes[:-1]
    with pytest.raises(ConfigurationError, match=f"take {sizes[0]} or more"):
        series.sizes_of(series.By(by), 2, sizes[0] - 1)


def test_as_many_workers_serve_a_series_as_its_largest_size_needs(series):
    """Agents that take part have room for their sandboxes, and all sizes of the series have the same workers."""
    settings = series.settings_of(series.By.AGENTS, [10, 100_000], 30_717)

    assert [setting.crowd.workers for setting in settings] == [4, 4]
    assert [(setting.agents, setting.crowd.registered) for setting in settings] == [(10, 10), (100_000, 100_000)]
    with pytest.raises(ConfigurationError, match=r"raise vm\.max_map_count"):
        series.settings_of(series.By.AGENTS, [100_000], 3_000)


def test_only_what_a_series_is_named_after_grows(series):
    """Payloads share one crowd, registered agents leave those that take part alone, and workers grow in number."""
    payloads, registered, workers = (
        series.settings_of(series.By(by), sizes, 30_717)
        for by, sizes in [("payload", [0, 65_536]), ("registered", [1_000, 10_000]), ("workers", [1, 3])]
    )

    assert len({setting.crowd for setting in payloads}) == 1
    assert {setting.agents for setting in registered} == {1_000}
    assert [setting.crowd.registered for setting in registered] == [1_000, 10_000]
    assert [setting.crowd.workers for setting in workers] == [1, 3]
    assert {setting.payload for setting in [*registered, *workers]} == {100}


@pytest.mark.parametrize(("payload", "window"), [(0, 16), (4_096, 16), (16_384, 4), (65_536, 1)])
def test_large_payloads_have_fewer_batches_under_way(series, payload, window):
    """What is under way is never more than 16 MiB of content, unless one batch is."""
    (setting,) = series.settings_of(series.By.PAYLOAD, [payload], 30_717)

    assert setting.window == window
    assert window == 1 or window * 256 * payload <= 16 << 20


def test_rows_compare_the_computing_time_with_the_first(series, room):
    """A row's ratio is its computing time over that of the first size; the largest is held against the base."""
    scale, stretch = room("questions.scale"), room("load.stretch")
    settings = series.settings_of(series.By.AGENTS, [10, 100, 1_000], 30_717)
    costs_us = [(1.0, 1.0), (2.0, 2.0), (2.5, 2.5)]
    wholes = {
        setting: stretch.Stretch(1_000_000, 2.0, client_us, workers_us, 0)
        for setting, (client_us, workers_us) in zip(settings, costs_us, strict=True)
    }
    rows = [row for _, row in scale.rows_of(series.By.AGENTS, wholes)]

    assert [row["ratio_to_first"] for row in rows] == [1.0, 2.0, 2.5]
    assert rows[1]["cpu_us_each"] == {"client": 2.0, "workers": 2.0}
    assert rows[1]["round_trips_per_s"] == 500_000
    assert scale.largest_to_base(series.By.AGENTS, rows) == {"largest": 1_000, "base": 100, "ratio": 1.25}


def test_sizes_take_turns_up_and_down(room):
    """Every size is measured twice, so that the first and the last share whatever the machine does meanwhile."""
    assert room("questions.scale").up_and_down([1, 2, 3]) == [1, 2, 3, 3, 2, 1]
