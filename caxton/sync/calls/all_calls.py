"""All calls of the client, without a loop, as `docs/sync_calls.py` writes them: nothing to be edited."""

from caxton.sync.calls.apply_calls import ApplyCalls
from caxton.sync.calls.auction_calls import AuctionCalls
from caxton.sync.calls.audit_calls import AuditCalls
from caxton.sync.calls.backup_calls import BackupCalls
from caxton.sync.calls.call_graph_calls import CallGraphCalls
from caxton.sync.calls.conversation_calls import ConversationCalls
from caxton.sync.calls.dead_letter_calls import DeadLetterCalls
from caxton.sync.calls.event_calls import EventCalls
from caxton.sync.calls.hosting_calls import HostingCalls
from caxton.sync.calls.interaction_calls import InteractionCalls
from caxton.sync.calls.kept_calls import KeptCalls
from caxton.sync.calls.log_calls import LogCalls
from caxton.sync.calls.span_calls import SpanCalls
from caxton.sync.calls.subscription_calls import SubscriptionCalls
from caxton.sync.calls.token_calls import TokenCalls
from caxton.sync.calls.watch_calls import WatchCalls


class AllCalls(
    InteractionCalls,
    AuctionCalls,
    SubscriptionCalls,
    HostingCalls,
    ApplyCalls,
    ConversationCalls,
    KeptCalls,
    LogCalls,
    DeadLetterCalls,
    BackupCalls,
    TokenCalls,
    SpanCalls,
    CallGraphCalls,
    WatchCalls,
    EventCalls,
    AuditCalls,
):
    """Everything that a client without a loop may be asked."""
