"""Caxton: many WebAssembly agents that nobody has to trust, talking in FIPA-ACL messages.

What a program needs is here by one name each, and is loaded at first use: every worker process pays for what this file
imports. docs/api.md lists what all of it can do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "AgentId",
    "AgentView",
    "AttachedAgent",
    "BatchHandler",
    "Client",
    "ConversationId",
    "DeadLetter",
    "DeadLetterStats",
    "Delivered",
    "DeliveryOptions",
    "Deployment",
    "EachHandler",
    "Failed",
    "Figures",
    "HealthValues",
    "Lane",
    "Ledger",
    "LetterNumber",
    "Level",
    "Limits",
    "Message",
    "MessageId",
    "Performative",
    "Receipt",
    "Said",
    "StatsValues",
    "WorkerHealthValues",
    "__version__",
    "connect",
    "errors",
    "testing",
]

if TYPE_CHECKING:
    from caxton import errors, testing
    from caxton.acl.message import Message
    from caxton.acl.options import DeliveryOptions, Lane, Level
    from caxton.acl.performative import Performative
    from caxton.agents.limits import Limits
    from caxton.client.attached.agent import AttachedAgent
    from caxton.client.attached.turns import BatchHandler, Delivered, EachHandler, Said
    from caxton.client.calls.deployments import Deployment
    from caxton.client.calls.letter_number import LetterNumber
    from caxton.client.client import Client, connect
    from caxton.client.routes.receipts import Receipt
    from caxton.ids import AgentId, ConversationId, MessageId
    from caxton.store.ledger import Figures, Ledger
    from caxton.wire.calls import AgentView, DeadLetter, DeadLetterStats, Failed
    from caxton.wire.told import HealthValues, StatsValues, WorkerHealthValues
else:  # not for type checkers, for which every unknown name would be there and be Any
    _HOMES = {
        "caxton.acl.message": ("Message",),
        "caxton.acl.options": ("DeliveryOptions", "Lane", "Level"),
        "caxton.acl.performative": ("Performative",),
        "caxton.agents.limits": ("Limits",),
        "caxton.client.attached.agent": ("AttachedAgent",),
        "caxton.client.attached.turns": ("BatchHandler", "Delivered", "EachHandler", "Said"),
        "caxton.client.calls.deployments": ("Deployment",),
        "caxton.client.calls.letter_number": ("LetterNumber",),
        "caxton.client.client": ("Client", "connect"),
        "caxton.client.routes.receipts": ("Receipt",),
        "caxton.ids": ("AgentId", "ConversationId", "MessageId"),
        "caxton.store.ledger": ("Figures", "Ledger"),
        "caxton.wire.calls": ("AgentView", "DeadLetter", "DeadLetterStats", "Failed"),
        "caxton.wire.told": ("HealthValues", "StatsValues", "WorkerHealthValues"),
    }
    _HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> object:
        if name in {"errors", "testing"}:
            return import_module(f"caxton.{name}")
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'caxton' has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(home), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
