"""`caxton health`."""

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
    """Show whether everything is well. Exits with 3 when nobody serves."""
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


def _show(values: dict[str, Any]) -> None:
    reason = f" ({values['reason']})" if values["reason"] else ""
    print_text(
        f"{values['status']}{reason}: up {values['uptime_s']:.0f} s, "
        f"{values['sessions']} of {values['most_sessions']} sessions, pid {values['pid']}, {values['runtime_dir']}"
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
