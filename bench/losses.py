"""What a load has lost, and whether the runtime counts the same: the exit code says it."""

from collections.abc import Mapping
from typing import Any

import typer

from bench.options import LaneName
from caxton.cli.output import FAILED


def end_if_lost(result: Mapping[str, Any]) -> None:
    """Exit with 1 when a durable message was lost, the loss is not what the runtime counts, or its ledger is off."""
    is_safe = result["lost"] == 0 or result["lane"] != LaneName.DURABLE
    if not is_safe or result["lost"] != result["lost_by_stats"] or not result["ledger_balanced"]:
        raise typer.Exit(FAILED)
