"""A runtime whose audit is looked at, and the command that does so."""

import subprocess
import sys

import pytest

from caxton.testing import runtime as serve

CAXTON = [sys.executable, "-P", "-m", "caxton"]


@pytest.fixture
def runtime():
    with serve(workers=2, options=["--gateway-principals"]) as served:
        yield served


@pytest.fixture
def command():
    """A function that runs `caxton audit` for a runtime."""

    def run(runtime, *words):
        words = [*CAXTON, "audit", *words, "--runtime-dir", str(runtime.runtime_dir)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    return run
