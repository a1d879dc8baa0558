"""Traces that stand for the buckets of histograms: of each the turn that was sampled last."""

from collections.abc import Iterable

from caxton.delivery.latency import bucket_of
from caxton.telemetry.family import Exemplar, Histogram, Told
from caxton.telemetry.run_families import HISTOGRAMS
from caxton.wire.span import PROCESS, Span

# Turns that are read for one look: a runtime that samples more shows older ones.
AT_ONCE = 1_000
_NS_PER_S = 1_000_000_000


class Exemplars:
    """One for each bucket of what turns took, and of what messages waited for theirs: 240 at most.

    Turns of attached agents stand for none: they are in no histogram.
    """

    def __init__(self) -> None:
        self._of: dict[str, dict[int, Exemplar]] = {HISTOGRAMS["waiting"]: {}, HISTOGRAMS["processing"]: {}}

    def add(self, spans: Iterable[Span]) -> None:
        """Keep those of turns; the last of a bucket stays."""
        for span in spans:
            if span.name == PROCESS and not span.attributes.get("attached"):
                took = {"waiting": span.waited_ns, "processing": span.ended_ns - span.began_ns}
                for name, took_ns in took.items():
                    found = Exemplar(span.trace_id, span.span_id, max(0, took_ns) / _NS_PER_S, span.ended_ns)
                    self._of[HISTOGRAMS[name]][bucket_of(took_ns)] = found

    def within(self, told: Told) -> Told:
        """Return a metric with its exemplars. Few turns are measured, so one may stand where none was counted."""
        return told._replace(exemplars=dict(self._of.get(told.name, {}))) if isinstance(told, Histogram) else told
