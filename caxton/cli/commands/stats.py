"""`caxton stats`."""

from caxton.cli.commands.health import ask_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_json, print_table, print_text, reports_errors
from caxton.wire.supervision import AskStats

EXAMPLES = "Examples: caxton stats; caxton stats -o json"
_NOT_COUNTED = ("shard", "incarnation", "state")


@reports_errors
def stats(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show what was done, refused and lost since the runtime started."""
    values = ask_values(runtime_dir, AskStats())
    if output is Format.JSON:
        print_json(values)
        return
    lost = ", ".join(f"{place.replace('_', ' ')} {count}" for place, count in values["lost"].items())
    print_text(f"up {values['uptime_s']:.0f} s, {values['sessions']} sessions; lost: {lost}")
    print_text(f"waited for sessions that ended: {values['undelivered_to_ended_sessions']}")
    workers = values["workers"]
    names = sorted(
        {name for worker in workers for name in worker if name not in _NOT_COUNTED} | values["totals"].keys()
    )
    print_table(
        "counters",
        ["", *(f"shard {worker['shard']}" for worker in workers), "this run"],
        [[name, *(worker.get(name) for worker in workers), values["totals"].get(name)] for name in names],
    )
