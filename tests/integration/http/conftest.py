"""Runtimes that serve HTTP, and what asks them."""

import httpx
import pytest

import caxton.testing


@pytest.fixture(scope="module")
def served():
    """A runtime of two workers that serves HTTP at a port that was free."""
    with caxton.testing.runtime(workers=2, options=["--http", "127.0.0.1:0"]) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def url(served):
    """Where it serves."""
    return next(event["http"] for event in served.events if event["event"] == "ready")


@pytest.fixture(scope="module")
def asked(url):
    """Ask without a token."""
    with httpx.Client(base_url=url, timeout=30.0) as client:
        yield client
