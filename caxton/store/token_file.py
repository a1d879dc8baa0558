"""The file of a data directory that has its tokens: replaced as a whole, so that nobody ever reads a part of it.

A checksum tells damage from what was written. It is no proof against forgery: whoever may write here may do anything.
"""

import os
import struct
import time
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from caxton.directories import sync_directory
from caxton.errors import ConfigurationError, StorageError
from caxton.store.regular_file import opened
from caxton.tokens.token import Token

FILE_NAME = "tokens"
FORMAT_VERSION = 1
# Of the file: 10,000 tokens take about 1.5 MB, unless each has many patterns.
MOST_FILE_BYTES = 16 << 20

_MAGIC = b"caxtontk"
_HEAD = struct.Struct("<8sI")
_CHECK_BYTES = 16
_BODY = msgspec.msgpack.Decoder(tuple[Token, ...])


class FileMark(NamedTuple):
    """What tells a file from every other that stood in its place before: it is replaced, and never written to."""

    device: int
    inode: int
    size: int
    written_ns: int
    changed_ns: int


class Kept(NamedTuple):
    """What stood in the file; mark: None where there is none, and so no token."""

    tokens: tuple[Token, ...]
    mark: FileMark | None


def mark_of(path: Path) -> FileMark | None:
    """Return what tells which file this is now; None when there is none. Raises StorageError."""
    try:
        return _mark(os.stat(path, follow_symlinks=False))  # noqa: PTH116 (a microsecond, at each call)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from None


def read_tokens(path: Path) -> Kept:
    """Return the tokens, in the order in which they were made.

    Raises StorageError for what is no regular file, cannot be read, or is damaged; ConfigurationError for a later
    version's.
    """
    try:
        with opened(path) as descriptor:
            found = os.fstat(descriptor)
            raw = _read(path, descriptor, found.st_size)
    except FileNotFoundError:
        return Kept((), None)
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from None
    return Kept(_decoded(path, raw), _mark(found))


def write_tokens(path: Path, tokens: tuple[Token, ...]) -> None:
    """Put a file with these tokens in its place, for its owner alone. Raises StorageError; then nothing has changed."""
    body = _HEAD.pack(_MAGIC, FORMAT_VERSION) + msgspec.msgpack.encode(tokens)
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # whatever stands there under that name, and nothing that it points to
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body + _check(body))
            file.flush()
            # Later than the one before, also where the clock does not tell them apart: see `mark_of`.
            before = mark_of(path)
            written_ns = max(time.time_ns(), 0 if before is None else before.written_ns + 1)
            os.utime(descriptor, ns=(written_ns, written_ns))
            os.fsync(descriptor)
        new.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise StorageError(str(path), error.strerror or str(error)) from None


def encoded_size(tokens: tuple[Token, ...]) -> int:
    """Return how large a file with these tokens is, in bytes."""
    return _HEAD.size + len(msgspec.msgpack.encode(tokens)) + _CHECK_BYTES


def _read(path: Path, descriptor: int, size: int) -> bytes:
    if size > MOST_FILE_BYTES:
        raise StorageError(str(path), _damage(f"{size} bytes, and no file of tokens has more than {MOST_FILE_BYTES}"))
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(size)


def _decoded(path: Path, raw: bytes) -> tuple[Token, ...]:
    if len(raw) < _HEAD.size + _CHECK_BYTES or raw[: len(_MAGIC)] != _MAGIC:
        raise StorageError(str(path), _damage("not a file of tokens"))
    version = _HEAD.unpack_from(raw)[1]
    if version > FORMAT_VERSION:
        raise ConfigurationError(
            str(path),
            f"format {version}, and this version of Caxton reads up to {FORMAT_VERSION}",
            "serve it with the version of Caxton that wrote it, or a later one",
        )
    if _check(raw[:-_CHECK_BYTES]) != raw[-_CHECK_BYTES:]:
        raise StorageError(str(path), _damage("its checksum does not match"))
    try:
        return _BODY.decode(raw[_HEAD.size : -_CHECK_BYTES])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(str(path), _damage(str(error))) from None


def _mark(found: os.stat_result) -> FileMark:
    return FileMark(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES).digest()


def _damage(what: str) -> str:
    return f"{what}; move it away, and make new tokens with `caxton token create`"
