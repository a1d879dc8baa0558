"""What somebody may have meant who wrote a name that there is not."""

from collections.abc import Sequence
from difflib import get_close_matches
from heapq import nlargest

# So many names are told in full.
_FEW = 8
# To compare two long names as a whole takes milliseconds: of many it is done with so many that begin and end alike.
MOST_COMPARED = 64


def suggestion(word: str, names: Sequence[str]) -> str:
    """Return a question that names what is nearest, or what there is if that is little; "" if neither helps."""
    if len(names) > MOST_COMPARED:
        likely = nlargest(MOST_COMPARED, names, key=lambda name: _shared(word, name))
    else:
        likely = list(names)
    near = get_close_matches(word, likely, 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names or len(names) > _FEW:
        return ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def _shared(one: str, other: str) -> int:
    """Return how many characters two words have in common at their beginnings and at their ends."""
    return _alike(one, other) + _alike(one[::-1], other[::-1])


def _alike(one: str, other: str) -> int:
    places = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(places, min(len(one), len(other)))
