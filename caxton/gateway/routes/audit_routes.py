"""What was done, and for whom, what was denied, and whether that was changed since."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from caxton.forms.audit import AuditForm, HeadForm
from caxton.gateway.caller import Caller
from caxton.gateway.parameters import After, Limit
from caxton.tokens.role import Role
from caxton.wire.audit import MAX_FILTER

PAGE = 100
Some = Annotated[str | None, QueryParameter(max_length=MAX_FILTER, description="Only the rows of this one.")]


class Audit(msgspec.Struct, frozen=True):
    """Rows, newest first unless asked otherwise. next: what `after` takes for the next page, None when there is none.

    A page may have fewer rows than `limit`, or none, and others follow all the same.
    """

    rows: list[AuditForm]
    next: str | None


class Verified(msgspec.Struct, frozen=True):
    """whole: whether the audit is what was written. faults: where it is not."""

    whole: bool
    faults: list[str]


@get("/v1/audit", summary="What was done, and for whom", tags=["runtime"])
async def audit(  # noqa: PLR0913 (a query parameter each)
    caller: Caller,
    agent: Some = None,
    principal: Some = None,
    action: Some = None,
    since: Annotated[int | None, QueryParameter(ge=0, description="Only what was since, in ms since 1970.")] = None,
    after: After = None,
    limit: Limit = PAGE,
    *,
    oldest_first: Annotated[bool, QueryParameter(description="In the order in which they were written.")] = False,
) -> Audit:
    """Return rows of all shards and of the supervisor in one order of time, a page at a time."""
    caller.may(Role.ADMIN)
    async with caller.client() as client:
        page = await client.audit_page(
            limit,
            after=after or "",
            since=since,
            principal=principal,
            subject=agent,
            action=action,
            newest_first=not oldest_first,
        )
    return Audit([AuditForm.of(row) for row in page.rows], page.next)


@get("/v1/audit/verification", summary="Whether the audit is what was written", tags=["runtime"])
async def verification(
    caller: Caller,
    head: Annotated[
        str | None, QueryParameter(max_length=100, description="A head that was kept, as NUMBER:HASH.")
    ] = None,
) -> Verified:
    """Read all of the audit, and say where it is broken; with `head`, also whether it goes on from that."""
    caller.may(Role.ADMIN)
    async with caller.house.verifying, caller.client() as client:
        faults = await client.verify_audit(head or "")
    return Verified(not faults, faults)


@get("/v1/audit/head", summary="The head of the audit", tags=["runtime"])
async def audit_head(caller: Caller) -> HeadForm:
    """Return the number and the hash that speak for every row of now: to be kept elsewhere."""
    caller.may(Role.ADMIN)
    async with caller.client() as client:
        return HeadForm.of(await client.audit_head())


ROUTES: list[Any] = [audit, verification, audit_head]
