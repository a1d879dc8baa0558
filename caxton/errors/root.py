"""The root of the tree: what every error has."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self


@dataclass(eq=False)
class CaxtonError(Exception):
    """The root of every error that Caxton raises on purpose."""

    says: ClassVar[str] = "something went wrong"
    hint: ClassVar[str] = ""

    def __str__(self) -> str:
        text = self.says.format_map({f.name: getattr(self, f.name) for f in fields(self)})
        return f"{text}; {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...], dict[str, Any]]:
        # Not by `args`, which lack what was given by name; notes travel with the error.
        notes = {"__notes__": [*self.__notes__]} if hasattr(self, "__notes__") else {}
        return type(self), tuple(getattr(self, f.name) for f in fields(self)), notes

    def suggesting(self, hint: str) -> Self:
        """Say what to do in words of its own instead of its kind's; they do not travel. Returns the error itself."""
        self.__dict__["hint"] = hint
        return self

    def with_context(self, context: str) -> Self:
        """Note where this happened; the note is shown with the traceback. Returns the error itself."""
        self.add_note(context)
        return self
