"""Modules that arrive in pieces: in order, bounded in number, size and time. Pure: time comes in."""

from collections import Counter
from dataclasses import dataclass, field

from caxton.errors import ResourceExhausted, ValidationError
from caxton.supervisor.desk.caller import Caller
from caxton.wire.supervision import UploadModule

MAX_UPLOADS = 8
# Without a piece, and from the first piece to the last: a client sends 4 MiB as soon as it is asked for more.
IDLE_S, LONGEST_S = 5.0, 60.0


@dataclass
class Upload:
    """What has come so far."""

    sha256: bytes
    size: int
    begun_s: float
    touched_s: float
    content: bytearray = field(default_factory=bytearray)

    @property
    def complete(self) -> bool:
        """True when every byte is there."""
        return len(self.content) == self.size


class Uploads:
    """One upload per caller and MAX_UPLOADS in all, dropped after IDLE_S without a piece, or LONGEST_S.

    When there is no place, an owner who has several of them gives one up for an owner who has none: a process, or a
    principal that one acts for.
    """

    def __init__(self) -> None:
        self._under_way: dict[Caller, Upload] = {}
        # Uploads that nobody finished.
        self.abandoned = 0

    def __len__(self) -> int:
        return len(self._under_way)

    def take(self, caller: Caller, piece: UploadModule, now_s: float) -> Upload:
        """Add a piece and return its upload, which is forgotten here once it is complete.

        A piece at offset 0 begins a new upload. Raises ResourceExhausted when there are too many, ValidationError for a
        piece that does not follow the last one; then nothing of that upload remains.
        """
        if piece.offset == 0:
            self._begin(caller, piece, now_s)
        upload = self._under_way.pop(caller, None)
        if upload is None:
            raise ValidationError("upload", "none is under way from this caller; begin at offset 0")
        if (piece.sha256, piece.size, piece.offset) != (upload.sha256, upload.size, len(upload.content)):
            self.abandoned += 1
            raise ValidationError(
                "upload", f"offset {piece.offset} does not follow {len(upload.content)}; begin at offset 0"
            )
        if len(upload.content) + len(piece.chunk) > upload.size:
            self.abandoned += 1
            raise ValidationError("upload", f"more bytes than the {upload.size} announced; begin at offset 0")
        upload.content += piece.chunk
        upload.touched_s = now_s
        if not upload.complete:
            self._under_way[caller] = upload
        return upload

    def drop_idle(self, now_s: float) -> None:
        """Forget the uploads whose callers have said nothing for IDLE_S, or have taken longer than LONGEST_S."""
        for caller in [c for c, upload in self._under_way.items() if _is_late(upload, now_s)]:
            del self._under_way[caller]
            self.abandoned += 1

    def _begin(self, caller: Caller, piece: UploadModule, now_s: float) -> None:
        if self._under_way.pop(caller, None) is not None:
            self.abandoned += 1
        if len(self._under_way) >= MAX_UPLOADS:
            self.drop_idle(now_s)
        if len(self._under_way) >= MAX_UPLOADS and not self._make_room(caller.owner):
            raise ResourceExhausted("uploads of modules at once", MAX_UPLOADS)
        self._under_way[caller] = Upload(piece.sha256, piece.size, now_s, now_s)

    def _make_room(self, owner: tuple[int, str]) -> bool:
        """Give up the upload that was longest without a piece, of the owner who has most; False when it is fair."""
        places = Counter(caller.owner for caller in self._under_way)
        most, count = places.most_common(1)[0]
        if places[owner] or count == 1:
            return False
        uploads = self._under_way
        del uploads[min((c for c in uploads if c.owner == most), key=lambda c: uploads[c].touched_s)]
        self.abandoned += 1
        return True


def _is_late(upload: Upload, now_s: float) -> bool:
    return now_s - upload.touched_s > IDLE_S or now_s - upload.begun_s > LONGEST_S
