"""Writes docs/metrics.md, all metrics of a runtime: `python docs/metrics_page.py`.

It comes from `caxton.telemetry`. A test holds the page to it, so that nobody renames what others have alerts on.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from caxton.delivery.latency import BUCKETS
from caxton.store.ledger import Figures, Ledger
from caxton.telemetry.exported import Exported
from caxton.telemetry.families import Parts, families
from caxton.telemetry.family import Histogram, Kind, Told
from caxton.telemetry.gateway_families import GatewayFigures, gateway_families
from caxton.wire.busy import Busiest
from caxton.wire.told import ConversationStats, DeadLetterStats, Health, RouterStats

PAGE = Path(__file__).with_name("metrics.md")
HEAD = f"""# Metrics

What Prometheus is told of a runtime: `python docs/metrics_page.py` writes this page from `caxton.telemetry`, and a test
holds both together. Counters of workers that have ended are in those of the run, so `kill -9` takes nothing back; where
a counter begins anew, with its runtime or its worker, `rate()` knows it.

## The port

`caxton serve --metrics ADDRESS:PORT` serves them at `/metrics`, with or without `--http`, from the gateway's process
([http.md](http.md)); it needs the extra: `pip install '.[http]'` in a clone. Who asks shows a token of a viewer for all
agents ([access.md](access.md)), unless it is served with `--metrics-open`, which tells everybody who reaches the port
the names of the busiest agents and how much there is of everything. `/health` and `/ready` answer there too.

```sh
caxton serve --metrics 127.0.0.1:9090
```

```sh
TOKEN=$(caxton token create prometheus --role viewer)
curl -sS -o /dev/null -w '%{{http_code}}' http://127.0.0.1:9090/metrics  # 401
curl -sS -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9090/metrics | grep -c ^caxton_ledger_balanced  # 1
```

Prometheus reads the token from a file of its own:

```yaml
scrape_configs:
  - job_name: caxton
    authorization: {{credentials_file: /etc/prometheus/caxton-token}}
    static_configs: [{{targets: ["127.0.0.1:9090"]}}]
```

It is written as text, or as OpenMetrics for whoever accepts that. What was told is told to all who ask within a second:
a scrape costs the same however many ask, and as much with 100,000 agents as with ten. What shards keep (the ledger,
dead letters, conversations) is counted row by row, so it is counted beside scrapes, at most each 15 s and at most a
twentieth of the time: `caxton_scrape_kept_age_seconds` says how long ago. A scrape ends within 8 s.
`caxton.telemetry.exposition.exposition` makes the same text of `client.stats()` and `client.health()`, for a program
that serves it itself.

OpenMetrics has exemplars, too: in the buckets of what turns took and of what messages waited, the `trace_id` of the
turn that was sampled last ([tracing.md](tracing.md)). Turns are sampled for themselves, so one may stand in a bucket in
which none was counted. Who does not ask for OpenMetrics has nothing read for them.

## To a collector

`caxton serve --otlp` tells the same metrics, under the same names and from the same look, to a collector of
OpenTelemetry, with or without a port for Prometheus ([tracing.md](tracing.md#exporting) says where it goes):
each 60 s, or as many milliseconds as `OTEL_METRIC_EXPORT_INTERVAL` says. Counters and histograms are cumulative, since
the runtime began, or the gateway for its own, so what a collector does not take is in what it is told next;
`caxton_otlp_exported_total` and `caxton_otlp_dropped_total` count both.

## What they are

- Histograms have {BUCKETS} buckets, four to each doubling, from a microsecond to half an hour: a quantile is at most a
  quarter off. On a busy runtime some messages are measured, each for several others ([operating.md](operating.md)).
- Labels have a bound: an agent's name stands only beside the fifty that are busiest, and all others are the `agent_id`
  `other`. Senders, receivers and performatives are no labels: there are as many as agents are made.
- What a shard that does not answer would have told is left out, and `caxton_scrape_parts` is 0 for it.

The share of turns that failed, the 99th percentile of waiting, and what to be woken for:

```text
sum(rate(caxton_messages_processed_total{{status!="success"}}[5m])) / sum(rate(caxton_messages_processed_total[5m]))
histogram_quantile(0.99, rate(caxton_message_waiting_duration_seconds_bucket[5m]))
caxton_health_status{{status="unhealthy"}} == 1 or caxton_ledger_balanced == 0
```

| metric | kind | labels | what it says |
|---|---|---|---|
"""
_FIGURES = Figures(0, 0, 0, 0, 0, 0, 0, 0, balanced=True, problems=[])
_STATS = RouterStats(0.0, 0, 0, [], {}, {}, 0, {})
_HEALTH = Health("healthy", None, [], 0.0, "", 0, "", "", 0, 0, [], [])
_PARTS = Parts(
    Ledger(_FIGURES, {}),
    DeadLetterStats(0, {}, None, 0, 0, 0),
    ConversationStats(0, 0, 0, 0, 0.0, {}, 0, 0, 0, 0, 0, 0),
    Busiest([], 0, 0),
)

_GATEWAY = GatewayFigures({}, 0, 0, 0, 0.0, 0.0, 0, 0.0, Exported())


def page() -> str:
    """Return the whole page."""
    return HEAD + "".join(f"{row}\n" for row in _rows())


def _rows() -> Iterator[str]:
    for told in chain(families(_STATS, _HEALTH, _PARTS), gateway_families(_GATEWAY)):
        yield f"| {' | '.join(_row(told))} |"


def _row(told: Told) -> tuple[str, ...]:
    if isinstance(told, Histogram):
        return f"`{told.name}`", "histogram", "`le`", told.says
    suffix = "_total" if told.kind is Kind.COUNTER else ""
    return f"`{told.name}{suffix}`", told.kind.value, ", ".join(f"`{label}`" for label in told.labels), told.says


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
