"""How errors travel: as the name of their class, and their fields."""

from dataclasses import fields
from typing import Any

from caxton.errors.reached import UnknownError
from caxton.errors.root import CaxtonError


def _tree(root: type[CaxtonError]) -> dict[str, type[CaxtonError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


BY_NAME = _tree(CaxtonError)
_NAMES: dict[type[CaxtonError], tuple[str, ...]] = {}
# Of many names in one field, those that are told: nothing on the wire is without a bound.
MAX_ITEMS = 256


def to_fields(error: CaxtonError) -> dict[str, Any]:
    """Return the error's fields by name, as plain values that any codec carries: of many names, the first 256."""
    values = {name: getattr(error, name) for name in _names(type(error))}
    return {name: v[:MAX_ITEMS] if isinstance(v, tuple) else v for name, v in values.items()}


def from_fields(name: str, values: dict[str, Any]) -> CaxtonError:
    """Build the error that `name` and its fields describe; what this version does not know is an UnknownError."""
    kind = BY_NAME.get(name)
    if kind is None:
        return UnknownError(f"{name:.80}", f"{values!r:.200}")
    known = _names(kind)
    try:
        error = kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key in known})
        str(error)  # fields of the wrong kind show here, and not where somebody prints the error
    except (TypeError, ValueError):
        return UnknownError(name, f"{values!r:.200}")
    return error


def _names(kind: type[CaxtonError]) -> tuple[str, ...]:
    """Return the names of an error's fields: asked anew each time, they cost as much as the rest of a refusal."""
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(f.name for f in fields(kind))
    return names
