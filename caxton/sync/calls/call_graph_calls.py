"""`caxton.client.calls.call_graph_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from caxton.sync.connection import Connection
from caxton.wire.call_graph import CallGraph


class CallGraphCalls(Connection):
    """`call_graph`."""

    def call_graph(self, limit: int = 100, *, over_s: float = 1.0) -> CallGraph:
        """Return who talks to whom, of all shards: the pairs with most messages and failures, at most 500.

        Shards count from the first call on, until nobody has asked for 10 s, and tell of the last 5 to 10 s. over_s:
        where less has been counted it is waited for, 10 s at most; with 0 what there is comes at once. Rates are exact
        where few messages go by, and estimates with their standard errors where more than 5,000 a second do in a
        shard. A shard that does not serve is one of `missing`. Raises ValidationError, NetworkError, Timeout.
        """
        return self._run(self._client.call_graph(limit, over_s=over_s))
