"""What clients say that their messages follow from: believed of what they were given to handle, and of nothing else."""

from hmac import compare_digest

from msgspec import structs

from caxton.acl.envelope import Cause, Envelope, Waiters
from caxton.delivery.causes import MOST_HOPS, Works, while_handled
from caxton.errors import CaxtonError, HopLimitExceeded, InvalidMessageFormat, SecurityError
from workers.agents.mailbox import weight
from workers.peers.peers import Peers
from workers.worker_pass import Pass


class Claims:
    """Seals the causes of what sessions are given to handle, and knows on every shard what was sealed on another.

    A session has nothing of a claim that it would not have without: what it sends of its own accord is a root. So a
    claim holds for as long as its session, also when the handler has ended by the time that the message comes.
    """

    def __init__(self, peers: Peers, works: Works) -> None:
        self._seal = peers.seal
        self._works = works

    def seal(self, session: int, message: Envelope) -> bytes:
        """Return by what the cause of what a session sends is known, while it handles a message."""
        return self._seal(session, while_handled(message))

    def refusal(self, message: Envelope, session: int, principal: str, a_pass: Pass) -> CaxtonError | None:
        """Take the cause that a session claims for a message; or return why it may not be, and then nothing is counted.

        The principal is the session's, whoever the root acts for. Who claims it waits for what is a request: one whose
        answer is to name its own id.
        """
        claimed = message.cause
        if claimed is None:
            return None
        sealed = claimed.waiters
        if sealed is None or not self._is_sealed(claimed, sealed, session):
            a_pass.counts["claims_forged"] += 1
            return _forged(claimed, session)
        waiters = Waiters(sealed.deliveries) if message.reply_with == message.message_id else None
        cause = structs.replace(claimed, principal=principal, waiters=waiters)
        error = self._works.refusal(cause, weight(len(message.content)), cause.most_hops or MOST_HOPS)
        if error is not None:
            a_pass.counts["over_hops" if isinstance(error, HopLimitExceeded) else "over_work"] += 1
            return error
        message.cause = cause
        return None

    def _is_sealed(self, claimed: Cause, waiters: Waiters, session: int) -> bool:
        unsealed = structs.replace(claimed, waiters=structs.replace(waiters, seal=b""))
        return compare_digest(waiters.seal, self._seal(session, unsealed))


def _forged(claimed: Cause, session: int) -> CaxtonError:
    if claimed.waiters is None:
        return InvalidMessageFormat("cause", "only the runtime says what a message follows from")
    return SecurityError(f"the session {session:016x} was given no message with the cause that it claims")
