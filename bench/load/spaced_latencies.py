"""Latencies of messages that were to start one after the other, evenly spaced, and ended together in batches."""

from array import array
from math import ceil

from bench.load.latencies import Latencies

# What takes no longer is counted by the batch; longer ones by groups, which is dearer, and exact enough: see below.
SHORT_S = 0.1
# Of a latency, as `Latencies` keeps it: three digits.
_RESOLUTION = 0.001


class SpacedLatencies:
    """Every message of a batch counts with its own latency, at the price of a note or two for the whole batch.

    A batch's latencies are an arithmetic sequence: the longest is that of the message that was to start first, and each
    further one is shorter by the spacing, 1 / rate. So a batch is kept as where its sequence begins and where it ends,
    and `drain` walks the sequences. Latencies are rounded up to a part of the spacing that is 1 µs or less, so none is
    shown too short, and none more than 1 µs too long. From 0.1 s on messages are noted in groups by their longest
    latency, at most 0.1 % too long. Both are the resolution of `Latencies`. Memory: about 1 MB, whatever comes.
    """

    def __init__(self, rate_per_s: int, latencies: Latencies) -> None:
        self._rate_per_s = rate_per_s
        self._latencies = latencies
        spacing_us = 1e6 / rate_per_s
        self._parts = ceil(spacing_us)  # of the spacing, each 1 µs or less
        self._part_s = spacing_us / self._parts / 1e6
        # By latency in parts: how many sequences begin there, less those whose last one is one spacing above.
        self._changes = array("i", [0]) * (ceil(SHORT_S / self._part_s) + 1)

    def record(self, longest_s: float, count: int) -> None:
        """Note `count` messages: the first took `longest_s`, each further one was to start one spacing later.

        All of them were to start before they ended: longest_s is more than the spacings between them.
        """
        if longest_s > SHORT_S:
            self._record_groups(longest_s, count)
            return
        longest = ceil(longest_s / self._part_s)
        self._changes[longest] += 1
        end = longest - count * self._parts
        if end >= 0:
            self._changes[end] -= 1

    def drain(self) -> None:
        """Move what was noted into the latencies. Takes some 20 ms: to be called when the load has ended."""
        changes, parts = self._changes, self._parts
        under_way = [0] * min(parts, len(changes))  # sequences, by where within a spacing they are
        for latency in range(len(changes) - 1, -1, -1):
            phase = latency % parts
            under_way[phase] += changes[latency]
            if under_way[phase]:
                self._latencies.record(latency * self._part_s, under_way[phase])
            changes[latency] = 0

    def _record_groups(self, longest_s: float, count: int) -> None:
        while count > 0:
            group = min(count, 1 + int(longest_s * _RESOLUTION * self._rate_per_s))
            self._latencies.record(longest_s, group)
            longest_s -= group / self._rate_per_s
            count -= group
