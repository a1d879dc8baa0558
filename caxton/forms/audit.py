"""What a row of the audit looks like as JSON."""

import msgspec

from caxton.forms.moments import moment
from caxton.wire.audit import AnchoredHead, AuditRow
from caxton.wire.audit_check import KeptHead


class AuditForm(msgspec.Struct, frozen=True):
    """A row. chain: of which file, and number: in it. principal: None for the runtime's owner."""

    at: str
    action: str
    principal: str | None
    subject: str
    outcome: str
    chain: str
    number: int
    hash: str

    @classmethod
    def of(cls, row: AuditRow) -> "AuditForm":
        """Return the form of a row."""
        who = row.principal or None
        told = moment(row.at), row.action, who, row.subject, row.outcome
        return cls(*told, f"{row.chain:016x}", row.number, row.hash.hex())


class HeadForm(msgspec.Struct, frozen=True):
    """The head of the anchors. hash: of the row with this number, in hex.

    away: shards that did not answer, whose last rows are not in it.
    """

    chain: str
    number: int
    hash: str
    away: list[int] = []

    @classmethod
    def of(cls, head: AnchoredHead) -> "HeadForm":
        """Return the form of a head."""
        return cls(f"{head.chain:016x}", head.last, head.hash.hex(), head.away)

    @property
    def kept(self) -> KeptHead:
        """What it is compared by; raises ValueError for what cannot be one."""
        return KeptHead.read(f"{self.number}:{self.hash}")
