"""The programs that share an agent, as its shard sees them."""

from typing import Annotated

import msgspec

from caxton.acl.envelope import Id


class MemberView(msgspec.Struct, array_like=True, frozen=True):
    """One of the programs that share an agent, by its session. under_way: messages that it has and has not ended.

    is_there: whether messages of its conversations wait for it: it was heard of, and does not leave.
    """

    session: Id
    under_way: Annotated[int, msgspec.Meta(ge=0)]
    is_there: bool
