"""The dashboard's files, as they are sent: each compressed once, under a name that changes with what is in them."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
PAGE = "index.html"
# In the page, where the name of the folder with all other files belongs.
_PLACE = "{folder}"
# Scripts and styles are our files alone, and what is shown becomes text and nothing else, whatever it is.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class File:
    """One file. etag: of what is in it, as HTTP writes it."""

    body: bytes
    compressed: bytes
    media_type: str
    etag: str


@dataclass(frozen=True)
class Board:
    """All files. mark: of all of them together; they are at /board/{mark}/, and the page knows it."""

    mark: str
    page: File
    files: dict[str, File]


@cache
def board() -> Board:
    """Return the files of the package; they are read once."""
    found = {entry.name: entry.read_bytes() for entry in files("caxton.gateway").joinpath("board").iterdir()}
    mark = hashlib.sha256(b"\0".join(part for name in sorted(found) for part in (name.encode(), found[name])))
    folder = mark.hexdigest()[:16]
    page = found.pop(PAGE).decode().replace(_PLACE, f"/board/{folder}").encode()
    return Board(folder, _file(PAGE, page), {name: _file(name, body) for name, body in found.items()})


def _file(name: str, body: bytes) -> File:
    media_type = _TYPES[name[name.rindex(".") :]]
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, gzip.compress(body, mtime=0), media_type, etag)
