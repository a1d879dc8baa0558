"""What was told to a collector by OTLP, and what was not: plain numbers, gone with the process."""

from collections import Counter
from dataclasses import dataclass, field

TRACES, METRICS, LOGS = SIGNALS = ("traces", "metrics", "logs")
# Why something was not exported: the collector did not take it, or it was gone before it was read.
NOT_TAKEN, GONE = "not taken", "gone"


@dataclass
class Exported:
    """taken: spans, points of metrics and lines of logs, by signal. dropped: the same, by signal and why."""

    taken: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
