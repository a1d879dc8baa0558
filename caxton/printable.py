"""Text of others as it may stand in a terminal or a log: it controls nothing there, and forges no line. And numbers."""

import re


def printable(text: str, most: int | None = None, keep: str = "") -> str:
    r"""Return `text` with what does not print escaped as Python writes it, but for the characters in `keep`.

    Controls, line ends, invisible and reordering characters (U+202E) and lone surrogates do not print. Beyond `most`
    characters it is cut, and ends with `…`. What is printable already comes back as it is, backslashes included.
    """
    if most is not None:
        text = text[: most + 1]  # escapes only make it longer
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, most: int) -> str:
    """Return `text` printable and with each run of white space as one space, cut after `most` characters."""
    return printable(re.sub(r"\s+", " ", text[: 4 * most]).strip(), most)


def shown(value: object) -> str:
    """Return what an error says of a value that is not what is wanted: its repr, cut after 80 characters.

    A number with thousands of digits has none, nor has a value whose own code raises: then its type is named.
    """
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 (whatever a caller's value does, the error about it is to be told)
        return f"something that cannot be shown, of type {type(value).__name__:.80},"


def counted(number: int, what: str) -> str:
    """Return how many there are of something that is named in the plural: 1 agent, 1,000 agents."""
    return f"1 {_one_of(what)}" if number == 1 else f"{number:,} {what}"


def _one_of(what: str) -> str:
    return _SINGULAR.get(what) or what.removesuffix("s")


# Where it is not the last letter that goes.
_SINGULAR = {"capabilities": "capability", "messages that wait": "message that waits"}


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
