"""What whoever takes a backup asks of a shard: to copy its file, to stand still for a moment, to end the copy."""

from typing import Annotated, Literal

import msgspec

MAX_PATH = 4_096
# look: only tell how it stands. hold: write nothing until `end` or `go_on`, or until the time for that is over. end:
# the copy is of this moment. drop: give up the copy, and remove its file unless it is whole.
Step = Literal["look", "hold", "go_on", "end", "drop"]
Pages = Annotated[int, msgspec.Meta(ge=0)]


class CopyShard(msgspec.Struct, array_like=True, tag=80, frozen=True):
    """Begin to copy the shard's file to `path`, which is absolute, and where nothing is. Answered with CopyState."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PATH)]


class CopyStep(msgspec.Struct, array_like=True, tag=81, frozen=True):
    """Go on with the copy that this session has begun; one that it asks nothing of for 30 s is given up."""

    step: Step = "look"


class CopyState(msgspec.Struct, array_like=True, tag=82, frozen=True):
    """How a copy stands: `copied` of `pages`. ready: all but the last slice is copied, and what is written since too.

    did: whether the step was taken that was asked for. done: the copy is whole, and on the disk.
    """

    copied: Pages
    pages: Pages
    ready: bool
    did: bool
    done: bool


BackupRequest = CopyShard | CopyStep
