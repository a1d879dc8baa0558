from pathlib import Path

import pytest

from caxton.doctor import places
from caxton.doctor.finding import Verdict
from caxton.doctor.places import Rule

TMP, VAR_TMP = "/tmp", "/var/tmp"  # noqa: S108 (nothing is made there)
OK, SUGGESTION, PROBLEM = Verdict.OK, Verdict.SUGGESTION, Verdict.PROBLEM
MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /tmp rw - tmpfs tmpfs rw
24 22 0:22 / /home/a\040b rw - nfs4 server:/home rw
25 24 0:23 / /home/a\040b rw - xfs /dev/sdb rw
26 22 0:24 / /home/abc rw - fuse.sshfs x rw
half a line"""


def test_a_directory_is_ours_alone(tmp_path):
    """One that is not there will be; a file, a link and one that others may enter are told."""
    own, link, file = tmp_path / "own", tmp_path / "link", tmp_path / "file"
    own.mkdir(mode=0o700)
    link.symlink_to(own)
    file.write_text("")
    assert places.standing("d", own).verdict is OK
    assert places.standing("d", tmp_path / "a" / "b").verdict is OK
    assert places.standing("d", link).verdict is PROBLEM
    assert places.standing("d", file).verdict is PROBLEM
    own.chmod(0o750)
    assert f"chmod 700 {own}" in places.standing("d", own).advice


def test_names_of_sockets_fit_or_not():
    """At 107 bytes with the longest name they fit."""
    assert places.socket_names(Path("/" + "x" * 79)).verdict is OK
    assert places.socket_names(Path("/" + "x" * 80)).verdict is PROBLEM


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data", "ext4"),
        (f"{TMP}/x", "tmpfs"),
        ("/home/a b/c", "xfs"),
        ("/home/abc", "fuse.sshfs"),
        ("/home/ab", "ext4"),
    ],
)
def test_the_last_mount_on_the_longest_place_counts(path, kind):
    """Of the places above a path the longest, and of several on it the last; names are escaped there."""
    assert places.kind_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "is_kept", "verdict"),
    [
        ("ext4", True, OK),
        ("tmpfs", False, OK),
        ("tmpfs", True, PROBLEM),
        ("nfs4", True, PROBLEM),
        ("9p", False, PROBLEM),
    ],
)
def test_files_stay_on_a_disk_of_this_machine(kind, is_kept, verdict):
    """What machines share has no locks to be trusted, and what is in memory is lost."""
    assert places.filesystem("d", Path("/d"), kind, is_kept=is_kept).verdict is verdict


def test_rules_of_cleaners_are_read(tmp_path):
    """The first file of a name counts; rules without an age let nothing go."""
    first, second = tmp_path / "etc", tmp_path / "lib"
    for folder in (first, second):
        folder.mkdir()
    (second / "tmp.conf").write_text("q /tmp 1777 root root 1h\n")
    (first / "tmp.conf").write_text(
        "# q /tmp 1777 root root 5\nq /tmp 1777 root root 1w2d\nD /run/x 0755 root root -\n\n"
    )
    (second / "var.conf").write_text("d /var/tmp 1777 root root ~30min\nx\nd /a 1 r r cm:1h\n")

    found = places.tmpfiles([first, second, tmp_path / "none"])
    assert [(str(rule.path), rule.age_s) for rule in found] == [
        (TMP, 9 * 86_400.0),
        (VAR_TMP, 1_800.0),
        ("/a", 3_600.0),
    ]


@pytest.mark.parametrize(
    ("path", "age_s", "verdict"),
    [
        (f"{TMP}/c", 864_000.0, OK),
        (f"{TMP}/c", 3_600.0, PROBLEM),
        (f"{TMP}/c", None, SUGGESTION),
        ("/run/user/1/c", 60.0, OK),
    ],
)
def test_a_cleaner_must_be_slower_than_we_touch(path, age_s, verdict):
    """A runtime makes its files young once an hour; without a known rule a public directory is no good place."""
    rules = [] if age_s is None else [Rule(Path(TMP), age_s, Path("/etc/tmpfiles.d/tmp.conf"))]
    assert places.cleaners(Path(path), rules).verdict is verdict


@pytest.mark.parametrize(
    ("times_ms", "verdict"), [([1.0, 90.0, 2.0], OK), ([20.0], SUGGESTION), ([1_000.0, 1.0, 2_000.0], PROBLEM)]
)
def test_half_of_the_syncs_say_how_fast_a_disk_is(times_ms, verdict):
    """One that is slow among many is no verdict."""
    assert places.syncs(times_ms).verdict is verdict


def test_syncs_leave_nothing_behind(tmp_path):
    """The file has no name, also where the directory is still to be made."""
    assert len(places.time_syncs(tmp_path / "data" / "x")) >= 1
    assert list(tmp_path.iterdir()) == []


def test_free_room_is_what_shards_may_keep(tmp_path):
    """Less than what may wait on disk is a suggestion."""
    assert places.free(tmp_path / "data", 0).verdict is not SUGGESTION
    assert places.free(tmp_path, 1 << 50).verdict in {SUGGESTION, PROBLEM}
