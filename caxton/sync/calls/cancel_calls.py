"""`caxton.client.calls.cancel_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from caxton.sync.calls.capability_calls import CapabilityCalls


class CancelCalls(CapabilityCalls):
    """Ends what a call of this client has begun with agents, when that call is broken off."""
