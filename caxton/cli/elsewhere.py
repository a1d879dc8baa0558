"""Whether commands mean a runtime on another machine: what stands before the command, or in the environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from caxton.errors import ConfigurationError, Unsupported
from caxton.printable import shown

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="The gateway of a runtime on another machine, such as https://caxton.example:8443. Otherwise CAXTON_URL.",
        show_default=False,
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="What lets you in there. Others on this machine see it in the list of processes: better CAXTON_TOKEN.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="A file with the token, and nothing else. Otherwise CAXTON_TOKEN_FILE.",
        show_default=False,
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        help="Authorities that its certificate may be from, if not those of the system. Otherwise CAXTON_CA.",
        show_default=False,
    ),
]
CertOption = Annotated[
    Path | None,
    typer.Option(
        "--cert",
        metavar="FILE",
        help="A certificate and its key, for a gateway that asks for one. Otherwise CAXTON_CERT.",
        show_default=False,
    ),
]
InsecureHttpOption = Annotated[
    bool, typer.Option("--insecure-http", help="Ask without TLS also where http leads to another machine.")
]
_MAX_TOKEN_FILE = 8_192


@dataclass(frozen=True)
class Elsewhere:
    """What the command line says of another machine. named: with --url, and not in the environment alone."""

    url: str
    token: str | None
    ca: Path | None
    cert: Path | None
    insecure_http: bool
    named: bool

    def __repr__(self) -> str:
        return f"Elsewhere({self.url!r})"  # a token is in no traceback


class _Meant:
    """The one that this command line means: set before any command runs."""

    there: Elsewhere | None = None


def take(
    url: str | None,
    token: str | None,
    token_file: Path | None,
    ca: Path | None,
    cert: Path | None,
    insecure_http: bool,
) -> None:
    """Keep what stands before the command. Raises ConfigurationError."""
    _Meant.there = None
    where = url or os.environ.get("CAXTON_URL")
    if not where:
        if token or token_file or ca or cert or insecure_http:
            raise ConfigurationError("the command line", "it says how to come in, and not where", "add --url")
        return
    if not where.lower().startswith(("https://", "http://")):
        how = "--url" if url else "CAXTON_URL"
        raise ConfigurationError(how, f"{shown(where)} is no URL", "write one such as https://caxton.example:8443")
    if token and token_file:
        raise ConfigurationError("the command line", "--token and --token-file are both there", "leave one out")
    file = token_file or (None if token else _path("CAXTON_TOKEN_FILE"))
    found = token or (os.environ.get("CAXTON_TOKEN") if file is None else _read(file))
    _Meant.there = Elsewhere(
        where, found, ca or _path("CAXTON_CA"), cert or _path("CAXTON_CERT"), insecure_http, bool(url)
    )


def elsewhere(runtime_dir: Path | None = None) -> Elsewhere | None:
    """Return the gateway that is meant, None for a runtime of this machine; --runtime-dir goes before CAXTON_URL.

    Raises ConfigurationError for --url with --runtime-dir.
    """
    there = _Meant.there
    if there is None or runtime_dir is None:
        return there
    if there.named:
        raise ConfigurationError(
            "the command line", "--url and a directory of this machine are both there", "leave one out"
        )
    return None


def check_here(runtime_dir: Path | None = None) -> None:
    """Raise Unsupported where a gateway is meant, for what only the machine of the runtime can do."""
    if (there := elsewhere(runtime_dir)) is not None:
        how = "--url" if there.named else "CAXTON_URL"
        raise Unsupported("this command from another machine", f"run it where the runtime serves, without {how}")


def _path(variable: str) -> Path | None:
    return Path(found) if (found := os.environ.get(variable)) else None


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAX_TOKEN_FILE)
        return raw.decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is no text of a token"
        raise ConfigurationError(str(file), str(problem), "name a file with a token in it") from None
