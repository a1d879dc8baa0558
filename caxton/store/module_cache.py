"""Modules on disk: the wasm that was deployed, and what was compiled from it, per engine.

An artifact is native code that workers run, so it carries a mark under the runtime's key: whoever can write into the
directory but does not hold the key cannot have code run. The source carries its own name, the sha256.
"""

import contextlib
import fcntl
import hashlib
import hmac
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from caxton.directories import make_directory
from caxton.errors import ConfigurationError, StorageError
from caxton.store.regular_file import NotRegularFileError, opened

VERSION = b"\1"
MARK_BYTES = 32

_SHA256_BYTES = 32
_OTHERS = 0o077
_SOURCE = ".wasm"
_ARTIFACT = ".native"
_PARTIAL = ".partial-"
_HEX = frozenset("0123456789abcdef")


@dataclass
class _Kept:
    """The files of one module, their bytes, and when one of them was last written or marked as used."""

    paths: list[Path] = field(default_factory=list)
    size: int = 0
    used_ns: int = 0


class ModuleCache:
    """One directory that only its owner enters (0700, files 0600). Processes may share it: writes are atomic.

    `key` has 1 to 64 bytes. Raises ConfigurationError when others may enter the directory, StorageError when it cannot
    be read or written. rejected: files that were there and not what their name or their mark says.
    """

    def __init__(self, directory: Path, key: bytes) -> None:
        self.rejected = 0
        self._directory = directory
        self._key = key
        try:
            make_directory(directory)
            seen = directory.lstat()
        except OSError as error:
            raise StorageError(str(directory), error.strerror or str(error)) from None
        if not stat.S_ISDIR(seen.st_mode):
            raise ConfigurationError(f"module cache {directory}", "it is no directory", "move it away")
        if seen.st_mode & _OTHERS or seen.st_uid != os.geteuid():
            problem = f"others than its owner may enter (mode {seen.st_mode & 0o777:o}, owner {seen.st_uid})"
            raise ConfigurationError(f"module cache {directory}", problem, f"run: chmod 700 {directory}, as its owner")

    def put_source(self, wasm: bytes) -> bytes:
        """Keep a module's bytes; returns their sha256. What is there and damaged is written anew."""
        sha256 = hashlib.sha256(wasm).digest()
        if self.source(sha256) is None:
            self._write(self._source_path(sha256), wasm)
        return sha256

    def source(self, sha256: bytes) -> bytes | None:
        """Return the bytes that have this sha256; None, and counted, when the file does not."""
        wasm = self._read(self._source_path(sha256))
        if wasm is not None and hashlib.sha256(wasm).digest() != sha256:
            self.rejected += 1
            return None
        return wasm

    def put_artifact(self, sha256: bytes, engine_id: str, artifact: bytes) -> None:
        """Keep what an engine compiled from this source, under the mark; replaces what was there."""
        mark = self._mark(sha256, engine_id, artifact)
        self._write(self._artifact_path(sha256, engine_id), VERSION + mark + artifact)

    def artifact(self, sha256: bytes, engine_id: str) -> bytes | None:
        """Return what this engine compiled from this source; None, and counted, when its mark is not right."""
        stored = self._read(self._artifact_path(sha256, engine_id))
        if stored is None:
            return None
        start = len(VERSION) + MARK_BYTES
        mark, artifact = stored[len(VERSION) : start], stored[start:]
        if stored[: len(VERSION)] != VERSION or not hmac.compare_digest(mark, self._mark(sha256, engine_id, artifact)):
            self.rejected += 1
            return None
        return artifact

    def sources(self) -> list[bytes]:
        """Return the sha256 of every source, in order."""
        names = (path.stem for path in self._directory.glob(f"*{_SOURCE}"))
        return sorted(bytes.fromhex(name) for name in names if len(name) == 2 * _SHA256_BYTES and set(name) <= _HEX)

    def touch(self, sha256: bytes, engine_id: str) -> bool:
        """Mark a module as used now, so that no `sweep` takes it for a while; False when it has no artifact."""
        try:
            with self._locked(fcntl.LOCK_SH):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(self._source_path(sha256), follow_symlinks=False)
                os.utime(self._artifact_path(sha256, engine_id), follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(str(self._directory), error.strerror or str(error)) from None
        return True

    def sweep(self, before_ns: int, most_bytes: int) -> list[bytes]:
        """Remove modules that were not used since `before_ns` (ns since 1970), but for the last used `most_bytes`.

        Returns their sha256, in the order in which they were last used.
        """
        unused = [
            (kept.used_ns, sha256, kept.size) for sha256, kept in self._kept().items() if kept.used_ns < before_ns
        ]
        left = sum(size for _, _, size in unused)
        gone: list[bytes] = []
        for _, sha256, size in sorted(unused):
            if left <= most_bytes:
                break
            if self._remove_unused(sha256, before_ns):
                gone.append(sha256)
            left -= size
        return gone

    def remove_partial(self) -> int:
        """Remove what writers left that died at it; returns how many. Only while nobody else writes."""
        partial = list(self._directory.glob(f"{_PARTIAL}*"))
        for path in partial:
            path.unlink(missing_ok=True)
        return len(partial)

    def _kept(self, names: str = "*") -> dict[bytes, _Kept]:
        """Return what is there of each module, or of those whose files have such names."""
        found: dict[bytes, _Kept] = {}
        for path in self._directory.glob(names):
            name, _, kind = path.name.partition(".")
            if len(name) != 2 * _SHA256_BYTES or not set(name) <= _HEX or not kind:
                continue
            with contextlib.suppress(FileNotFoundError):
                seen = path.lstat()
                kept = found.setdefault(bytes.fromhex(name), _Kept())
                kept.paths.append(path)
                kept.size += seen.st_size
                kept.used_ns = max(kept.used_ns, seen.st_mtime_ns)
        return found

    def _remove_unused(self, sha256: bytes, before_ns: int) -> bool:
        """Remove one module unless it was used meanwhile: whoever marks it waits until it is gone, and sees that."""
        try:
            with self._locked(fcntl.LOCK_EX):
                kept = self._kept(f"{sha256.hex()}.*").get(sha256)
                if kept is None or kept.used_ns >= before_ns:
                    return False
                for path in kept.paths:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(str(self._directory), error.strerror or str(error)) from None
        return True

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Hold the lock of the directory, which any process that shares it respects; for one module's files at most."""
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _mark(self, sha256: bytes, engine_id: str, artifact: bytes) -> bytes:
        name = engine_id.encode()
        mark = hashlib.blake2b(len(name).to_bytes(4, "big") + name, digest_size=MARK_BYTES, key=self._key)
        mark.update(sha256)
        mark.update(artifact)
        return mark.digest()

    def _source_path(self, sha256: bytes) -> Path:
        return self._directory / f"{_hex(sha256)}{_SOURCE}"

    def _artifact_path(self, sha256: bytes, engine_id: str) -> Path:
        if not engine_id or not set(engine_id) <= _HEX:
            raise ValueError(f"an engine id is hex digits, not {engine_id!r}")
        return self._directory / f"{_hex(sha256)}.{engine_id}{_ARTIFACT}"

    def _read(self, path: Path) -> bytes | None:
        try:
            with opened(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        except FileNotFoundError:
            return None
        except NotRegularFileError:  # whoever put it there, it is no module; the next one that is kept replaces it
            self.rejected += 1
            return None
        except OSError as error:
            raise StorageError(str(path), error.strerror or str(error)) from None

    def _write(self, path: Path, content: bytes) -> None:
        """Write the whole file or none of it, and return when it is on the disk."""
        try:
            descriptor, partial = tempfile.mkstemp(prefix=_PARTIAL, dir=self._directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(partial).rename(path)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    Path(partial).unlink()
                raise
            self._sync_directory()
        except OSError as error:
            raise StorageError(str(path), error.strerror or str(error)) from None

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _hex(sha256: bytes) -> str:
    if len(sha256) != _SHA256_BYTES:
        raise ValueError(f"a sha256 has {_SHA256_BYTES} bytes, not {len(sha256)}")
    return sha256.hex()
