"""What came of a broadcast, for people and for programs."""

from collections.abc import Mapping

from caxton.cli.output import Format, print_json, print_table, print_text
from caxton.client.routes.receipts import Receipt
from caxton.errors import CaxtonError, to_fields
from caxton.ids import AgentId, ConversationId


def print_results(
    names: Mapping[AgentId, str],
    results: Mapping[AgentId, Receipt | CaxtonError],
    conversation: ConversationId | None,
    output: Format,
) -> None:
    """Print what came of the message to each."""
    if output is Format.JSON:
        told = {"conversation_id": None if conversation is None else str(conversation)}
        print_json(told | {"results": {names[agent]: _values(result) for agent, result in results.items()}})
        return
    rows = [
        (names[agent], f"no: {result}" if isinstance(result, CaxtonError) else f"message {result.message_id}")
        for agent, result in results.items()
    ]
    failed = sum(isinstance(result, CaxtonError) for result in results.values())
    print_table(f"sent to {len(results) - failed} of {len(results)}", ("agent", "result"), rows)
    if conversation is not None:
        print_text(f"conversation {conversation}")


def _values(result: Receipt | CaxtonError) -> dict[str, object]:
    if isinstance(result, CaxtonError):
        return {"error": type(result).__name__, "fields": to_fields(result), "message": str(result)}
    return {"message_id": str(result.message_id), "reliability": result.lane.reliability}
