"""Query parameters that several routes take."""

from typing import Annotated

from litestar.params import PathParameter, QueryParameter

from caxton.gateway.limits import MAX_PAGE, MESSAGE_TIMEOUT_S

PAGE = 100

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="At most so many.")]
After = Annotated[
    str | None, QueryParameter(max_length=1_000, description="Those behind this one: the `next` of the page before.")
]
Timeout = Annotated[
    float, QueryParameter(gt=0, le=MESSAGE_TIMEOUT_S, description="How long the answer is waited for, in seconds.")
]
Agent = Annotated[
    str, PathParameter(max_length=1_000, description="An agent's name, or its id: 16 hex digits are one.")
]
SomeAgent = Annotated[
    str | None, QueryParameter(max_length=1_000, description="Those of this agent: its name or its id.")
]
