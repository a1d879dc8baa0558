"""The runtime's identity: one small file in the data directory that outlives every process.

It holds the runtime key, the next incarnation, the slot table's version and the number of shards. It is replaced
atomically and fsynced before anything that it says is used, so no incarnation is ever given twice.
"""

import os
import secrets
import struct
from hashlib import blake2b
from pathlib import Path

from caxton.directories import sync_directory
from caxton.errors import ConfigurationError, StorageError
from caxton.placement.slot_table import MAX_WORKERS
from caxton.store.file_errors import refused
from caxton.store.regular_file import opened

FILE_NAME = "identity"
FORMAT_VERSION = 1
KEY_BYTES = 32
# One fsync for this many incarnations; what is left of a block at the end is never used.
_RESERVED_AT_ONCE = 64

_MAGIC = b"caxtonid"
_HEAD = struct.Struct("<8sI")
_BODY = struct.Struct(f"<{KEY_BYTES}sQQI")
_CHECK_BYTES = 16
# The next incarnation, the slot table's version, shards: they grow, and never come near what 63 bits hold.
_LARGEST = (1 << 62, 1 << 62, MAX_WORKERS)
_SIZE = _HEAD.size + _BODY.size + _CHECK_BYTES


class Identity:
    """What the data directory is. Whoever makes one holds the directory's lock."""

    def __init__(self, path: Path, key: bytes, next_incarnation: int, table_version: int, shards: int) -> None:
        self._path = path
        self._key = key
        self._next = next_incarnation
        self._reserved = next_incarnation
        self.table_version = table_version
        self.shards = shards

    @classmethod
    def open(cls, data_dir: Path, workers: int | None, default_workers: int) -> "Identity":
        """Read a data directory's identity, or make it in an empty one, with `workers` or `default_workers` shards.

        Raises ConfigurationError for another number of workers than it was made with, for a later version's file and
        for a directory of something else; StorageError for a damaged file. What is there is never overwritten.
        """
        path = data_dir / FILE_NAME
        try:
            with opened(path) as descriptor:
                raw = os.pread(descriptor, _SIZE + 1, 0)
        except FileNotFoundError:
            return cls._make(data_dir, workers or default_workers)
        except OSError as error:
            raise StorageError(str(path), error.strerror or str(error)) from None
        identity = cls._read(path, raw)
        if workers is not None and workers != identity.shards:
            raise ConfigurationError(
                "--workers",
                f"{workers} workers, and {data_dir} was made with {identity.shards}",
                f"leave --workers out, say --workers {identity.shards}, choose another --data-dir, or change it with "
                f"`caxton reshard --workers {workers}`",
            )
        return identity

    @classmethod
    def read(cls, path: Path) -> "Identity":
        """Read an identity where it lies. Raises ConfigurationError for a later version's, StorageError else."""
        try:
            with opened(path) as descriptor:
                raw = os.pread(descriptor, _SIZE + 1, 0)
        except OSError as error:
            raise StorageError(str(path), error.strerror or str(error)) from None
        return cls._read(path, raw)

    @classmethod
    def adopt(cls, copy: Path, data_dir: Path, passed_over: int) -> None:
        """Let a copy be the identity of a directory; the next incarnation is `passed_over` further on.

        The copy is gone then. Raises as `read`.
        """
        identity = cls.read(copy)
        identity._path = data_dir / FILE_NAME  # noqa: SLF001 (our own)
        identity._reserved += passed_over  # noqa: SLF001 (our own)
        identity._write()  # noqa: SLF001 (our own)
        copy.unlink(missing_ok=True)

    @classmethod
    def _make(cls, data_dir: Path, shards: int) -> "Identity":
        strangers = sorted(p.name for p in data_dir.iterdir() if p.name not in {"lock", f"{FILE_NAME}.new"})
        if strangers:
            raise ConfigurationError(
                str(data_dir),
                f"it has no runtime's identity, but it is not empty ({strangers[0]})",
                "choose an empty or a new --data-dir",
            )
        identity = cls(data_dir / FILE_NAME, secrets.token_bytes(KEY_BYTES), 1, 1, shards)
        identity._write()
        return identity

    @classmethod
    def _read(cls, path: Path, raw: bytes) -> "Identity":
        if len(raw) < _HEAD.size or raw[: len(_MAGIC)] != _MAGIC:
            raise StorageError(str(path), _damage("not an identity file"))
        version = _HEAD.unpack_from(raw)[1]
        if version > FORMAT_VERSION:
            raise ConfigurationError(
                str(path),
                f"format {version}, and this version of Caxton reads up to {FORMAT_VERSION}",
                "serve it with the version of Caxton that wrote it, or a later one",
            )
        if len(raw) != _SIZE:
            raise StorageError(str(path), _damage(f"{len(raw)} bytes instead of {_SIZE}"))
        if _check(raw[:-_CHECK_BYTES]) != raw[-_CHECK_BYTES:]:
            raise StorageError(str(path), _damage("its checksum does not match"))
        identity = cls(path, *_BODY.unpack_from(raw, _HEAD.size))
        numbers = identity.next_incarnation, identity.table_version, identity.shards
        if not all(1 <= number <= most for number, most in zip(numbers, _LARGEST, strict=True)):
            raise StorageError(str(path), _damage(f"no numbers of a runtime: {numbers}"))
        return identity

    def draw_incarnation(self) -> int:
        """Return a number that no process here ever had; raises StorageError when it cannot be kept."""
        if self._next >= self._reserved:
            self._reserved = self._next + _RESERVED_AT_ONCE
            self._write()
        incarnation = self._next
        self._next += 1
        return incarnation

    @property
    def next_incarnation(self) -> int:
        """What the next draw returns."""
        return self._next

    def restore(self) -> None:
        """Write the file again, as it was; raises StorageError."""
        self._write()

    def become(self, shards: int, table_version: int) -> None:
        """Keep another number of shards; raises StorageError."""
        self.shards, self.table_version = shards, table_version
        self._write()

    def derived_key(self, purpose: str) -> bytes:
        """Return the 32-byte key for one purpose (at most 16 characters): marks, naming, cache."""
        return blake2b(key=self._key, digest_size=KEY_BYTES, person=purpose.encode()).digest()

    def _write(self) -> None:
        body = _HEAD.pack(_MAGIC, FORMAT_VERSION)
        body += _BODY.pack(self._key, self._reserved, self.table_version, self.shards)
        new = self._path.with_name(f"{FILE_NAME}.new")
        try:
            new.unlink(missing_ok=True)  # whatever stands there under that name, and nothing that it points to
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body + _check(body))
                file.flush()
                os.fsync(descriptor)
            new.replace(self._path)
            sync_directory(self._path.parent)
        except OSError as error:
            raise refused(self._path, error) from None


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES).digest()


def _damage(what: str) -> str:
    return f"{what}; bring back this very file, or `caxton restore` a backup into another --data-dir"
