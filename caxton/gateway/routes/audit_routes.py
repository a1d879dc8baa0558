"""What was done, and for whom."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from caxton.forms.audit import AuditForm
from caxton.gateway.caller import Caller
from caxton.tokens.role import Role

MAX_ROWS = 10_000


class Audit(msgspec.Struct, frozen=True):
    """The last rows that fit, oldest first. whole: whether the audit is what was written; faults: where it is not."""

    rows: list[AuditForm]
    whole: bool
    faults: list[str]


@get("/v1/audit", summary="What was done, and for whom", tags=["runtime"])
async def audit(
    caller: Caller,
    agent: Annotated[str | None, QueryParameter(max_length=300, description="Only to the agent of this name.")] = None,
    principal: Annotated[str | None, QueryParameter(max_length=300, description="Only for this one.")] = None,
    since: Annotated[int | None, QueryParameter(ge=0, description="Only what was since, in ms since 1970.")] = None,
) -> Audit:
    """Return at most the last 10,000 rows that fit, and whether the audit is what was written."""
    caller.may(Role.ADMIN)
    async with caller.client() as client:
        rows = await client.audit(since=since, principal=principal, subject=agent)
        faults = await client.verify_audit()
    return Audit([AuditForm.of(row) for row in rows[-MAX_ROWS:]], not faults, faults)


ROUTES: list[Any] = [audit]
