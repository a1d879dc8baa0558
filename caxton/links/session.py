"""Who a frame's source is: the marks that only the supervisor can make, and the numbers of sessions."""

import hmac
from hashlib import blake2b

import msgspec

from caxton.acl.envelope import SEAL_BYTES, Cause
from caxton.errors import SecurityError
from caxton.ids import BROADCAST, SESSION_BIT
from caxton.wire.link_state import MARK_BYTES

LEAST_KEY_BYTES = 16
_PEER_BYTES = 8
# So that no seal is a mark.
_OF_CAUSES = b"caxton cause"
_pack = msgspec.msgpack.Encoder().encode


class SessionMarks:
    """Makes and checks the marks of peers: workers' incarnations and sessions alike.

    Whoever holds the key can check a mark without asking anybody. Raises SecurityError for a key of less than 16 or
    more than 64 bytes: blake2b takes no longer one, and with an empty one anybody could make marks.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if not LEAST_KEY_BYTES <= len(key) <= blake2b.MAX_KEY_SIZE:
            raise SecurityError(
                f"a key for marks has {LEAST_KEY_BYTES} to {blake2b.MAX_KEY_SIZE} bytes, not {len(key)}"
            )
        self._key = bytes(key)

    def mark(self, peer: int, principal: str = "") -> bytes:
        """Return the 16 bytes that a peer's frames carry; `peer` is an unsigned 64-bit number.

        principal: for whom the peer acts. A mark that is made for one vouches for nobody else.
        """
        of = peer.to_bytes(_PEER_BYTES, "big") + principal.encode()
        return blake2b(of, digest_size=MARK_BYTES, key=self._key).digest()

    def verify(self, peer: int, mark: bytes, principal: str = "") -> bool:
        """True when the mark was made for this peer with this key. Takes the same time for every wrong mark."""
        return hmac.compare_digest(self.mark(peer, principal), mark)

    def seal(self, session: int, cause: Cause) -> bytes:
        """Return the 16 bytes by which is known again that this session was given this cause, which has no seal yet."""
        return blake2b(_pack((session, cause)), digest_size=SEAL_BYTES, key=self._key, person=_OF_CAUSES).digest()


def session_id(random_bits: int) -> int:
    """Return the id of a new session from 63 random bits or more: the top bit is set, and it is never all ones."""
    session = SESSION_BIT | (random_bits & (SESSION_BIT - 1))
    return session if session != BROADCAST else session - 1
