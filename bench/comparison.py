"""Whether a ratio is broken: what was measured, what the baseline says, and how much worse it may be. Nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from caxton.errors import ConfigurationError


class Better(StrEnum):
    """Which way a ratio gets better: a rate is better when it is higher, a cost when it is lower."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class HeldRatio:
    """What a ratio is held to.

    about: what is over what. value: as it was measured for the baseline. tolerance: how much worse it may be, as a
    share of the value: 0.3 lets a cost grow to 1.3 times its value, and a rate fall to 0.7 times. slowest_fsync_us: on
    a disk whose fsync takes longer, the ratio speaks of the disk and is not compared; None for the other ratios.
    """

    name: str
    about: str
    value: float
    better: Better
    tolerance: float
    slowest_fsync_us: float | None = None

    @property
    def bound(self) -> float:
        """The worst value that is not broken."""
        worse = -self.tolerance if self.better is Better.HIGHER else self.tolerance
        return self.value * (1 + worse)

    def is_broken_by(self, measured: float) -> bool:
        """Whether this value is worse than the bound; a better one never is."""
        return measured < self.bound if self.better is Better.HIGHER else measured > self.bound


@dataclass(frozen=True)
class Verdict:
    """One ratio, compared. skipped: why it was not; then it is not broken."""

    name: str
    measured: float | None
    baseline: float
    bound: float
    tolerance: float
    better: Better
    broken: bool
    skipped: str | None

    def __str__(self) -> str:
        if self.skipped is not None:
            return f"{self.name}: not compared: {self.skipped}"
        side = "at least" if self.better is Better.HIGHER else "at most"
        return (
            f"{self.name}: {'BROKEN' if self.broken else 'held'}: measured {self.measured:.3f}, {side} "
            f"{self.bound:.3f} (baseline {self.baseline:.3f}, tolerance {self.tolerance:.0%})"
        )


def compare(measured: Mapping[str, float | None], held: Sequence[HeldRatio], fsync_us: float) -> list[Verdict]:
    """Compare each ratio that is held with what was measured on a disk whose fsync takes that long.

    measured: None for a ratio that could not be measured. Raises ConfigurationError when the baseline holds a ratio
    that is never measured: it is of another version.
    """
    return [_verdict(measured, ratio, fsync_us) for ratio in held]


def is_settled(verdicts: Sequence[Verdict]) -> bool:
    """Whether no ratio is broken, so that measuring more could only confirm it; and at least one was compared."""
    return not any(verdict.broken for verdict in verdicts) and any(verdict.skipped is None for verdict in verdicts)


def _verdict(measured: Mapping[str, float | None], ratio: HeldRatio, fsync_us: float) -> Verdict:
    if ratio.name not in measured:
        problem = f"the baseline holds {ratio.name}, which nothing measures"
        raise ConfigurationError("--against", problem, "make the baseline again with --update")
    value, skipped = measured[ratio.name], None
    if value is None:
        skipped = "the machine is too busy to measure it"
    elif ratio.slowest_fsync_us is not None and fsync_us > ratio.slowest_fsync_us:
        skipped = f"an fsync takes {fsync_us:.0f} µs here, and {ratio.slowest_fsync_us:.0f} is the most it may"
    is_broken = value is not None and skipped is None and ratio.is_broken_by(value)
    return Verdict(ratio.name, value, ratio.value, ratio.bound, ratio.tolerance, ratio.better, is_broken, skipped)
