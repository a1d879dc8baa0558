"""The 22 communicative acts of FIPA (SC00037J, "FIPA Communicative Act Library Specification")."""

from enum import IntEnum


class Performative(IntEnum):
    """What a message does. The number travels; `act` is FIPA's own spelling, and how it prints.

    `Performative("request")` and `Performative("REQUEST")` are found too, and "query" is query-ref; any other text
    raises ValueError. No text equals one: compare with `Performative.CFP`, or the text with its `act`.
    """

    ACCEPT_PROPOSAL = 0
    AGREE = 1
    CANCEL = 2
    CFP = 3
    CONFIRM = 4
    DISCONFIRM = 5
    FAILURE = 6
    INFORM = 7
    INFORM_IF = 8
    INFORM_REF = 9
    NOT_UNDERSTOOD = 10
    PROPAGATE = 11
    PROPOSE = 12
    PROXY = 13
    QUERY_IF = 14
    QUERY_REF = 15
    REFUSE = 16
    REJECT_PROPOSAL = 17
    REQUEST = 18
    REQUEST_WHEN = 19
    REQUEST_WHENEVER = 20
    SUBSCRIBE = 21

    @property
    def act(self) -> str:
        """FIPA's spelling: lower case, words joined by hyphens."""
        return _ACTS[self]

    @classmethod
    def parse(cls, act: str) -> "Performative":
        """Read FIPA's spelling, or "query" for query-ref; raises ValueError with the known acts on any other."""
        found = BY_ACT.get(_SHORT.get(act, act))
        if found is None:
            raise ValueError(f"unknown performative {act!r}; known are {', '.join(BY_ACT)}")
        return found

    @classmethod
    def _missing_(cls, value: object) -> "Performative | None":
        if not isinstance(value, str):
            return None
        act = value.lower().replace("_", "-")
        return BY_ACT.get(_SHORT.get(act, act))

    def __str__(self) -> str:
        return self.act

    def __format__(self, spec: str) -> str:
        return format(self.act, spec)


_ACTS = {p: p.name.lower().replace("_", "-") for p in Performative}
# Names that people use besides. Of FIPA's two queries, the one that asks for what is so, and not whether it is.
_SHORT = {"query": "query-ref"}
BY_ACT = {act: p for p, act in _ACTS.items()}
ACTS = tuple(_ACTS[p] for p in Performative)
