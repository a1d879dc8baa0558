from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.config.settings import ServeSettings, data_directory, default_workers, runtime_directory
from caxton.errors import ConfigurationError

ALL = {"CAXTON_RUNTIME_DIR": "/c/run", "XDG_RUNTIME_DIR": "/x", "CAXTON_DATA_DIR": "/c/data", "HOME": "/home/me"}


def without(*names):
    return {name: value for name, value in ALL.items() if name not in names}


def test_the_runtime_directory_comes_from_the_first_that_is_set():
    """The option, CAXTON_RUNTIME_DIR, XDG_RUNTIME_DIR, then /tmp, in this order; an empty variable is not set."""
    assert runtime_directory(Path("/o"), ALL, 7) == Path("/o")
    assert runtime_directory(None, ALL, 7) == Path("/c/run")
    assert runtime_directory(None, without("CAXTON_RUNTIME_DIR"), 7) == Path("/x/caxton")
    assert runtime_directory(None, {"CAXTON_RUNTIME_DIR": "", "XDG_RUNTIME_DIR": ""}, 7) == Path("/tmp/caxton-7")  # noqa: S108 (nothing is made there)


def test_the_data_directory_comes_from_the_first_that_is_set():
    """The option, CAXTON_DATA_DIR, then the home directory; without any of them it is an error that says so."""
    assert data_directory(Path("/o"), ALL) == Path("/o")
    assert data_directory(None, ALL) == Path("/c/data")
    assert data_directory(None, without("CAXTON_DATA_DIR")) == Path("/home/me/.local/share/caxton")
    with pytest.raises(ConfigurationError, match="CAXTON_DATA_DIR"):
        data_directory(None, {})


@given(st.integers(-5, 200))
def test_workers_follow_the_cores_within_bounds(cores):
    """There is a worker for each core, at least 1 and at most 32."""
    assert default_workers(cores) == min(max(cores, 1), 32)


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": 33},
        {"restart_limit": -1},
        {"drain_timeout_s": -0.1},
        {"drain_timeout_s": float("nan")},
        {"worker_memory_limit_mib": 127},
        {"restart_limit": 10_001},
        {"drain_timeout_s": 86_401},
        {"drain_timeout_s": float("inf")},
        {"worker_memory_limit_mib": (1 << 20) + 1},
    ],
)
def test_numbers_out_of_bounds_are_refused(wrong):
    """Settings outside their bounds are a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="choose") as caught:
        ServeSettings(Path("/r"), Path("/d"), **wrong)
    (name,) = wrong
    assert name.startswith(caught.value.what.removeprefix("--").replace("-", "_"))


def test_the_largest_numbers_are_taken():
    """A day for a drain, 10,000 restarts and a TiB of memory."""
    largest = {"restart_limit": 10_000, "drain_timeout_s": 86_400.0, "worker_memory_limit_mib": 1 << 20}

    assert ServeSettings(Path("/r"), Path("/d"), **largest).drain_timeout_s == 86_400


def test_a_name_that_is_no_text_is_refused():
    """A directory whose name is not UTF-8 cannot be told to workers; it is refused, saying which option."""
    with pytest.raises(ConfigurationError, match="--data-dir"):
        ServeSettings(Path("/r"), Path("/d\udcff"))
