"""A backup of a runtime that goes on serving: every shard's file, all of one moment."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from caxton.agents.limits import MAX_MODULE
from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.directories import missing_directories, own_directory, remove_directories, sync_directory
from caxton.errors import CaxtonError, ConfigurationError, ShardUnavailable, StorageError, StorageFull, Timeout
from caxton.placement.slot_table import MAX_WORKERS
from caxton.printable import shown
from caxton.store.backup.contents import modules_in, schema_of
from caxton.store.backup.manifest import (
    AUDIT,
    FORMAT,
    IDENTITY,
    MANIFEST,
    MODULES,
    Backup,
    BackupFile,
    begin_manifest,
    copy_file,
    damaged,
    look_at_file,
    module_name,
    shard_name,
    write_manifest,
)
from caxton.store.backup.online_copy import HOLD_S
from caxton.store.backup.room import check_room
from caxton.store.file_errors import TRY_AGAIN, acting_on
from caxton.threads import to_its_end
from caxton.wire.audit import NoteBackup
from caxton.wire.backup import BackupRequest, CopyShard, CopyState, CopyStep, Step
from caxton.wire.supervision import Accepted

T = TypeVar("T")
# Told now and then: how many of how many bytes are copied. Both grow while the runtime writes.
Progress = Callable[[int, int], None]
_PAGE_BYTES = 4_096
_LOOK_S = 0.05
# How long shards are waited for to give up: whoever has pressed Ctrl-C waits too.
_DROP_S = 2.0
# How long the copy of the supervisor's audit is waited for, and a row of it.
_AUDIT_S, _NOTE_S = 120.0, 2.0
# On a machine so busy that two questions take longer than a shard stands still, everything is copied once more.
_TRIES = 3
# For how long the moment is looked for: one shard or another may have more to copy each time.
MOMENT_S = 60.0
# For how long no page of any shard may be copied, nor its copy be on the disk: a large one is written out at its end.
STALL_S = 600.0
_MOST_IDENTITY = 4_096
# SQLite opens no file of a longer name, in bytes.
_LONGEST_NAME = 504
_OWN_FILES = (MANIFEST, f"{MANIFEST}.new", IDENTITY, AUDIT)


class BackupCalls(RuntimeCalls):
    """`backup`."""

    async def backup(self, directory: Path | str, *, progress: Progress | None = None) -> Backup:
        """Copy everything that the runtime keeps into a new or empty directory, while it goes on; returns what it has.

        All of it is of one moment, at which every shard stands still for some milliseconds, and two seconds at most:
        what was acknowledged before this call is in it, and a runtime that is served from it (`caxton restore`) goes on
        as after a power cut at that moment. The directory is on this machine, and holds the keys of the runtime. It has
        a manifest, written last, only when it is whole; of a backup that fails nothing is left.

        progress: called with the bytes copied so far, and of how many. Raises ConfigurationError for a directory that
        is not empty, not ours, open to others or a link; StorageFull when there is no room, StorageError;
        ShardUnavailable while a shard does not serve, NetworkError when one ends meanwhile, ResourceExhausted while
        another backup is being taken, Timeout when shards do not stand still at one moment, or a copy does not go on.
        """
        return await _Taking(self, _absolute(directory), progress or (lambda _done, _of: None)).run()

    async def _asked_each(self, requests: Iterable[BackupRequest], start: int = 0) -> list[CopyState]:
        """Ask shards at once, from `start` on; raises the first error when all have answered."""
        calls = [self._call(shard, request, CopyState) for shard, request in enumerate(requests, start)]
        states: list[CopyState] = []
        for told in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(told, BaseException):
                raise told
            states.append(told)
        return states


class _Taking:
    """One backup, while it is taken."""

    def __init__(self, client: BackupCalls, directory: Path, tell: Progress) -> None:
        self._client = client
        self._directory = directory
        self._tell = tell
        self._source: Path
        self._release: str
        self._shards = 0
        self._copies: list[Path]
        # Directories that were not there: its own, and what was missing above it.
        self._made: list[Path] = []
        # Whether the directory is this backup's by now, the shards make copies for it, and nobody wants it any more.
        self._is_ours = self._is_copying = self._is_given_up = False
        # Whether the audit says that it was begun.
        self._is_noted = False

    async def run(self) -> Backup:
        """Take it. What was made is removed again when it fails, or is cancelled."""
        await self._look_at_runtime()
        try:
            await self._on_disk(self._begin)
            return await self._take()
        except BaseException:
            if self._is_ours:
                await self._undo()
            else:
                await to_its_end(partial(remove_directories, self._made))
            if self._is_noted:
                await self._note("failed")
            raise

    async def _on_disk(self, act: Callable[[], T]) -> T:
        """Do something with files, on a thread. Whoever is cancelled waits until nothing more is done there."""
        return await to_its_end(partial(acting_on, self._directory, act), self._give_up)

    def _give_up(self) -> None:
        self._is_given_up = True

    def _check_wanted(self, _bytes: int = 0) -> None:
        """Go on with files only for somebody who waits; called between pieces of them. Raises StorageError."""
        if self._is_given_up:
            raise StorageError(str(self._directory), "the backup was given up")

    async def _look_at_runtime(self) -> None:
        health = await self._client.health()
        for worker in health.workers:
            if worker.state != "ready":
                raise ShardUnavailable(worker.shard, worker.state)
        self._shards = len(health.workers)
        self._copies = [self._directory / shard_name(shard) for shard in range(self._shards)]
        self._source, self._release = Path(health.data_dir), health.version

    def _begin(self) -> None:
        """Look whether there is room, make the directory and let it be this backup's, whoever else wants it."""
        self._made = missing_directories(self._directory)
        check_room(self._directory, self._needed(), "a backup")
        own_directory(self._directory)
        self._check_empty()
        try:
            own = begin_manifest(self._directory)
        except FileExistsError:
            problem = "another backup is being taken into it, or was ended in its midst"
            raise ConfigurationError(str(self._directory), problem, "name a new or an empty directory") from None
        try:  # another one may have begun, and even ended, since this one looked
            self._check_empty(own.name)
        except ConfigurationError:
            own.unlink()
            raise
        self._is_ours = True

    def _check_empty(self, own: str = "") -> None:
        strangers = sorted(path.name for path in self._directory.iterdir() if path.name != own)
        if strangers:
            raise ConfigurationError(
                str(self._directory), f"it is not empty ({strangers[0]!r:.100})", "name a new or an empty directory"
            )

    def _needed(self) -> int:
        needed = (self._source / IDENTITY).stat().st_size
        for path in (self._source / AUDIT, *self._source.glob("shard-*.db"), *(self._source / MODULES).glob("*.wasm")):
            with suppress(FileNotFoundError):  # modules that nobody uses go at any time
                needed += path.stat().st_size
        return needed

    async def _take(self) -> Backup:
        try:
            await self._copy_audit()
            taken_at, held_ms = await self._copied()
        except StorageFull as full:  # the shards say that what waits goes on by itself
            raise full.suggesting(TRY_AGAIN) from None
        modules = await self._on_disk(self._find_modules)
        backup = await self._on_disk(lambda: self._finish(modules, taken_at, held_ms))
        await self._note("done")
        return backup

    async def _copy_audit(self) -> None:
        """Have the supervisor copy its audit. First: so no anchor in it is of a moment behind that of the shards."""
        self._is_noted = True
        asked = NoteBackup(str(self._directory), "begun")
        await self._client._reach().ask(asked, Accepted, _AUDIT_S)  # noqa: SLF001 (a part of it)

    async def _note(self, outcome: Literal["done", "failed"]) -> None:
        """Have the audit say what came of it, if it can."""
        self._is_noted = False
        asked = NoteBackup(str(self._directory), outcome)
        with suppress(CaxtonError):
            await self._client._reach().ask(asked, Accepted, _NOTE_S)  # noqa: SLF001 (a part of it)

    async def _copied(self) -> tuple[int, int]:
        """Copy every shard's file; returns what `_end_at_once` does. Raises Timeout."""
        for _ in range(_TRIES):
            await self._begin_copies()
            await self._until(lambda state: state.ready)
            moment = await self._end_at_once()
            if moment is not None:
                await self._until(lambda state: state.done)
                with suppress(CaxtonError):  # they are whole and on the disk, whatever becomes of a shard now
                    await self._each("drop")
                return moment
            await self._each("drop")
            await self._on_disk(self._remove_copies)
        raise self._no_moment(HOLD_S)

    async def _begin_copies(self) -> None:
        """Have each shard begin: of several backups at a time, the one that the first shard copies for goes on."""
        first, *others = (CopyShard(str(path)) for path in self._copies)
        await self._client._asked_each([first])  # noqa: SLF001 (a part of it)
        self._is_copying = True
        await self._client._asked_each(others, 1)  # noqa: SLF001 (a part of it)

    def _remove_copies(self) -> None:
        for path in self._copies:
            path.unlink(missing_ok=True)

    def _no_moment(self, timeout_s: float) -> Timeout:
        problem = Timeout(f"the moment that all {self._shards} shards stand still at", timeout_s)
        return problem.suggesting("the machine is too busy for it: try again when it is less so")

    async def _until(self, holds: Callable[[CopyState], bool]) -> list[CopyState]:
        before: list[CopyState] = []
        give_up_at = 0.0
        while True:
            states = await self._each("look")
            if states != before:
                before, give_up_at = states, time.monotonic() + STALL_S
            elif time.monotonic() >= give_up_at:
                raise Timeout(f"copying the files of {self._shards} shards", STALL_S)
            self._tell(*(_PAGE_BYTES * sum(part) for part in zip(*((s.copied, s.pages) for s in states), strict=True)))
            if all(map(holds, states)):
                return states
            await asyncio.sleep(_LOOK_S)

    async def _each(self, step: Step) -> list[CopyState]:
        return await self._client._asked_each([CopyStep(step)] * self._shards)  # noqa: SLF001 (a part of it)

    async def _end_at_once(self) -> tuple[int, int] | None:
        """Let every shard's copy be of one moment: after the last one has begun to stand still, before any goes on.

        Returns when that was, in ms since 1970, and how many ms passed until all could go on; None when some copies are
        of that moment, and others not. Raises Timeout when there is no such moment for a minute.
        """
        give_up_at = time.monotonic() + MOMENT_S
        while time.monotonic() < give_up_at:
            began = time.monotonic()
            if all(state.did for state in await self._each("hold")):
                taken_at = time.time_ns() // 1_000_000
                if all(state.did for state in await self._each("end")):
                    return taken_at, round((time.monotonic() - began) * 1_000)
                return None
            await self._each("go_on")  # one has more to copy now
            await self._until(lambda state: state.ready)
        raise self._no_moment(MOMENT_S)

    def _find_modules(self) -> set[bytes]:
        found: set[bytes] = set()
        for path in self._copies:
            self._check_wanted()
            found |= modules_in(path)
        return found

    def _finish(self, modules: set[bytes], taken_at: int, held_ms: int) -> Backup:
        """Copy the rest, and say last that it is whole."""
        copied = {path.name: look_at_file(path, path.stat().st_size, self._check_wanted) for path in self._copies}
        audit = self._directory / AUDIT
        copied[AUDIT] = look_at_file(audit, audit.stat().st_size, self._check_wanted)
        copied[IDENTITY] = self._copied_file(IDENTITY, _MOST_IDENTITY)
        (self._directory / MODULES).mkdir(mode=0o700)
        for module in sorted(modules):
            name = module_name(module)
            copied[name] = self._copied_file(name, MAX_MODULE)
            if copied[name][1] != module.hex():
                problem = damaged(self._source / name, "its sha256 is not the one in its name")
                raise problem.suggesting("put this very module there again, and take another backup")
        sync_directory(self._directory / MODULES)
        files = [BackupFile(name, *found) for name, found in copied.items()]
        schema = schema_of(self._copies[0])
        backup = Backup(FORMAT, self._release, schema, taken_at, held_ms, self._shards, files)
        write_manifest(self._directory, backup)
        return backup

    def _copied_file(self, name: str, most: int) -> tuple[int, str]:
        source = self._source / name
        found = copy_file(source, self._directory / name, most, self._check_wanted)
        if found[0] > most:
            raise StorageError(str(source), f"longer than the {most} bytes that it may have")
        return found

    async def _undo(self) -> None:
        if self._is_copying:
            # A shard that does not answer gives up by itself, and removes its copy.
            with suppress(CaxtonError, TimeoutError):
                async with asyncio.timeout(_DROP_S):
                    await self._each("drop")
        await to_its_end(self._remove)

    def _remove(self) -> None:
        with suppress(OSError):  # what cannot be removed has no manifest, and is refused by name
            for path in (*(self._directory / name for name in _OWN_FILES), *self._copies):
                path.unlink(missing_ok=True)
            for path in (self._directory / MODULES).glob("*.wasm"):
                path.unlink()
            with suppress(FileNotFoundError):
                (self._directory / MODULES).rmdir()
        remove_directories(self._made)


def _absolute(directory: Path | str) -> Path:
    try:
        path = Path(directory).absolute()
        room = _LONGEST_NAME - len(str(path / shard_name(MAX_WORKERS)).encode())
    except TypeError:
        problem = f"{shown(directory)} is not a path"
    except UnicodeEncodeError:
        problem = f"{shown(str(directory))} is not UTF-8"
    else:
        if "\0" in str(path):
            problem = f"{shown(str(directory))} has a NUL in it"
        elif room < 0:
            problem = f"{shown(str(path))} is {-room} bytes longer than SQLite takes"
        else:
            return path
    raise ConfigurationError("directory", problem, "name another one, as a Path or its text")
