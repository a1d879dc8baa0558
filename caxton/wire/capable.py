"""How shards tell who can do what: whoever sends subscribes, and is told all at first, and then what changes.

All of it travels in control frames. What is lost costs a second: who subscribes says again and again what it wants and
what it knows, and is told anew what it does not know. A subscription that is not said again for 5 s has ended.
"""

from typing import Annotated

import msgspec

from caxton.acl.capability import MAX_KEY
from caxton.acl.envelope import Id
from caxton.capabilities.candidates import Candidate
from caxton.capabilities.publication import PAGE
from caxton.capabilities.subscriptions import MOST_WANTED
from caxton.wire.calls import Sequence
from caxton.wire.link_state import Mark

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]


class Wanted(msgspec.Struct, array_like=True, frozen=True):
    """One subscription. version: of what is known of it, 0 for nothing. asked: which answer is waited for.

    over: it is not wanted any more, and its place is free for another.
    """

    key: Key
    version: Sequence = 0
    asked: Sequence = 0
    over: bool = False


class Subscribe(msgspec.Struct, array_like=True, tag=9, frozen=True):
    """A word to a worker: this is wanted. taken: how many `Capable` have come from this incarnation."""

    source: Id
    mark: Mark
    target: Id
    taken: Sequence
    wanted: Annotated[list[Wanted], msgspec.Meta(max_length=MOST_WANTED)]


class Capable(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """A worker's word to who subscribed: these of its agents can do it.

    since: the version that these are the changes after; None when they are all there are, in pages, of which this is
    the number `page` and `more` follow. version: what is known with them. asked: as in what was wanted. refused: more
    than this shard tells of; nothing will be told.
    """

    source: Id
    mark: Mark
    target: Id
    shard: Annotated[int, msgspec.Meta(ge=0)]
    key: Key
    since: Sequence | None
    version: Sequence
    page: Sequence
    more: bool
    candidates: Annotated[list[Candidate], msgspec.Meta(max_length=PAGE)]
    asked: Sequence = 0
    refused: bool = False
