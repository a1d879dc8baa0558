"""The page of metrics: as the code tells them, so that names, kinds and sentences change only with the page."""

import re
import runpy

import pytest

# What others built dashboards for before there was this runtime.
PLANNED = {
    "caxton_message_routing_duration_seconds": "histogram",
    "caxton_active_conversations": "gauge",
    "caxton_message_queue_size": "gauge",
    "caxton_agent_events_total": "counter",
    "caxton_message_processing_duration_seconds": "histogram",
    "caxton_messages_processed_total": "counter",
}


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/metrics.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_code_tells(root, page):
    """The page is the one that `python docs/metrics_page.py` makes."""
    is_made = page == runpy.run_path(str(root / "docs/metrics_page.py"))["page"]()
    assert is_made, "write it anew with `python docs/metrics_page.py`; whoever has alerts on a metric is to be told"


def test_every_planned_metric_is_there(page):
    """Under its name, and of its kind."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert PLANNED.items() <= rows.items()


def test_queries_of_the_page_are_about_metrics_that_there_are(page):
    """Whoever copies one gets an answer."""
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    asked = {name.removesuffix("_bucket") for name in re.findall(r"\bcaxton_\w+", page.partition("| metric |")[0])}
    assert asked
    assert asked <= rows
