"""What somebody may have meant who wrote a name that there is not."""

from collections.abc import Sequence
from difflib import get_close_matches

# So many names are told in full.
_FEW = 8


def suggestion(word: str, names: Sequence[str]) -> str:
    """Return a question that names what is nearest, or what there is if that is little; "" if neither helps."""
    near = get_close_matches(word, names, 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names or len(names) > _FEW:
        return ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"
