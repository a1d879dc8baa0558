"""`caxton.client.calls.apply_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Iterator

from caxton.client.calls.apply_calls import APPLY_DRAIN_TIMEOUT_S
from caxton.client.calls.plans import Change
from caxton.manifests.reading import System
from caxton.sync.calls.capability_calls import CapabilityCalls
from caxton.sync.calls.drain_calls import DrainCalls


class ApplyCalls(DrainCalls, CapabilityCalls):
    """`plan` and `apply`."""

    def plan(self, system: System, *, replace: bool = False, prune: bool = False) -> list[Change]:
        """Return what `apply` would do about each agent, and do nothing.

        Raises ValidationError and InvalidModule for a deployment that cannot be meant, and ValidationError for `prune`
        where the system has no name.
        """
        return self._run(self._client.plan(system, replace=replace, prune=prune))

    def apply(
        self,
        system: System,
        *,
        replace: bool = False,
        prune: bool = False,
        drain_timeout_s: float = APPLY_DRAIN_TIMEOUT_S,
    ) -> Iterator[Change]:
        """Make agents what the system says, and yield each change when it was done, or with its `problem`.

        Agents that are not there are deployed. Capabilities, weight and version are changed in place. What else an
        agent is cannot change: with replace=True it is drained, removed and deployed anew, after its module was
        compiled; its state is forgotten, what is sent to it meanwhile is refused, and what it has not finished after
        `drain_timeout_s` is among the dead letters. prune: agents that were applied with the system's name and are not
        in it any more are drained and removed. Where one of these words is missing nothing is lost: ConfigurationError
        is raised before anything is done, and agents that are not wanted any more are left.

        Applying it again does nothing, and goes on where one ended in the middle. Raises what `plan` does.
        """
        return self._iterated(self._client.apply(system, replace=replace, prune=prune, drain_timeout_s=drain_timeout_s))
