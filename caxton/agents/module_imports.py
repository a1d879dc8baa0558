"""What a WebAssembly module imports, read from its bytes without compiling it. Pure, and as long as the module at most.

Whether the imports are there, and are of the right types, the compiler says when the module is deployed.
"""

from caxton.errors import ValidationError

# What guests may import; docs/abi.md says what each does.
KNOWN_IMPORTS = ("caxton_v1.log",)
# A module may import few things: one with more has another purpose.
MAX_IMPORTS = 1_000
_MAGIC, _CORE, _IMPORT_SECTION = b"\0asm", b"\1\0\0\0", 2
_LONGEST_NUMBER = 10


def imports_of(wasm: bytes) -> tuple[str, ...]:
    """Return the imports of a core module, as `module.name`, in its order. Raises ValidationError for what is none."""
    if not wasm.startswith(_MAGIC):
        raise ValidationError("wasm", "it is no WebAssembly: it does not begin with \\0asm")
    if wasm[4:8] != _CORE:
        raise ValidationError("wasm", "it is a component, or of another version, and no core module")
    try:
        return _Reading(wasm).imports()
    except IndexError:
        raise ValidationError("wasm", "it ends in the middle of a section") from None
    except UnicodeDecodeError:
        raise ValidationError("wasm", "the name of one of its imports is no UTF-8") from None


class _Reading:
    def __init__(self, wasm: bytes) -> None:
        self._wasm = wasm
        self._at = 8

    def imports(self) -> tuple[str, ...]:
        while self._at < len(self._wasm):
            section, size = self._byte(), self._number()
            if section == _IMPORT_SECTION:
                count = self._number()
                if count > MAX_IMPORTS:
                    raise ValidationError("wasm", f"it has {count:,} imports; at most {MAX_IMPORTS:,} are read")
                return tuple(self._import() for _ in range(count))
            self._at += size
        return ()

    def _import(self) -> str:
        name = f"{self._name()}.{self._name()}"
        match self._byte():
            case 0:
                self._number()
            case 1:
                self._byte()
                self._limits()
            case 2:
                self._limits()
            case 3:
                self._byte()
                self._byte()
            case _:
                raise ValidationError("wasm", "it imports what is no function, table, memory or global")
        return name

    def _limits(self) -> None:
        has_most = self._byte() & 1
        self._number()
        if has_most:
            self._number()

    def _name(self) -> str:
        size = self._number()
        text = self._wasm[self._at : self._at + size]
        if len(text) < size:
            raise IndexError
        self._at += size
        return text.decode()

    def _byte(self) -> int:
        found = self._wasm[self._at]
        self._at += 1
        return found

    def _number(self) -> int:
        """Read a LEB128 number."""
        number = 0
        for place in range(_LONGEST_NUMBER):
            byte = self._byte()
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:  # noqa: PLR2004 (the bit that says that there is more)
                return number
        raise ValidationError("wasm", "a number in it does not end")
