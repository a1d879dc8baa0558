"""Whom a message is for, named by what they can do instead of by an id or a name."""

from enum import StrEnum

from caxton.errors import ValidationError
from caxton.printable import shown

# Of a capability's name, in characters.
MAX_CAPABILITY = 100
# Capabilities that one agent is to have all at once, and their names together with a character between each two.
MOST_AT_ONCE, MAX_KEY = 8, 255
# Agents that one call sends a message to, each its own.
MOST_OF_EVERYONE = 10_000
# The receiver of a message whose agent is not chosen yet. This, and what differs in the bits of a slot, is nobody's id:
# the last of all that agents have, and no name is hashed to one of them.
_SLOT_BITS, _END = 10, 1 << 63
NOBODY = _END - (1 << _SLOT_BITS)
# Between the names in a key: it does not print, so no name has it.
_BETWEEN = "\n"


class Balancing(StrEnum):
    """How one of several capable agents is chosen.

    Each but round robin takes the better one of two that are drawn: what is known of their load is up to a tenth of a
    second old, and who always took the best would be one of many who take the same.
    """

    ROUND_ROBIN = "round_robin"
    LEAST_CONNECTIONS = "least_connections"
    RESPONSE_TIME = "response_time"
    WEIGHTED = "weighted"

    @classmethod
    def parse(cls, text: object) -> "Balancing":
        """Return the balancing of this name; raises ValidationError."""
        try:
            return cls(text)  # type: ignore[arg-type] # whatever is no name of one is refused
        except ValueError:
            raise ValidationError("balancing", f"{shown(text)} is not one of {', '.join(cls)}") from None


class _Named:
    """Who can do something, or all of several things. Immutable; equal when all that is said is."""

    __slots__ = ("key",)
    key: str

    def __init__(self, names: tuple[str, ...]) -> None:
        object.__setattr__(self, "key", key_of(names))

    @property
    def names(self) -> tuple[str, ...]:
        """What is to be done, in the order of the alphabet."""
        return names_of(self.key)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change; make another")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and repr(other) == repr(self)

    def __hash__(self) -> int:
        return hash((type(self), self.key))


class Capability(_Named):
    """One agent that can do something: `Capability("translate")`, or all of several things.

    It is looked for where the message is sent, among those that are healthy and run, and chosen by `balancing`:
    "least_connections" (the least to do), "response_time" (the shortest wait, as it was lately), "round_robin" (each in
    turn), or "weighted" (by the weights that agents were deployed with, and what they have to do). Raises
    ValidationError for no name or more than 8, for one that is not 1 to 100 printable characters, and for more than 255
    characters in all.
    """

    __slots__ = ("balancing",)
    balancing: Balancing

    def __init__(self, *names: str, balancing: str = Balancing.LEAST_CONNECTIONS) -> None:
        super().__init__(names)
        object.__setattr__(self, "balancing", Balancing.parse(balancing))

    def __str__(self) -> str:
        return label_of(self.key)

    def __repr__(self) -> str:
        return f"Capability({', '.join(map(repr, self.names))}, balancing={self.balancing.value!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.names, self.balancing.value)


class Everyone(_Named):
    """Everybody who can do something, or all of several things; each is sent a message of its own.

    most: of how many at most, from 1 to 10,000; more that are there are a ResourceExhausted, and nothing is sent.
    Raises ValidationError as `Capability` does.
    """

    __slots__ = ("most",)
    most: int

    def __init__(self, *names: str, most: int = 1_000) -> None:
        if type(most) is not int or not 1 <= most <= MOST_OF_EVERYONE:
            raise ValidationError("most", f"{shown(most)} is not a whole number from 1 to {MOST_OF_EVERYONE}")
        super().__init__(names)
        object.__setattr__(self, "most", most)

    def __str__(self) -> str:
        return f"everyone {label_of(self.key)}"

    def __repr__(self) -> str:
        return f"Everyone({', '.join(map(repr, self.names))}, most={self.most})"

    def __reduce__(self) -> tuple[object, ...]:
        return _everyone_again, (self.names, self.most)


def check_capability(name: object) -> str:
    """Return a capability's name; raises ValidationError unless it is 1 to 100 printable characters."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_CAPABILITY:
        raise ValidationError("capability", f"{shown(name)} is not text of 1 to {MAX_CAPABILITY} characters")
    if not name.isprintable():
        raise ValidationError("capability", f"{shown(name)} has characters that do not print")
    return name


def key_of(names: tuple[str, ...]) -> str:
    """Return the one text that stands for all of these names, in whatever order; raises ValidationError."""
    if not 1 <= len(names) <= MOST_AT_ONCE:
        raise ValidationError("capability", f"{len(names)} names where 1 to {MOST_AT_ONCE} are wanted")
    key = _BETWEEN.join(sorted({check_capability(name) for name in names}))
    if len(key) > MAX_KEY:
        raise ValidationError("capability", f"{len(key)} characters in all; at most {MAX_KEY}")
    return key


def names_of(key: str) -> tuple[str, ...]:
    """Return the names that a key stands for."""
    return tuple(key.split(_BETWEEN))


def checked_key(key: str) -> str:
    """Return a key that somebody else made; raises ValidationError when `key_of` would not make it."""
    if key_of(names_of(key)) != key:
        raise ValidationError("capability", f"{shown(key)} names one twice, or in another order")
    return key


def is_nobody(receiver: int) -> bool:
    """Whether a receiver is nobody's id: the message's agent is not chosen yet, or there is none."""
    return NOBODY <= receiver < _END


def label_of(key: str) -> str:
    """Return whom a key means, as people read it: @translate, or @german+translate."""
    return "@" + "+".join(names_of(key))


def _again(names: tuple[str, ...], balancing: str) -> Capability:
    return Capability(*names, balancing=balancing)


def _everyone_again(names: tuple[str, ...], most: int) -> Everyone:
    return Everyone(*names, most=most)
