"""Alerts and the dashboard: what they ask for is told, Prometheus reads it, and each alert fires where it should."""

import json
import re

import pytest
import yaml

NAMES = re.compile(r"\bcaxton_[a-z0-9_]+")
# What Grafana puts in place of these.
STANDS_FOR = {"$__rate_interval": "1m", "$instance": ".*"}


@pytest.fixture(scope="module")
def told(root):
    """Every name that there may be in a query."""
    page = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    return {*rows} | {f"{name}_bucket" for name, kind in rows.items() if kind == "histogram"}


@pytest.fixture(scope="module")
def rules(read_yaml):
    (document,) = read_yaml("prometheus/alerts.yml")
    return [rule for group in document["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def board(deploy):
    return json.loads((deploy / "grafana/dashboards/caxton.json").read_text(encoding="utf-8"))


def queries(board):
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for name, value in STANDS_FOR.items():
                query = query.replace(name, value)
            yield query


def test_alerts_are_rules_of_prometheus(deploy, promtool):
    """So is the configuration that has them."""
    promtool("check", "config", "prometheus.yml", cwd=deploy / "prometheus")


def test_each_alert_fires_where_it_should(deploy, promtool):
    """And has not fired before, or for another shard."""
    promtool("test", "rules", "alerts_test.yml", cwd=deploy / "prometheus")


def test_every_alert_is_tried(read_yaml, rules):
    """With one moment at which it fires and one at which it does not."""
    (document,) = read_yaml("prometheus/alerts_test.yml")
    fires, silent = (
        {
            test["alertname"]
            for one in document["tests"]
            for test in one["alert_rule_test"]
            if bool(test["exp_alerts"]) is wanted
        }
        for wanted in (True, False)
    )

    assert {rule["alert"] for rule in rules} == fires == silent


def test_every_alert_says_what_to_do(rules):
    """How urgent it is, what is so, and where to look."""
    assert len(rules) > 10
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description"}


def test_alerts_and_dashboard_ask_for_what_is_told(rules, board, told):
    """A metric that is renamed is renamed there too."""
    asked = {name for query in [*(rule["expr"] for rule in rules), *queries(board)] for name in NAMES.findall(query)}

    assert len(asked) > 20
    assert asked <= told


def test_prometheus_reads_every_query_of_the_dashboard(board, tmp_path, promtool):
    """As rules that record them, since its tool reads queries nowhere else."""
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries(board))]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))

    assert len(recorded) > 30
    promtool("check", "rules", tmp_path / "rules.yml")


def test_panels_have_numbers_of_their_own_and_do_not_overlap(board):
    """Grafana would show one in place of another."""
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells

    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_dashboard_is_where_grafana_looks_for_it(board, read_yaml):
    """With a source of data that is provisioned, whichever somebody chooses."""
    (compose,) = read_yaml("compose.yaml")
    (provider,) = read_yaml("grafana/provisioning/dashboards/caxton.yaml")[0]["providers"]
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])

    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert {one["name"] for one in board["templating"]["list"]} == {"source", "instance"}
    sources = read_yaml("grafana/provisioning/datasources/caxton.yaml")[0]["datasources"]
    assert {one["type"] for one in sources} == {"prometheus", "jaeger"}
