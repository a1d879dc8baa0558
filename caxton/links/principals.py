"""For whom a session acts: its own user, who is the runtime's owner and travels as no text at all, or a principal."""

import unicodedata

from caxton.acl.envelope import MAX_PRINCIPAL
from caxton.errors import SecurityError, ValidationError
from caxton.printable import shown
from caxton.wire.audit import ADDRESS, RUNTIME

# Names of users of this machine begin so, and nobody else's.
USER = "uid:"
# Marks that follow their letters make a name longer than it will be.
_MOST_GIVEN = 4 * MAX_PRINCIPAL


def checked_principal(principal: object) -> str:
    """Return a principal's name in Unicode's composed form (NFC), as agents' names are kept; "" is the runtime's owner.

    Raises ValidationError unless it is printable text without blanks at its ends.
    """
    if isinstance(principal, str) and len(principal) <= _MOST_GIVEN and not principal.isascii():
        principal = unicodedata.normalize("NFC", principal)
    if not isinstance(principal, str) or len(principal) > MAX_PRINCIPAL or not principal.isprintable():
        raise ValidationError(
            "principal", f"{shown(principal)} is not printable text of at most {MAX_PRINCIPAL} characters"
        )
    if principal != principal.strip(" "):
        raise ValidationError("principal", f"{shown(principal)} has blanks at its ends")
    return principal


def acts_for(claimed: str, uid: int, *, may_claim: bool) -> str:
    """Return for whom a session of this user acts that claims a principal, "" when it is the user.

    may_claim: whether the runtime lets sessions act for others. Raises SecurityError where it does not, and for another
    user of this machine, and for those of the audit that nobody acts for; ValidationError.
    """
    claimed = checked_principal(claimed)
    if claimed in {"", f"{USER}{uid}"}:
        return ""
    if claimed == RUNTIME or claimed.startswith((USER, ADDRESS)):
        raise SecurityError(f"a session of {USER}{uid} cannot act for {shown(claimed)}")
    if not may_claim:
        raise SecurityError(
            f"a session cannot act for {shown(claimed)} here; `caxton serve --gateway-principals` lets gateways do so"
        )
    return claimed
