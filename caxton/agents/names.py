"""What a name of an agent looks like, so that two that look alike are one, and none passes for another's.

Clients bring names into this form; workers take no other, because whoever speaks to them may be no client of ours.
"""

import re
import unicodedata

from caxton.errors import ValidationError
from caxton.printable import shown

MAX_NAME = 200
# Of what people call a version or a system, in characters.
MAX_LABEL = 100
# What comes before a colon here is for what is no agent of a user's: nobody can deploy one that would be taken for it.
RESERVED = ("tool:", "model:", "a2a:", "caxton:")
# What is printable and shows nothing: fillers, joiners and variation selectors (Unicode's Default_Ignorable_Code_Point,
# where it is not a control anyway), and the blank of Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# What an id is written as: where a name or an id may stand, it is an id.
_ID = re.compile("[0-9A-Fa-f]{16}")
# Marks that follow their letters make a name longer than it will be.
_MOST_GIVEN = 4 * MAX_NAME


def normal_name(field: str, name: object) -> str:
    """Return a name in Unicode's composed form (NFC), in which it is kept and looked for.

    Raises ValidationError unless it is text of 1 to 200 printable characters that UTF-8 can carry, without blanks at
    its ends.
    """
    if isinstance(name, str) and len(name) <= _MOST_GIVEN and not name.isascii():
        name = unicodedata.normalize("NFC", name)
    text = check_text(field, name, MAX_NAME)
    if text[0] == " " or text[-1] == " ":
        raise ValidationError(field, f"{shown(text)} has blanks at its ends")
    return text


def attached_name(field: str, name: object) -> str:
    """Return the name of an agent that is to be attached, and may be there already, as `normal_name` does.

    Raises ValidationError also for one that is reserved, or has characters that nobody sees.
    """
    text = normal_name(field, name)
    if not text.isascii() and (unseen := _UNSEEN.search(text)) is not None:
        raise ValidationError(field, f"{text!a:.80} has a character that shows nothing, {unseen.group()!a}")
    if text.casefold().startswith(RESERVED):
        raise ValidationError(field, f"{shown(text)} is reserved: no agent's name begins with {', '.join(RESERVED)}")
    return text


def new_name(field: str, name: object) -> str:
    """Return the name of an agent to be as `attached_name` does.

    Raises ValidationError also for one that is written as ids are: whoever named an agent like the id of another one
    would have what is meant for his done to that one.
    """
    text = attached_name(field, name)
    if _ID.fullmatch(text) is not None:
        raise ValidationError(
            field, f"{shown(text)} is 16 hex digits, which is how ids are written; add another character to it"
        )
    return text


def check_new_name(name: str) -> None:
    """Raise ValidationError unless `new_name` would return this very name: what a worker asks of a registration."""
    if new_name("name", name) != name:
        raise ValidationError("name", f"{shown(name)} is not in Unicode's composed form (NFC)")


def normal_label(field: str, text: object) -> str:
    """Return what people call a version or a system, in Unicode's composed form (NFC); "" stands for none.

    Raises ValidationError unless it is text of at most 100 printable characters without blanks at its ends.
    """
    if text == "":
        return ""
    if isinstance(text, str) and len(text) <= _MOST_GIVEN and not text.isascii():
        text = unicodedata.normalize("NFC", text)
    label = check_text(field, text, MAX_LABEL)
    if label[0] == " " or label[-1] == " ":
        raise ValidationError(field, f"{shown(label)} has blanks at its ends")
    return label


class NamePattern:
    """Which names fit: `*` stands for any text, also none; all else, in whichever form, for itself."""

    def __init__(self, text: str) -> None:
        self._first, *self._others = unicodedata.normalize("NFC", text).split("*")

    @property
    def beginning(self) -> str:
        """What every name that fits begins with."""
        return self._first

    def fits(self, name: str) -> bool:
        """Return whether a name fits; this takes as long as the name."""
        if not self._others:
            return name == self._first
        if not name.startswith(self._first):
            return False
        *inside, last = self._others
        at = len(self._first)
        for part in inside:  # the leftmost place leaves the most for what comes after it
            found = name.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        return len(name) - len(last) >= at and name.endswith(last)


def check_text(field: str, text: object, most: int) -> str:
    """Return `text`; raises ValidationError unless it is 1 to `most` printable characters that UTF-8 can carry."""
    if not isinstance(text, str) or not 1 <= len(text) <= most:
        raise ValidationError(field, f"{shown(text)} is not text of 1 to {most} characters")
    if not text.isprintable():
        raise ValidationError(field, f"{shown(text)} has characters that do not print")
    return text
