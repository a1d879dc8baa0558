"""A row in the audit of a data directory that nobody serves, of what is done to the whole of it."""

import time
from contextlib import closing
from pathlib import Path

from caxton.store.supervisor_audit import FILE_NAME, SupervisorAudit
from caxton.wire.audit import Entry, Kind


def note(data_dir: Path, action: str, subject: str, outcome: str) -> None:
    """Write a row for the owner, in a new file where there is none. Raises StorageError."""
    with closing(SupervisorAudit.open(data_dir / FILE_NAME)) as audit:
        audit.add([(Kind.OPERATIONS, Entry(time.time_ns() // 1_000_000, action, "", subject, outcome))])
