"""The two lanes beside each other: they take turns in one run, so that a machine that changes its pace changes both."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.load.latencies import Latencies
from bench.load.stretch import WARM_UP_S, Course, Stretch
from bench.output import Bar
from caxton.acl.message import Message
from caxton.acl.options import Lane

# Batches of 256 under way, where it is not said: the fewest with which the lane is as fast as with any number.
DEFAULT_WINDOWS = {Lane.VOLATILE: 16, Lane.DURABLE: 12}
TURNS = 2


def windows_of(lane: Lane, window: int) -> dict[Lane, int]:
    """Return the window of each lane when `lane` is measured with this one."""
    return DEFAULT_WINDOWS | {lane: window}


def turns_s(seconds: float) -> float:
    """Return how long `take_turns` takes, about."""
    return 2 * (seconds + TURNS * WARM_UP_S)


async def take_turns(
    course: Course,
    requests: Mapping[Lane, Sequence[Message]],
    windows: Mapping[Lane, int],
    seconds: float,
    bar: Bar,
    after_s: float,
) -> dict[Lane, tuple[Stretch, Latencies]]:
    """Measure each lane for so many seconds, half of them at a time. after_s: what the bar has shown by now."""
    stretches: dict[Lane, list[Stretch]] = {lane: [] for lane in Lane}
    latencies = {lane: Latencies() for lane in Lane}
    for _ in range(TURNS):
        for lane in Lane:
            show = bar.after(after_s, f"{lane.name.lower()}: ")
            stretches[lane].append(
                await course.run(requests[lane], windows[lane], seconds / TURNS, latencies[lane], show)
            )
            after_s += seconds / TURNS + WARM_UP_S
    return {lane: (sum(some[1:], start=some[0]), latencies[lane]) for lane, some in stretches.items()}


def figures(of: Mapping[Lane, tuple[Stretch, Latencies]], what: str, times: int = 1) -> dict[str, Any]:
    """Return what a result says of both lanes. `what` is counted `times` for each answer."""
    (volatile, volatile_latencies), (durable, latencies) = of[Lane.VOLATILE], of[Lane.DURABLE]
    return {
        f"{what}_per_s": round(durable.per_s * times),
        f"volatile_{what}_per_s": round(volatile.per_s * times),
        "ratio_to_volatile": round(durable.per_s / volatile.per_s, 3),
        "commits_per_s": round(durable.commits / durable.seconds),
        f"{what}_per_commit": round(durable.answered * times / max(1, durable.commits)),
        "latency_us": latencies.summary(),
        "volatile_latency_us": volatile_latencies.summary(),
        "cpu_us_each": durable.cpu_us_each(times),
        "volatile_cpu_us_each": volatile.cpu_us_each(times),
    }
