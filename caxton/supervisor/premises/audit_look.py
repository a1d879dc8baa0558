"""The audit of a data directory that nobody serves, looked through as it lies: no row of it is touched."""

from contextlib import closing
from pathlib import Path

from caxton.errors import ConfigurationError, StorageError
from caxton.store.audit import read_page
from caxton.store.directory_lock import DirectoryLock
from caxton.store.read_only import named_errors, read_only
from caxton.store.supervisor_audit import FILE_NAME
from caxton.supervisor.premises.identity import FILE_NAME as IDENTITY_FILE
from caxton.supervisor.premises.identity import Identity
from caxton.supervisor.premises.reshard import check_not_under_way
from caxton.wire.audit import AuditPage, ReadAudit
from caxton.wire.audit_check import KeptHead, looking_through


def verify_audit(data_dir: Path, kept: KeptHead | None = None) -> list[str]:
    """Return where the audit is not what was written; kept: the head of its anchors, as of some time before.

    Raises ConfigurationError when somebody serves the directory, or it is none; StorageError for files that are not
    whole, or that nobody has closed.
    """
    if not (data_dir / IDENTITY_FILE).exists():
        problem = "no data directory of a runtime: it has no identity"
        raise ConfigurationError(str(data_dir), problem, "name one with --data-dir or CAXTON_DATA_DIR")
    with closing(DirectoryLock(data_dir)):
        check_not_under_way(data_dir)
        shards = Identity.read(data_dir / IDENTITY_FILE).shards
        files = [*(data_dir / f"shard-{shard}.db" for shard in range(shards)), data_dir / FILE_NAME]
        looking = looking_through(shards, kept)
        try:
            file, asked = next(looking)
            while True:
                file, asked = looking.send(_page(files[file], asked))
        except StopIteration as over:
            found: list[str] = over.value
            return found


def _page(path: Path, asked: ReadAudit) -> AuditPage:
    if not path.is_file() or path.is_symlink():
        raise StorageError(str(path), "it is not there, or no regular file")
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists() and journal.stat().st_size:
        raise StorageError(str(path), "its journal is still beside it; serve and stop it once, with room on its disk")
    with named_errors(path), read_only(path) as db:
        return read_page(db, asked)
