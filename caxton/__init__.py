"""Caxton: many WebAssembly agents that nobody has to trust, talking in FIPA-ACL messages.

What a program needs is here by one name each, and is loaded at first use: every worker process pays for what this file
imports. docs/api.md lists what all of it can do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "Agent",
    "AgentId",
    "AgentListing",
    "AgentView",
    "AnchoredHead",
    "AttachedAgent",
    "AuctionOutcome",
    "AuctionResult",
    "AuctionRound",
    "AuditHead",
    "AuditRow",
    "AuditRows",
    "Backup",
    "BackupFile",
    "BatchHandler",
    "Busiest",
    "BusyAgent",
    "CallGraph",
    "CallPair",
    "Capability",
    "CapabilityView",
    "Change",
    "Client",
    "ComponentHealth",
    "ContractResult",
    "ConversationId",
    "ConversationLimits",
    "ConversationStats",
    "ConversationView",
    "DeadLetter",
    "DeadLetterStats",
    "Delivered",
    "DeliveryOptions",
    "Deployment",
    "Drained",
    "EachHandler",
    "Escalation",
    "EventView",
    "Everyone",
    "Failed",
    "Figures",
    "Health",
    "HealthReason",
    "Hosting",
    "Inbox",
    "KeptMessage",
    "Lane",
    "Ledger",
    "LetterNumber",
    "Level",
    "Limits",
    "LogLine",
    "Message",
    "MessageId",
    "NewToken",
    "Outcome",
    "Performative",
    "Receipt",
    "RouterStats",
    "Said",
    "Saved",
    "Setting",
    "Span",
    "SpanCursor",
    "Spans",
    "Subscription",
    "Summary",
    "System",
    "TokenView",
    "Turn",
    "WatchedMessage",
    "WorkerHealth",
    "__version__",
    "agent",
    "connect",
    "connect_sync",
    "errors",
    "message_values",
    "read_escalation",
    "read_manifest",
    "read_message",
    "read_system",
    "sync",
    "testing",
]

if TYPE_CHECKING:
    from caxton import errors, sync, testing
    from caxton.acl.capability import Capability, Everyone
    from caxton.acl.conversation_limits import ConversationLimits
    from caxton.acl.escalation import Escalation, read_escalation
    from caxton.acl.json_form import message_values, read_message
    from caxton.acl.message import Message
    from caxton.acl.options import DeliveryOptions, Lane, Level
    from caxton.acl.performative import Performative
    from caxton.agents.deployment import Deployment
    from caxton.agents.limits import Limits
    from caxton.client.attached.agent import AttachedAgent
    from caxton.client.attached.turns import BatchHandler, Delivered, EachHandler, Said, Saved
    from caxton.client.calls.agent_listing import AgentListing
    from caxton.client.calls.audit_pages import AuditRows
    from caxton.client.calls.drain_calls import Drained
    from caxton.client.calls.letter_number import LetterNumber
    from caxton.client.calls.plans import Change
    from caxton.client.calls.span_calls import Spans
    from caxton.client.client import Client
    from caxton.client.connection import Agent
    from caxton.client.hosting.definition import agent
    from caxton.client.hosting.hosting import Hosting
    from caxton.client.hosting.turn import Turn
    from caxton.client.interactions.auction import AuctionOutcome, AuctionResult, AuctionRound
    from caxton.client.interactions.contract_net import ContractResult, Outcome
    from caxton.client.interactions.subscription import Subscription
    from caxton.client.routes.inbox import Inbox
    from caxton.client.routes.receipts import Receipt
    from caxton.config.setting import Setting
    from caxton.conversations.summary import Summary
    from caxton.conversations.view import ConversationView
    from caxton.ids import AgentId, ConversationId, MessageId
    from caxton.manifests.reading import System, read_manifest, read_system
    from caxton.remote.connecting import connect
    from caxton.store.backup.manifest import Backup, BackupFile
    from caxton.store.ledger import Figures, Ledger
    from caxton.sync.client import connect_sync
    from caxton.wire.audit import AnchoredHead, AuditHead, AuditRow
    from caxton.wire.busy import Busiest, BusyAgent
    from caxton.wire.call_graph import CallGraph, CallPair
    from caxton.wire.calls import AgentView, DeadLetter, Failed
    from caxton.wire.capability_calls import CapabilityView
    from caxton.wire.events import EventView
    from caxton.wire.kept import KeptMessage
    from caxton.wire.span import Span
    from caxton.wire.spans import SpanCursor
    from caxton.wire.tokens import NewToken, TokenView
    from caxton.wire.told import (
        ComponentHealth,
        ConversationStats,
        DeadLetterStats,
        Health,
        HealthReason,
        RouterStats,
        WorkerHealth,
    )
    from caxton.wire.watching import LogLine, WatchedMessage
else:  # not for type checkers, for which every unknown name would be there and be Any
    _HOMES = {
        "caxton.acl.capability": ("Capability", "Everyone"),
        "caxton.acl.conversation_limits": ("ConversationLimits",),
        "caxton.acl.escalation": ("Escalation", "read_escalation"),
        "caxton.acl.json_form": ("message_values", "read_message"),
        "caxton.acl.message": ("Message",),
        "caxton.acl.options": ("DeliveryOptions", "Lane", "Level"),
        "caxton.acl.performative": ("Performative",),
        "caxton.agents.deployment": ("Deployment",),
        "caxton.agents.limits": ("Limits",),
        "caxton.client.attached.agent": ("AttachedAgent",),
        "caxton.client.attached.turns": ("BatchHandler", "Delivered", "EachHandler", "Said", "Saved"),
        "caxton.client.calls.agent_listing": ("AgentListing",),
        "caxton.client.calls.drain_calls": ("Drained",),
        "caxton.client.calls.plans": ("Change",),
        "caxton.client.calls.audit_pages": ("AuditRows",),
        "caxton.client.calls.letter_number": ("LetterNumber",),
        "caxton.client.calls.span_calls": ("Spans",),
        "caxton.client.client": ("Client",),
        "caxton.client.connection": ("Agent",),
        "caxton.client.hosting.definition": ("agent",),
        "caxton.client.hosting.hosting": ("Hosting",),
        "caxton.client.hosting.turn": ("Turn",),
        "caxton.client.interactions.auction": ("AuctionOutcome", "AuctionResult", "AuctionRound"),
        "caxton.client.interactions.contract_net": ("ContractResult", "Outcome"),
        "caxton.client.interactions.subscription": ("Subscription",),
        "caxton.client.routes.inbox": ("Inbox",),
        "caxton.client.routes.receipts": ("Receipt",),
        "caxton.config.setting": ("Setting",),
        "caxton.conversations.summary": ("Summary",),
        "caxton.conversations.view": ("ConversationView",),
        "caxton.ids": ("AgentId", "ConversationId", "MessageId"),
        "caxton.manifests.reading": ("System", "read_manifest", "read_system"),
        "caxton.store.backup.manifest": ("Backup", "BackupFile"),
        "caxton.store.ledger": ("Figures", "Ledger"),
        "caxton.remote.connecting": ("connect",),
        "caxton.sync.client": ("connect_sync",),
        "caxton.wire.busy": ("Busiest", "BusyAgent"),
        "caxton.wire.call_graph": ("CallGraph", "CallPair"),
        "caxton.wire.calls": ("AgentView", "DeadLetter", "Failed"),
        "caxton.wire.capability_calls": ("CapabilityView",),
        "caxton.wire.kept": ("KeptMessage",),
        "caxton.wire.span": ("Span",),
        "caxton.wire.spans": ("SpanCursor",),
        "caxton.wire.told": (
            "ComponentHealth",
            "ConversationStats",
            "DeadLetterStats",
            "Health",
            "HealthReason",
            "RouterStats",
            "WorkerHealth",
        ),
        "caxton.wire.tokens": ("NewToken", "TokenView"),
        "caxton.wire.audit": ("AnchoredHead", "AuditHead", "AuditRow"),
        "caxton.wire.events": ("EventView",),
        "caxton.wire.watching": ("LogLine", "WatchedMessage"),
    }
    _HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> object:
        if name in {"errors", "sync", "testing"}:
            return import_module(f"caxton.{name}")
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'caxton' has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(home), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
