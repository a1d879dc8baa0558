"""Where a runtime would be: its two directories, what they are on, who tidies there, and how fast the disk is."""

import os
import re
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from caxton.doctor.finding import Finding, ok, problem, suggestion
from caxton.errors import ConfigurationError
from caxton.supervisor.premises.inventory import TOUCH_PERIOD_S
from caxton.transport.endpoints import LONGEST_PATH, RuntimeDir

MIB = 1 << 20
# Below it a shard's log has no room to grow before it is copied into its file.
LEAST_FREE_MIB = 256
LEAST_INODES = 1_000
# Half of so many syncs of a page are faster, and none takes longer, on a disk of today; a second stands still.
SYNCS, SLOW_SYNC_MS, STILL_SYNC_MS = 16, 20.0, 1_000.0
_SYNCING_S = 2.0
# Files that several machines share have no locks, and no mapped memory, that could be trusted; these are lost at boot.
_REMOTE = re.compile(r"nfs\d?|cifs|smb\d?|9p|afs|ceph|glusterfs|lustre|fuse\.(sshfs|glusterfs|s3fs|gcsfuse|rclone)")
_OWN = "choose a directory of your own"
_ESCAPED = re.compile(r"\\([0-7]{3})")
_LOST = ("tmpfs", "ramfs")
_PUBLIC = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (they are looked at, and nothing is made there)
_RULES = (Path("/etc/tmpfiles.d"), Path("/run/tmpfiles.d"), Path("/usr/lib/tmpfiles.d"))
_UNITS_S = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
}
_AGE = re.compile(r"(\d+)(us|ms|s|min|m|h|d|w|)")


class Rule(NamedTuple):
    """What a rule of systemd-tmpfiles says of a directory: after how many seconds what is old goes. where: its file."""

    path: Path
    age_s: float
    where: Path


def standing(name: str, path: Path) -> Finding:
    """Judge whether a directory is ours alone; one that is not there yet will be."""
    try:
        str(path).encode()
        found = path.lstat()
    except FileNotFoundError:
        return _to_be_made(name, path)
    except (OSError, UnicodeEncodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not UTF-8"
        return problem(name, f"{path} cannot be used: {why}", _OWN)
    if not stat.S_ISDIR(found.st_mode):
        return problem(name, f"{path} is no directory itself", _OWN)
    if found.st_uid != os.geteuid():
        return problem(name, f"{path} is owned by user {found.st_uid}", _OWN)
    if found.st_mode & 0o077:
        return problem(name, f"others may enter {path} (mode {stat.S_IMODE(found.st_mode):o})", f"run chmod 700 {path}")
    return ok(name, str(path))


def _to_be_made(name: str, path: Path) -> Finding:
    above = nearest(path)
    if os.access(above, os.W_OK | os.X_OK):
        return ok(name, f"{path} will be made")
    return problem(name, f"{path} is not there, and cannot be made in {above}", _OWN)


def socket_names(path: Path) -> Finding:
    """Judge whether the names of sockets fit in the runtime directory's."""
    try:
        longest = RuntimeDir(path).check_names()
    except ConfigurationError as error:
        return problem("socket names", error.problem, error.remedy)
    return ok("socket names", f"{longest} bytes with the directory, and {LONGEST_PATH} fit")


def cleaners(path: Path, rules: Iterable[Rule]) -> Finding:
    """Judge who tidies in the runtime directory: a runtime makes its files young again once an hour."""
    name = "cleaners"
    concerned = [rule for rule in rules if rule.path in {path, *path.parents}]
    fast = [rule for rule in concerned if rule.age_s < 2 * TOUCH_PERIOD_S]
    if fast:
        found = f"{fast[0].where} removes from {fast[0].path} what is {fast[0].age_s:g} s old"
        return problem(name, found, "choose a --runtime-dir outside of it, such as /run/user/$UID/caxton")
    if concerned:
        days = min(rule.age_s for rule in concerned) / 86_400
        return ok(name, f"what is {days:g} days old goes there; a runtime touches its files once an hour")
    public = [directory for directory in _PUBLIC if directory in {path, *path.parents}]
    if public:
        found, change = f"it is in {public[0]}, where others may tidy", "set XDG_RUNTIME_DIR or choose a --runtime-dir"
        return suggestion(name, found, change)
    return ok(name, "none is known")


def tmpfiles(folders: Iterable[Path] = _RULES) -> list[Rule]:
    """Read the rules of systemd-tmpfiles that let what is old go; a file goes before those of its name further on."""
    files: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.conf")):
            files.setdefault(file.name, file)
    found = []
    for file in files.values():
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue
        found += [rule for line in lines if (rule := _rule(line, file)) is not None]
    return found


def filesystem(name: str, path: Path, kind: str, *, is_kept: bool) -> Finding:
    """Judge what a directory is on. is_kept: whether it is to outlive the machine."""
    found = f"on {kind}"
    if _REMOTE.fullmatch(kind):
        return problem(name, f"{path} is {found}, which machines share", "choose a directory on a disk of this machine")
    if is_kept and kind in _LOST:
        return problem(name, f"{path} is {found}: it is lost when the machine ends", "choose a --data-dir on a disk")
    return ok(name, found)


def kind_of(path: Path, mounts: str) -> str:
    """Return on which kind of file system a path is. mounts: /proc/self/mountinfo."""
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split()
        if len(words) < 5 or not right:  # noqa: PLR2004 (the fifth is where it is mounted)
            continue
        at = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), words[4]))
        if at in {path, *path.parents} and len(at.parts) >= best:  # of several on one place the last one shows
            best, kind = len(at.parts), right.split()[0]
    return kind


def free(path: Path, wanted_mib: int) -> Finding:
    """Judge how much room the disk of the data directory has. wanted_mib: what shards may keep there."""
    name = "free disk"
    at = os.statvfs(nearest(path))
    room_mib = at.f_bavail * at.f_frsize // MIB
    found = f"{room_mib:,} MiB"
    if at.f_files and at.f_favail < LEAST_INODES:
        return problem(name, f"{at.f_favail:,} files may be made", "remove files, or choose another --data-dir")
    if room_mib < LEAST_FREE_MIB:
        return problem(name, found, f"make room for {LEAST_FREE_MIB} MiB at least, or choose another --data-dir")
    if room_mib < wanted_mib:
        change = f"what may wait on disk comes to {wanted_mib:,} MiB: make room, or lower --effects-on-disk-mib"
        return suggestion(name, found, change)
    return ok(name, found)


def syncs(times_ms: list[float]) -> Finding:
    """Judge how long the disk takes to keep a page for good: every commit waits for it once."""
    name, half = "disk sync", median(times_ms)
    found = f"{half:.2f} ms, and {max(times_ms):.2f} at most of {len(times_ms)}"
    if half >= STILL_SYNC_MS:
        return problem(name, found, "look after the disk: commits stand still on it")
    if half >= SLOW_SYNC_MS:
        return suggestion(name, found, "a disk that is faster makes durable messages faster")
    return ok(name, found)


def time_syncs(path: Path) -> list[float]:
    """Write and sync a page some times in a file without a name, on the disk of a directory. Raises OSError."""
    descriptor = os.open(nearest(path), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    taken: list[float] = []
    try:
        end_s = time.monotonic() + _SYNCING_S
        while len(taken) < SYNCS and (not taken or time.monotonic() < end_s):
            begun_s = time.perf_counter()
            os.write(descriptor, bytes(4_096))
            os.fdatasync(descriptor)
            taken.append((time.perf_counter() - begun_s) * 1_000)
    finally:
        os.close(descriptor)
    return taken


def whole(path: Path) -> Path:
    """Return a path from the root on, with its links as they are. Raises OSError."""
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100 (`absolute` leaves .. in it)
    except FileNotFoundError:
        raise OSError(f"{path} begins in a working directory that is gone") from None


def nearest(path: Path) -> Path:
    """Return a directory itself, or what is there of those above it."""
    while not path.is_dir() and path.parent != path:
        path = path.parent
    return path


def _rule(line: str, file: Path) -> Rule | None:
    words = line.split()
    if len(words) < 6 or line.startswith("#") or words[0][0] not in "dDevqQC":  # noqa: PLR2004 (the sixth is the age)
        return None
    parts = _AGE.findall(words[5].lstrip("~").rpartition(":")[2])
    age_s = sum(int(number) * _UNITS_S[unit] for number, unit in parts)
    return Rule(Path(words[1]), age_s, file) if parts else None
