"""What a row of the audit looks like as JSON."""

import msgspec

from caxton.forms.moments import moment
from caxton.wire.audit import AuditRow


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
