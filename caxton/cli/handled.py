"""Waiting for what became of a message whose sender asked for a receipt."""

import asyncio

from caxton.client.calls.arguments import as_typed
from caxton.client.client import Client
from caxton.client.routes.receipts import Receipt
from caxton.errors import NetworkError, Timeout
from caxton.ids import AgentId


async def handled(client: Client, receipt: Receipt, timeout_s: float, agent: AgentId | str) -> None:
    """Return when the message was handled. What agents say about it is taken for no receipt.

    Raises what its agent failed with, when it is tried no more, with the agent as it was named; Timeout; NetworkError
    when the runtime has ended.
    """
    what = f"the receipt of message {receipt.message_id}"
    try:
        async with asyncio.timeout(timeout_s):
            async for message in client.inbox():
                if message.in_reply_to != receipt.message_id:
                    continue
                if (failure := message.failure()) is not None:
                    raise as_typed(failure, agent, client.id_of(agent))
                if message.is_confirmation:
                    return
    except TimeoutError as error:
        if isinstance(error, Timeout):  # a failure that the message ended with
            raise
        raise Timeout(what, timeout_s) from None
    raise NetworkError("the runtime", f"it ended before {what} came")
