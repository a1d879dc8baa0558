"""`caxton health`."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import typer

from caxton.cli.elsewhere import elsewhere
from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.cli.stats_text import lasted
from caxton.client.call_line import ask
from caxton.printable import counted
from caxton.wire.answered import answered
from caxton.wire.supervision import AskHealth, AskStats, Told
from caxton.wire.told import Health, read_told

EXAMPLES = "Examples: caxton health; caxton health -o json"
_TIMEOUT_S = 5.0
_MIB = 1 << 20


@reports_errors
def health(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show whether everything is well; if not, why, since when and what to do.

    Exits with 0 when it is healthy or degraded, with 1 when no shard serves, and with 3 when there is no runtime.
    """
    values = ask_values(runtime_dir, AskHealth())
    if output is Format.JSON:
        print_json(values)
    else:
        _show(read_told(values, Health))
    if values["status"] == "unhealthy":
        raise typer.Exit(FAILED)


def ask_values(runtime_dir: Any, question: AskHealth | AskStats) -> dict[str, Any]:
    """Return the plain values that answer a question to the supervisor."""
    if elsewhere(runtime_dir) is not None:
        return _from_elsewhere(runtime_dir, question)
    return answered(ask(resolve_runtime_dir(runtime_dir), question, _TIMEOUT_S), Told, "the supervisor").values


def _from_elsewhere(runtime_dir: Any, question: AskHealth | AskStats) -> dict[str, Any]:
    from caxton.cli.session import with_client  # noqa: PLC0415 (all of the client, which is loaded later)

    async def use(client: Any) -> Any:
        return await (client.health() if isinstance(question, AskHealth) else client.stats())

    values: dict[str, Any] = msgspec.to_builtins(with_client(runtime_dir, use))
    return values


def _part(have: int, most: int) -> str:
    return f"{100 * have // most} %"


def _moment(since_ms: int) -> str:
    return datetime.fromtimestamp(since_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _show(health: Health) -> None:
    reason = f" ({health.reason})" if health.reason else ""
    print_text(
        f"{health.status}{reason}: up {lasted(health.uptime_s)}, "
        f"{health.sessions} of {counted(health.most_sessions, 'sessions')}, pid {health.pid}, {health.runtime_dir}"
    )
    if health.reasons:
        print_table(
            "reasons",
            ["level", "reason", "since", "what is so", "what to do"],
            [
                [reason.level, reason.name, _moment(reason.since), reason.text, reason.advice]
                for reason in health.reasons
            ],
        )
    if health.warnings:
        print_table(
            "limits that are near",
            ["limit", "shard", "whose", "used", "of", "part", "since"],
            [
                [one.limit, one.shard, one.whose, one.have, one.most, _part(one.have, one.most), _moment(one.since)]
                for one in health.warnings
            ],
        )
    if health.last_error is not None:
        print_text(f"last error of this run: {health.last_error}")
    print_table(
        "workers",
        ["shard", "state", "pid", "incarnation", "restarts", "agents", "memory", "last exit"],
        [
            [
                worker.shard,
                worker.state,
                worker.pid,
                worker.incarnation,
                worker.restarts,
                worker.agents,
                f"{worker.resident_bytes / _MIB:.0f} MiB",
                worker.last_exit,
            ]
            for worker in health.workers
        ],
    )
