"""Certificates and keys in files: read and looked at before they are used, and again when they have changed."""

import os
import ssl
import stat
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeAlias

from caxton.config.gateway import CERT, CLIENT_CA, KEY, Tls
from caxton.errors import ConfigurationError

# What of a file tells that it is another one: its device, number, size, and times.
_Mark: TypeAlias = tuple[int, int, int, int, int]
_OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO
# A key that root owns may be read by a group, for who serves is not root.
_OTHERS_MAY_OF_ROOT = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


class ChangingContext(ssl.SSLContext):
    """Handed to who listens: each connection gets what the files said when `look` was called last.

    most: handshakes and connections at once; beyond it connections are closed before a handshake, and `refused` is
    called. Raises ConfigurationError when the files cannot be used.
    """

    _files: Tls
    _current: ssl.SSLContext
    _marks: tuple[_Mark | None, ...]
    _open: "weakref.WeakSet[ssl.SSLObject]"
    _most: int

    def __new__(cls, files: Tls, most: int, refused: Callable[[], None] = lambda: None) -> Self:  # noqa: ARG004 (the class below takes one argument)
        """Make one; `__init__` reads the files."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: Tls, most: int, refused: Callable[[], None] = lambda: None) -> None:
        self._files = files
        self._most = most
        self._refused = refused
        self._marks = _marks(files)
        self._current = context_of(files)
        self._open = weakref.WeakSet()

    def look(self) -> bool:
        """Take what is in the files if they have changed; returns whether.

        Raises ConfigurationError, once for each change, when they cannot be used: what there was before holds then.
        """
        marks = _marks(self._files)
        if marks == self._marks:
            return False
        self._marks = marks
        self._current = context_of(self._files)
        return True

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a handshake. Raises OSError where there are as many as may be."""
        if len(self._open) >= self._most:
            self._refused()
            raise ConnectionAbortedError("too many connections")
        begun = self._current.wrap_bio(*args, **kwargs)
        self._open.add(begun)
        return begun


def context_of(files: Tls) -> ssl.SSLContext:
    """Return what a server of these files says and asks. Raises ConfigurationError, which names the file and why."""
    _check_modes(files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, files)
    _check_certificate(context, files)
    if files.client_ca is not None:
        what = f"{CLIENT_CA} {files.client_ca}"
        _try(what, lambda: context.load_verify_locations(files.client_ca))
        if not context.get_ca_certs():
            raise ConfigurationError(
                what, "no authority is in it", "name a file of certificates of authorities, as PEM"
            )
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, files: Tls) -> None:
    asked = []

    def password() -> str:
        asked.append(True)
        return ""

    _try(f"{CERT} {files.cert}", lambda: _first_certificate(files.cert))
    try:
        _try(f"{KEY} {files.key}", lambda: context.load_cert_chain(files.cert, files.key, password))
    except ConfigurationError:
        if asked:
            raise ConfigurationError(
                f"{KEY} {files.key}", "it is encrypted, and nobody is there to be asked", "decrypt it"
            ) from None
        raise


def _first_certificate(file: str) -> None:
    """Raise SSLError unless a file has a certificate."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)


def _check_certificate(server: ssl.SSLContext, files: Tls) -> None:
    """Raise ConfigurationError for a certificate that nobody would believe: over, not begun, or for something else.

    A client that trusts just this one shakes hands with a server that has it.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    _try(f"{CERT} {files.cert}", lambda: client.load_verify_locations(files.cert))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
    done = [False, False]
    for _ in range(8):  # a handshake takes three turns
        for place, end in enumerate(ends):
            try:
                end.do_handshake()
                done[place] = True
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                why = getattr(error, "verify_message", "") or error.reason or str(error)
                raise ConfigurationError(f"{CERT} {files.cert}", f"{why}", "have another one issued") from None
        if all(done):
            return


def _check_modes(key: str) -> None:
    what = f"{KEY} {key}"
    try:
        found = Path(key).stat()
    except (OSError, ValueError) as error:
        raise ConfigurationError(what, str(getattr(error, "strerror", error)), "name a file of PEM") from None
    if found.st_uid not in {0, os.geteuid()}:
        raise ConfigurationError(what, f"user {found.st_uid} owns it", "let it be owned by who serves, or by root")
    others = found.st_mode & (_OTHERS_MAY if found.st_uid else _OTHERS_MAY_OF_ROOT)
    if others:
        mode = stat.S_IMODE(found.st_mode)
        raise ConfigurationError(what, f"others may read or write it (mode {mode:o})", f"chmod 600 {key}")


def _try(what: str, read: Callable[[], None]) -> None:
    try:
        read()
    except ssl.SSLError as error:
        raise ConfigurationError(what, _words(error), "name a file of PEM") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(what, str(getattr(error, "strerror", None) or error), "name a file of PEM") from None


def _words(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"it is not the key of the certificate in {CERT}"
    reason = (error.reason or "").replace("_", " ").lower()
    return f"it cannot be read: {reason or 'it is no PEM'}"


def _marks(files: Tls) -> tuple[_Mark | None, ...]:
    return tuple(None if file is None else _mark(Path(file)) for file in (files.cert, files.key, files.client_ca))


def _mark(file: Path) -> _Mark | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
