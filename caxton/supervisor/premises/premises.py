"""The two directories of a runtime: entered under their locks, cleared of what dead lives left, left behind clean."""

import os
from contextlib import suppress
from types import TracebackType
from typing import Self

import orjson

from caxton import __version__
from caxton.config.settings import ServeSettings, default_workers
from caxton.directories import own_directory, remove_left
from caxton.errors import ConfigurationError
from caxton.links.session import SessionMarks
from caxton.store.directory_lock import DirectoryLock
from caxton.store.module_cache import ModuleCache
from caxton.supervisor.premises.identity import FILE_NAME as IDENTITY_FILE
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.premises.interpreter import check_interpreter
from caxton.supervisor.premises.inventory import Inventory, Kept
from caxton.supervisor.premises.reshard import check_not_under_way
from caxton.transport.descriptors import Room, raise_limit
from caxton.transport.endpoints import RuntimeDir

RUNTIME_FILE = "runtime.json"
MODULES = "modules"


class Premises:
    """A context manager: inside, both directories are this process's alone.

    Raises ConfigurationError when a directory is in use, open to others, too long or not ours, or when no client fits
    in; StorageError when the identity is damaged. room: how many clients fit. gateway_principals: whether
    sessions may act for others. inventory: what has to stay there.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.runtime_dir = RuntimeDir(settings.runtime_dir)
        self.data_dir = settings.data_dir.absolute()
        self._workers = settings.workers
        self._when_made = settings.workers_when_made
        self.gateway_principals = settings.gateway_principals
        self.mailbox_capacity = settings.delivery.inbound_queue_size
        self._locks: list[DirectoryLock] = []
        self.identity: Identity
        self.modules: ModuleCache
        self.marks: SessionMarks
        self.room: Room
        self.inventory: Inventory

    def __enter__(self) -> Self:
        try:
            self._enter()
        except OSError as error:
            self._leave()
            where = str(error.filename or self.runtime_dir.path)
            raise ConfigurationError(where, error.strerror or str(error), "choose a directory of your own") from None
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._locks and self._locks[0].is_in_place:  # or somebody else may serve under that name now
            with suppress(OSError):  # somebody else's directory has such a name: it stays
                self._clear()
        self._leave()

    def _enter(self) -> None:
        check_interpreter()
        self.runtime_dir.check()
        if self.runtime_dir.path.resolve() == self.data_dir.resolve():
            raise ConfigurationError(str(self.data_dir), "the runtime's directory too", "choose another --data-dir")
        self._locks.append(DirectoryLock(self.runtime_dir.path))
        own_directory(self.data_dir)
        self._locks.append(DirectoryLock(self.data_dir))
        check_not_under_way(self.data_dir)
        when_made = self._when_made or default_workers(len(os.sched_getaffinity(0)))
        self.identity = Identity.open(self.data_dir, self._workers, when_made)
        self.room = Room.of(raise_limit(), self.identity.shards)
        self.marks = SessionMarks(self.identity.derived_key("marks"))
        self.modules = ModuleCache(self.data_dir / MODULES, self.identity.derived_key("cache"))
        self.modules.remove_partial()
        self._clear()
        self._describe()
        kept = [
            Kept(self.runtime_dir.path / RUNTIME_FILE, self._describe),
            Kept(self.data_dir / IDENTITY_FILE, self.identity.restore),
        ]
        self.inventory = Inventory(self.runtime_dir, [*self._locks], kept)

    def _describe(self) -> None:
        """Write for people, and for scripts, who serves here."""
        about = {"pid": os.getpid(), "run": self._locks[0].run, "version": __version__, "data_dir": str(self.data_dir)}
        new = self.runtime_dir.path / f"{RUNTIME_FILE}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(orjson.dumps(about, option=orjson.OPT_APPEND_NEWLINE))
        new.replace(self.runtime_dir.path / RUNTIME_FILE)

    def _clear(self) -> None:
        """Remove what belongs to lives that have ended: while the lock is ours, nobody else is alive here."""
        for path in (*self.runtime_dir.everything(), *self.runtime_dir.path.glob(f"{RUNTIME_FILE}*")):
            remove_left(path)

    def _leave(self) -> None:
        while self._locks:
            self._locks.pop().close()
