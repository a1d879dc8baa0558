"""A backup of a runtime that goes on serving: every shard's file, all of one moment."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from caxton.client.calls.runtime_calls import RuntimeCalls
from caxton.directories import own_directory, sync_directory
from caxton.errors import CaxtonError, ConfigurationError, ShardUnavailable, StorageError, StorageFull, Timeout
from caxton.printable import shown
from caxton.store.backup.contents import modules_in, schema_of
from caxton.store.backup.manifest import (
    FORMAT,
    IDENTITY,
    MANIFEST,
    MODULES,
    Backup,
    BackupFile,
    copy_file,
    look_at_file,
    module_name,
    shard_name,
    write_manifest,
)
from caxton.store.backup.online_copy import HOLD_S
from caxton.wire.backup import BackupRequest, CopyShard, CopyState, CopyStep, Step

T = TypeVar("T")

# Told now and then: how many of how many bytes are copied. Both grow while the runtime writes.
Progress = Callable[[int, int], None]
# What a backup leaves free, so that a runtime on the same disk goes on.
SPARED_BYTES = 64 << 20
_PAGE_BYTES = 4_096
_LOOK_S = 0.05
# How long shards are waited for to give up: whoever has pressed Ctrl-C waits too.
_DROP_S = 2.0
# On a machine so busy that two questions take longer than a shard stands still, everything is copied once more.
_TRIES = 3


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
        another backup is being taken, Timeout when shards do not stand still at one moment.
        """
        return await _Taking(self, _absolute(directory), progress or (lambda _done, _of: None)).run()

    async def _asked_each(self, requests: Iterable[BackupRequest]) -> list[CopyState]:
        """Ask every shard at once; raises the first error when all have answered."""
        calls = [self._call(shard, request, CopyState) for shard, request in enumerate(requests)]
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

    async def run(self) -> Backup:
        """Take it. What was made is removed again when it fails, or is cancelled."""
        await self._look_at_runtime()
        is_new = await asyncio.to_thread(_acting_on, self._directory, self._begin)
        try:
            return await self._take()
        except BaseException:
            await self._undo(is_new=is_new)
            raise

    async def _look_at_runtime(self) -> None:
        health = await self._client.health()
        for worker in health.workers:
            if worker.state != "ready":
                raise ShardUnavailable(worker.shard, worker.state)
        self._shards = len(health.workers)
        self._copies = [self._directory / shard_name(shard) for shard in range(self._shards)]
        self._source, self._release = Path(health.data_dir), health.version

    def _begin(self) -> bool:
        """Look whether there is room, and make the directory; returns whether it was not there."""
        is_new = not self._directory.exists()
        self._check_room()
        own_directory(self._directory)
        strangers = sorted(path.name for path in self._directory.iterdir())
        if strangers:
            raise ConfigurationError(
                str(self._directory), f"it is not empty ({strangers[0]!r:.100})", "name a new or an empty directory"
            )
        return is_new

    def _check_room(self) -> None:
        needed = sum(path.stat().st_size for path in self._sources())
        there = next(path for path in (self._directory, *self._directory.parents) if path.exists())
        found = os.statvfs(there)
        free = found.f_bavail * found.f_frsize
        if needed + SPARED_BYTES > free:
            problem = (
                f"a backup takes {needed >> 20} MiB and leaves {SPARED_BYTES >> 20}, and {free >> 20} MiB are free"
            )
            full = StorageFull(str(self._directory), problem)
            raise full.suggesting("make room, or name a directory on another disk")

    def _sources(self) -> list[Path]:
        modules = (self._source / MODULES).glob("*.wasm")
        return [self._source / IDENTITY, *self._source.glob("shard-*.db"), *modules]

    async def _take(self) -> Backup:
        taken_at, held_ms = await self._copied()
        modules = await asyncio.to_thread(self._find_modules)
        return await asyncio.to_thread(_acting_on, self._directory, lambda: self._finish(modules, taken_at, held_ms))

    async def _copied(self) -> tuple[int, int]:
        """Copy every shard's file; returns what `_end_at_once` does. Raises Timeout."""
        for _ in range(_TRIES):
            requests = [CopyShard(str(path)) for path in self._copies]
            await self._client._asked_each(requests)  # noqa: SLF001 (a part of it)
            await self._until(lambda state: state.ready)
            moment = await self._end_at_once()
            if moment is not None:
                await self._until(lambda state: state.done)
                return moment
            await self._each("drop")
            for path in self._copies:
                path.unlink(missing_ok=True)
        problem = Timeout(f"the moment that all {self._shards} shards stand still at", HOLD_S)
        raise problem.suggesting("the machine is too busy for it: try again when it is less so")

    async def _until(self, holds: Callable[[CopyState], bool]) -> list[CopyState]:
        while True:
            states = await self._each("look")
            self._tell(*(_PAGE_BYTES * sum(part) for part in zip(*((s.copied, s.pages) for s in states), strict=True)))
            if all(map(holds, states)):
                return states
            await asyncio.sleep(_LOOK_S)

    async def _each(self, step: Step) -> list[CopyState]:
        return await self._client._asked_each([CopyStep(step)] * self._shards)  # noqa: SLF001 (a part of it)

    async def _end_at_once(self) -> tuple[int, int] | None:
        """Let every shard's copy be of one moment: after the last one has begun to stand still, before any goes on.

        Returns when that was, in ms since 1970, and how many ms passed until all could go on; None when some copies are
        of that moment, and others not.
        """
        while True:
            began = time.monotonic()
            if all(state.did for state in await self._each("hold")):
                taken_at = time.time_ns() // 1_000_000
                if all(state.did for state in await self._each("end")):
                    return taken_at, round((time.monotonic() - began) * 1_000)
                return None
            await self._each("go_on")  # one has more to copy now
            await self._until(lambda state: state.ready)

    def _find_modules(self) -> set[bytes]:
        return set().union(*(modules_in(path) for path in self._copies))

    def _finish(self, modules: set[bytes], taken_at: int, held_ms: int) -> Backup:
        """Copy the rest, and say last that it is whole."""
        copied = {path.name: look_at_file(path, _nothing) for path in self._copies}
        copied[IDENTITY] = copy_file(self._source / IDENTITY, self._directory / IDENTITY, _nothing)
        (self._directory / MODULES).mkdir(mode=0o700)
        for module in sorted(modules):
            name = module_name(module)
            copied[name] = copy_file(self._source / name, self._directory / name, _nothing)
        sync_directory(self._directory / MODULES)
        files = [BackupFile(name, *found) for name, found in copied.items()]
        schema = schema_of(self._copies[0])
        backup = Backup(FORMAT, self._release, schema, taken_at, held_ms, self._shards, files)
        write_manifest(self._directory, backup)
        return backup

    async def _undo(self, *, is_new: bool) -> None:
        with suppress(
            CaxtonError, TimeoutError
        ):  # a shard that does not answer gives up by itself, and removes its copy
            async with asyncio.timeout(_DROP_S):
                await self._each("drop")
        await asyncio.to_thread(self._remove, is_new=is_new)

    def _remove(self, *, is_new: bool) -> None:
        with suppress(OSError):  # what cannot be removed has no manifest, and is refused by name
            for path in (*(self._directory / name for name in (MANIFEST, f"{MANIFEST}.new", IDENTITY)), *self._copies):
                path.unlink(missing_ok=True)
            for path in (self._directory / MODULES).glob("*.wasm"):
                path.unlink()
            with suppress(FileNotFoundError):
                (self._directory / MODULES).rmdir()
            if is_new:
                self._directory.rmdir()


def _absolute(directory: Path | str) -> Path:
    try:
        return Path(directory).absolute()
    except TypeError:
        problem = f"{shown(directory)} is not a path"
        raise ConfigurationError("directory", problem, "give a Path or its text") from None


def _nothing(_bytes: int) -> None:
    """Tell nobody: the shards' files are what takes long, and they are told of as they are copied."""


def _acting_on(path: Path, act: Callable[[], T]) -> T:
    """Do something with files; raises StorageError for what the system says against it."""
    try:
        return act()
    except OSError as error:
        raise StorageError(str(error.filename or path), error.strerror or str(error)) from None
