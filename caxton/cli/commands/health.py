"""`caxton health`."""

from datetime import UTC, datetime
from typing import Any

import typer

from caxton.cli.options import RuntimeDirOption, resolve_runtime_dir
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.client.call_line import ask
from caxton.wire.answered import answered
from caxton.wire.supervision import AskHealth, AskStats, Told

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
        _show(values)
    if values["status"] == "unhealthy":
        raise typer.Exit(FAILED)


def ask_values(runtime_dir: Any, question: AskHealth | AskStats) -> dict[str, Any]:
    """Return the plain values that answer a question to the supervisor."""
    return answered(ask(resolve_runtime_dir(runtime_dir), question, _TIMEOUT_S), Told, "the supervisor").values


def _moment(since_ms: int) -> str:
    return datetime.fromtimestamp(since_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _show(values: dict[str, Any]) -> None:
    reason = f" ({values['reason']})" if values["reason"] else ""
    print_text(
        f"{values['status']}{reason}: up {values['uptime_s']:.0f} s, "
        f"{values['sessions']} of {values['most_sessions']} sessions, pid {values['pid']}, {values['runtime_dir']}"
    )
    if values["reasons"]:
        print_table(
            "reasons",
            ["level", "reason", "since", "what is so", "what to do"],
            [
                [reason["level"], reason["name"], _moment(reason["since"]), reason["text"], reason["advice"]]
                for reason in values["reasons"]
            ],
        )
    print_table(
        "workers",
        ["shard", "state", "pid", "incarnation", "restarts", "agents", "memory", "last exit"],
        [
            [
                worker["shard"],
                worker["state"],
                worker["pid"],
                worker["incarnation"],
                worker["restarts"],
                worker["agents"],
                f"{worker['resident_bytes'] / _MIB:.0f} MiB",
                worker["last_exit"],
            ]
            for worker in values["workers"]
        ],
    )
