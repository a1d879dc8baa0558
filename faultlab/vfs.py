"""A file system for SQLite that watches the real one: every write, truncation, sync and deletion of a shard's files.

It copies the real VFS and its methods, and puts its own in front of five of them; reads and locks stay as they are.
It must be the same libsqlite3 that Python's sqlite3 uses, and it must be there before the first file is opened.
"""

import ctypes
import os
import re
import time
import traceback
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from sqlite3 import sqlite_version_info as _loads_the_library  # noqa: F401 (it must be in the process)
from typing import ClassVar

from faultlab.orders import KILL_AFTER_SYNC, KILL_BEFORE_SYNC, Orders
from faultlab.shadow import Shadow, ShadowFile

_OK, _FULL = 0, 13
_SOFTWARE_ERROR = 70  # EX_SOFTWARE
_WATCHED = re.compile(r"shard-\d+\.db(-wal)?$")

_CLOSE = CFUNCTYPE(c_int, c_void_p)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
_OPEN = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_int, POINTER(c_int))
_DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = (
        ("version", c_int),
        ("close", _CLOSE),
        ("read", c_void_p),
        ("write", _WRITE),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        ("rest", c_void_p * 13),
    )


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = (
        ("version", c_int),
        ("file_bytes", c_int),
        ("longest_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app", c_void_p),
        ("open", _OPEN),
        ("delete", _DELETE),
        ("rest", c_void_p * 14),
    )


class _Watched:
    """One open file: its real methods, its shadow, and the shard that it belongs to."""

    def __init__(self, path: Path, real: _Methods, shadow: ShadowFile) -> None:
        self.name, self.shard = path.name, path.name.partition(".")[0]
        self.real, self.shadow = real, shadow


class WatchedVfs:
    """Installed for the life of the process, and held as long. Its callbacks run on the threads of the connections."""

    installed: ClassVar[list["WatchedVfs"]] = []

    def __init__(self, orders: Orders, shadow: Shadow) -> None:
        self._orders, self._shadow = orders, shadow
        self._files: dict[int, _Watched] = {}
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}
        self._library = _library()
        real = self._library.sqlite3_vfs_find(None)
        self._real = real.contents
        self._vfs = _Vfs.from_buffer_copy(self._real)
        self._vfs.name = b"watched"
        # Kept: ctypes frees the trampoline of a callback that nobody holds.
        self._callbacks = (
            _CLOSE(_or_end(self._close)),
            _WRITE(_or_end(self._write)),
            _TRUNCATE(_or_end(self._truncate)),
            _SYNC(_or_end(self._sync)),
        )
        self._vfs.open, self._vfs.delete = _OPEN(_or_end(self._open)), _DELETE(_or_end(self._delete))
        if self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) != _OK:
            raise OSError("SQLite does not take another VFS")
        self.installed.append(self)

    def _open(self, vfs: int, name: bytes | None, file: int, flags: int, out_flags: object) -> int:
        result: int = self._real.open(vfs, name, file, flags, out_flags)
        if result != _OK or name is None or not _WATCHED.search(path := name.decode()):
            return result
        slot = ctypes.cast(file, POINTER(c_void_p))
        real, ours = self._in_front_of(slot[0])
        slot[0] = ctypes.addressof(ours)
        self._files[file] = _Watched(Path(path), real, self._shadow.file(Path(path)))
        return result

    def _in_front_of(self, address: int) -> tuple[_Methods, _Methods]:
        known = self._methods.get(address)
        if known is None:
            real = _Methods.from_address(address)
            ours = _Methods.from_buffer_copy(real)
            ours.close, ours.write, ours.truncate, ours.sync = self._callbacks
            known = self._methods[address] = real, ours
        return known

    def _close(self, file: int) -> int:
        return int(self._files.pop(file).real.close(file))

    def _write(self, file: int, content: int, length: int, offset: int) -> int:
        watched = self._files[file]
        if self._orders.full(watched.shard):
            return _FULL
        result = int(watched.real.write(file, content, length, offset))
        if result == _OK:
            watched.shadow.write(offset, ctypes.string_at(content, length))
        return result

    def _truncate(self, file: int, size: int) -> int:
        watched = self._files[file]
        result = int(watched.real.truncate(file, size))
        if result == _OK:
            watched.shadow.truncate(size)
        return result

    def _sync(self, file: int, flags: int) -> int:
        watched = self._files[file]
        wal = watched.name.endswith("-wal")
        if wal:
            self._orders.obey_kill(watched.shard, KILL_BEFORE_SYNC)
        if self._orders.forgets_syncs:
            return _OK
        began_ns = time.monotonic_ns()
        result = int(watched.real.sync(file, flags))
        if result == _OK:
            watched.shadow.synced()
            self._shadow.log(watched.name, began_ns, time.monotonic_ns())
        if wal:
            self._orders.obey_kill(watched.shard, KILL_AFTER_SYNC)
        return result

    def _delete(self, vfs: int, name: bytes, sync_directory: int) -> int:
        result: int = self._real.delete(vfs, name, sync_directory)
        if result == _OK and _WATCHED.search(path := name.decode()):
            self._shadow.deleted(Path(path))
        return result


def _or_end(callback: Callable[..., int]) -> Callable[..., int]:
    """Return the callback, which ends the process when it fails: ctypes would tell SQLite that all is well."""

    def called(*arguments: object) -> int:
        try:
            return callback(*arguments)
        except BaseException:  # noqa: BLE001 (whatever it is, the shadow is wrong from here on)
            traceback.print_exc()
            os._exit(_SOFTWARE_ERROR)

    return called


def _library() -> ctypes.CDLL:
    """Return the libsqlite3 that is in this process already; raises OSError when Python has it built in."""
    lines = Path("/proc/self/maps").read_text("ascii", "replace").splitlines()
    path = next((line.split(maxsplit=5)[-1] for line in lines if "libsqlite3" in line), None)
    if path is None:
        raise OSError("no libsqlite3 in this process: a power cut needs a Python that loads it, and import it first")
    library = ctypes.CDLL(path)
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    library.sqlite3_vfs_find.argtypes = [c_char_p]
    return library
