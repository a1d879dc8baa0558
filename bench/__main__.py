"""The bench's command line: one question per subcommand. `python -m bench --help`."""

import signal
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer

from bench import agents as agents_bench
from bench import hops as hops_bench
from bench import kill as kill_bench
from bench import recovery as recovery_bench
from bench import request as request_bench
from bench import throughput as throughput_bench
from bench.hops import MAX_HOPS
from bench.lanes import DEFAULT_WINDOWS
from bench.output import bar, print_result
from bench.recovery import Victim
from bench.relay import most_payload
from caxton.acl.options import Lane
from caxton.cli.output import Format, Output, reports_errors
from caxton.placement.slot_table import MAX_WORKERS

FAILED = 1

app = typer.Typer(
    name="python -m bench",
    help="Measures Caxton on this machine. Each subcommand starts a runtime of its own and stops it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Workers = Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Worker processes.")]
Agents = Annotated[int, typer.Option(min=1, help="Echo agents.")]
Payload = Annotated[int, typer.Option(min=0, max=65_536, help="Bytes of content in each message.")]
Window = Annotated[int, typer.Option(min=1, help="Batches of 256 requests under way.")]
LanesWindow = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Batches of 256 requests under way. Otherwise "
        + ", ".join(f"{window} on the {lane.name.lower()} lane" for lane, window in DEFAULT_WINDOWS.items())
        + ".",
        show_default=False,
    ),
]


class LaneName(StrEnum):
    """The lane of the messages."""

    VOLATILE = "volatile"
    DURABLE = "durable"

    @property
    def lane(self) -> Lane:
        """The lane of this name."""
        return Lane[self.name]


LaneOption = Annotated[LaneName, typer.Option(help="Reliability of the messages.")]


@app.command(epilog="Example: python -m bench throughput --workers 2 --agents 1000 --payload 100 --seconds 10 -o json")
@reports_errors
def throughput(
    workers: Workers = 1,
    agents: Agents = 1_000,
    payload: Payload = 100,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of measurement, after a warm-up of one.")] = 10.0,
    window: LanesWindow = None,
    lane: LaneOption = LaneName.VOLATILE,
    output: Output = Format.TEXT,
) -> None:
    """Round trips a second in a closed loop, and how that compares with the limit, measured in the same run.

    With --lane durable also how that compares with the volatile lane, and when a send is acknowledged. Exit code 1 when
    a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = throughput_bench.Plan(workers, agents, payload, seconds, _window(window, lane), lane.lane)
    with bar(total=plan.total_s) as progress:
        result = throughput_bench.measure(plan, progress)
    _finish(result, output)


@app.command(epilog="Example: python -m bench hops --workers 2 --hops 8 --seconds 10 -o json")
@reports_errors
def hops(  # noqa: PLR0913, PLR0917 (a command has as many arguments as options)
    workers: Annotated[int, typer.Option(min=2, max=MAX_WORKERS, help="Worker processes.")] = 2,
    agents: Annotated[int, typer.Option(min=2, help="Agents that pass messages on.")] = 1_000,
    hops: Annotated[int, typer.Option(min=1, max=MAX_HOPS, help="Hops from worker to worker of one request.")] = 8,
    payload: Annotated[
        int, typer.Option(min=0, max=most_payload(1), help="Bytes of content beside the route; 8 fewer for each hop.")
    ] = 100,
    seconds: Annotated[float, typer.Option(min=1.0, help="Of measurement on each lane.")] = 10.0,
    window: LanesWindow = None,
    lane: LaneOption = LaneName.DURABLE,
    output: Output = Format.TEXT,
) -> None:
    """Hops a second from agent to agent, each to an agent of another worker, and how the lanes compare.

    Exit code 1 when a durable message is lost, or the loss is not what the runtime counts.
    """
    plan = hops_bench.Plan(workers, agents, hops, payload, seconds, _window(window, lane), lane.lane)
    with bar(total=plan.total_s) as progress:
        result = hops_bench.measure(plan, progress)
    _finish(result, output)


@app.command(epilog="Example: python -m bench request --count 20000 -o json")
@reports_errors
def request(
    count: Annotated[int, typer.Option(min=1, help="Requests, one after another.")] = 20_000,
    workers: Workers = 1,
    payload: Payload = 100,
    output: Output = Format.TEXT,
) -> None:
    """Latency of one request at a time, in microseconds."""
    with bar(total=count) as progress:
        result = request_bench.measure(count, workers, payload, progress)
    print_result(result, output)


@app.command(epilog="Example: python -m bench agents --agents 10000 -o json")
@reports_errors
def agents(
    agents: Agents = 10_000,
    starts: Annotated[int, typer.Option(min=1, help="Starts on fresh directories; the median is shown.")] = 5,
    workers: Workers = 2,
    output: Output = Format.TEXT,
) -> None:
    """Start of a runtime, deployments, and what an agent takes of memory."""
    with bar(total=starts + 1) as progress:
        result = agents_bench.measure(agents, starts, workers, progress)
    print_result(result, output)


@app.command(epilog="Example: python -m bench kill --runs 20 -o json")
@reports_errors
def kill(
    runs: Annotated[int, typer.Option(min=1, help="Workers to kill, one after another.")] = 20,
    workers: Workers = 2,
    agents: Agents = 1_000,
    window: Window = 16,
    output: Output = Format.TEXT,
) -> None:
    """Kill workers under load: when their agents answer again, and whether the loss is counted exactly.

    Exit code 1 when the client's loss and that of `caxton stats` differ in any run.
    """
    with bar(total=runs) as progress:
        result = kill_bench.measure(runs, workers, agents, window, progress)
    print_result(result, output)
    if result["equal_runs"] != runs:
        raise typer.Exit(FAILED)


@app.command(
    epilog="Examples: python -m bench recovery --backlog 100000 -o json; python -m bench recovery --kill workers"
)
@reports_errors
def recovery(
    backlog: Annotated[int, typer.Option(min=1, help="Durable messages that wait for paused agents.")] = 100_000,
    workers: Workers = 2,
    agents: Agents = 100,
    kill: Annotated[Victim, typer.Option(help="Who is killed; whoever is gone is then started again.")] = Victim.ALL,
    output: Output = Format.TEXT,
) -> None:
    """Kill a runtime with a backlog: how soon it is ready again, and how fast the backlog is replayed.

    Exit code 1 when a message of the backlog is neither handled nor a dead letter, or the ledger does not balance.
    """
    plan = recovery_bench.Plan(backlog, workers, agents, kill)
    with bar(total=2 * backlog) as progress:
        result = recovery_bench.measure(plan, progress)
    print_result(result, output)
    if result["lost"] or not result["ledger_balanced"]:
        raise typer.Exit(FAILED)


def _finish(result: dict[str, Any], output: Format) -> None:
    """Print what a load showed, and say by the exit code whether its losses are what they should be."""
    print_result(result, output)
    is_safe = result["lost"] == 0 or result["lane"] != LaneName.DURABLE
    if not is_safe or result["lost"] != result["lost_by_stats"] or not result["ledger_balanced"]:
        raise typer.Exit(FAILED)


def _window(window: int | None, lane: LaneName) -> int:
    return DEFAULT_WINDOWS[lane.lane] if window is None else window


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does: the runtime that is measured is stopped first
    app()
