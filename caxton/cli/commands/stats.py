"""`caxton stats`."""

from typing import Any

import msgspec

from caxton.cli.commands.health import ask_values
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import Format, Output, print_json, print_table, print_text, reports_errors
from caxton.cli.session import with_client
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.printable import counted
from caxton.wire.supervision import AskStats
from caxton.wire.told import RouterStats, read_told

EXAMPLES = "Examples: caxton stats; caxton stats -o json"
_MIB = 1 << 20
_US_PER_MS = 1_000
_PERCENTILES = {"p50_us": "p50", "p90_us": "p90", "p99_us": "p99", "p999_us": "p99.9"}
_NOT_COUNTED = ("shard", "incarnation", "state")


@reports_errors
def stats(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show what was done, refused and lost in this run, the durable lane's ledger, and dead letters."""
    values = ask_values(runtime_dir, AskStats())
    try:
        durable = with_client(runtime_dir, _durable)
    except CaxtonError as error:
        # A shard that does not serve tells nothing; what the supervisor knows is shown all the same.
        durable = {"ledger": None, "dead_letters": None, "problem": str(error)}
    if output is Format.JSON:
        print_json(values | durable)
        return
    told = read_told(values, RouterStats)
    lost = ", ".join(f"{place.replace('_', ' ')} {count}" for place, count in told.lost.items())
    print_text(f"up {told.uptime_s:.0f} s, {counted(told.sessions, 'sessions')}; lost: {lost}")
    print_text(
        f"processed {told.total_messages_processed}, errors {told.total_errors}, "
        f"waiting {told.inbound_queue_depth} for agents and {told.outbound_queue_depth} for other shards"
    )
    memory, files = told.memory_usage_bytes / _MIB, told.database_size_bytes / _MIB
    print_text(f"memory {memory:.0f} MiB, files of the shards {files:.1f} MiB")
    for name, took in told.latencies.items():
        percentiles = ", ".join(f"{part} {_time(getattr(took, field))}" for field, part in _PERCENTILES.items())
        print_text(f"{name}: {percentiles if took.count else 'nothing measured'}")
    print_text(f"waited for sessions that ended: {told.undelivered_to_ended_sessions}")
    dropped = ", ".join(f"{what} {count}" for what, count in sorted(told.dropped_by_supervisor.items()))
    print_text(f"dropped by the supervisor: {dropped or 'nothing'}")
    _show_durable(durable)
    workers = told.workers
    names = sorted({name for worker in workers for name in worker if name not in _NOT_COUNTED} | told.totals.keys())
    print_table(
        "counters",
        ["", *(f"shard {worker['shard']}" for worker in workers), "this run"],
        [[name, *(worker.get(name) for worker in workers), told.totals.get(name)] for name in names],
    )


def _time(took_us: float | None) -> str:
    if took_us is None:
        return "-"
    return f"{took_us:.0f} us" if took_us < _US_PER_MS else f"{took_us / _US_PER_MS:.1f} ms"


async def _durable(client: Client) -> dict[str, Any]:
    ledger = await client.ledger()
    letters = await client.dead_letter_stats()
    return {
        "ledger": msgspec.structs.asdict(ledger.whole),
        "dead_letters": msgspec.structs.asdict(letters),
        "problem": None,
    }


def _show_durable(durable: dict[str, Any]) -> None:
    if durable["problem"] is not None:
        print_text(f"no ledger: {durable['problem']}")
        return
    ledger, letters = durable["ledger"], durable["dead_letters"]
    names = ("accepted", "processed", "dead", "expired", "pending", "in_flight")
    figures = ", ".join(f"{name.replace('_', ' ')} {ledger[name]}" for name in names)
    balance = "balanced" if ledger["balanced"] else "it DOES NOT BALANCE, see `caxton ledger`"
    print_text(f"durable lane, ever: {figures}; {balance}")
    reasons = (
        ", ".join(f"{reason} {count}" for reason, count in sorted(letters["messages_by_reason"].items())) or "none"
    )
    print_text(f"dead letters: {letters['total_messages']} of {letters['capacity']} ({reasons})")
