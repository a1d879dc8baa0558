"""`caxton deadletter`: list, show, requeue, purge, stats."""

import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from caxton.cli.columns import LONGEST_CELL
from caxton.cli.dead_letter_options import AllOption, Choice, FirstOption, chooses
from caxton.cli.message_text import letter_values, name_of
from caxton.cli.options import RuntimeDirOption
from caxton.cli.output import (
    Format,
    Output,
    print_hint,
    print_json,
    print_table,
    print_text,
    reports_errors,
)
from caxton.cli.pages import LimitOption, Listing, WholeOption, most
from caxton.cli.session import with_client
from caxton.cli.stats_text import lasted
from caxton.client.calls.letter_number import LetterNumber, not_there
from caxton.client.client import Client
from caxton.errors import ConfigurationError, DeadLetterNotFound, ValidationError, from_fields
from caxton.ids import MessageId
from caxton.printable import counted
from caxton.wire.calls import DeadLetter
from caxton.wire.told import DeadLetterStats

app = typer.Typer(
    name="deadletter",
    help="Messages that came to nothing: look at them, send them again, forget them.",
    epilog="Examples: caxton deadletter list; caxton deadletter show 0-17; caxton deadletter requeue --agent tally; "
    "caxton deadletter purge --help",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

LetterArgument = Annotated[
    str, typer.Argument(metavar="SHARD-NUMBER", help="Its name, such as 0-17.", show_default=False)
]
_LISTED = ("id", "reason", "attempts", "died_at", "receiver", "receiver_name", "sender", "content_bytes")


@app.command(
    "list",
    epilog="Examples: caxton deadletter list; caxton deadletter list --reason expired --agent tally --limit 20; "
    "caxton deadletter list --all; caxton deadletter list --before 2026-01-31 -o json",
)
@reports_errors
@chooses
def list_letters(
    choice: Choice,
    *,
    limit: LimitOption = None,
    whole: WholeOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """List dead letters without what they say, shard by shard, oldest first."""
    listing = Listing("dead letters", _LISTED, most(limit, output, whole=whole), output)
    missing: list[str] = []

    async def use(client: Client) -> None:
        await listing.show(_letters(client, choice, listing.asked, missing), partial(letter_values, with_content=False))
        if listing.nothing:
            await choice.explain_nothing(client)
        listing.end((await client.dead_letter_stats()).total_messages if listing.more and choice.is_open else None)

    with_client(runtime_dir, use)
    _check_nothing_missing(missing)


async def _letters(client: Client, choice: Choice, limit: int | None, missing: list[str]) -> AsyncIterator[DeadLetter]:
    """Yield those that were chosen; names of those that are not there go to `missing`."""
    if choice.ids is not None:
        for name in choice.ids:
            try:
                found = await client.dead_letter(name)
            except DeadLetterNotFound:
                missing.append(name)
            else:
                yield found
        return
    async for found in client.dead_letters(limit=limit, **choice.filter()):
        yield found


@app.command(epilog="Examples: caxton deadletter show 0-17; caxton deadletter show 0-17 -o json")
@reports_errors
def show(letter: LetterArgument, runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show all about one dead letter, what it says included."""

    async def use(client: Client) -> DeadLetter:
        return await client.dead_letter(letter)

    found = with_client(runtime_dir, use)
    values = letter_values(found, with_content=True)
    if output is Format.JSON:
        print_json(values)
    else:
        said = values | {"error": from_fields(found.error.error, found.error.fields)}
        print_table(name_of(found), ["", ""], said.items())
        if any(len(str(value)) > LONGEST_CELL for value in said.values()):
            print_hint("what is cut here is whole with -o json")


@app.command(
    epilog="Examples: caxton deadletter requeue --id 0-17 --id 1-4; caxton deadletter requeue --agent tally --limit 9; "
    "caxton deadletter requeue --all -o json"
)
@reports_errors
@chooses
def requeue(
    choice: Choice,
    *,
    limit: FirstOption = None,
    every: AllOption = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Send dead letters again, each under a new id and with no attempts.

    Of named ones those that are there are sent again, and then it is an error if some were not.
    """
    _check_chosen(choice, limit, every=every)

    async def use(client: Client) -> dict[str, MessageId]:
        chosen, arguments = await _chosen(client, choice, limit)
        sent = {} if chosen == [] else await client.requeue(chosen, **arguments)
        if not sent:
            await choice.explain_nothing(client)
        return sent

    sent = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json({"requeued": len(sent), "message_ids": {name: str(now) for name, now in sent.items()}})
    else:
        for name, now in sent.items():
            print_text(f"{name} is message {now} now")
        print_text(f"sent {counted(len(sent), 'dead letters')} again")
    _check_nothing_missing([name for name in (choice.ids or ())[:limit] if name not in sent])


@app.command(
    epilog="Examples: caxton deadletter purge --id 0-17; caxton deadletter purge --before 2026-01-31 --yes; "
    "caxton deadletter purge --all --yes -o json"
)
@reports_errors
@chooses
def purge(
    choice: Choice,
    *,
    limit: FirstOption = None,
    every: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    runtime_dir: RuntimeDirOption = None,
    output: Output = Format.TEXT,
) -> None:
    """Forget dead letters for good: asks first, unless told --yes.

    Of named ones those that are there are forgotten, and then it is an error if some were not.
    """
    _check_chosen(choice, limit, every=every)
    if not yes:
        _confirm()
    missing: list[str] = []

    async def use(client: Client) -> int:
        if choice.ids is not None:
            return await _purge_each(client, choice.ids[:limit], missing)
        chosen, arguments = await _chosen(client, choice, limit)
        purged = 0 if chosen == [] else await client.purge(chosen, **arguments)
        if not purged:
            await choice.explain_nothing(client)
        return purged

    count = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json({"purged": count})
    else:
        print_text(f"forgot {counted(count, 'dead letters')}")
    _check_nothing_missing(missing)


async def _purge_each(client: Client, names: Sequence[str], missing: list[str]) -> int:
    """Forget them one by one, to know which were not there: their names go to `missing`. Returns how many were."""
    # The highest shard first: one that there is not is refused before anything is forgotten.
    forgotten = {name for name in sorted(names, key=LetterNumber.parse, reverse=True) if await client.purge(name)}
    missing += [name for name in names if name not in forgotten]
    return len(forgotten)


@app.command(epilog="Examples: caxton deadletter stats; caxton deadletter stats -o json")
@reports_errors
def stats(runtime_dir: RuntimeDirOption = None, output: Output = Format.TEXT) -> None:
    """Show how many dead letters there are, why, how old and how large."""

    async def use(client: Client) -> DeadLetterStats:
        return await client.dead_letter_stats()

    found = with_client(runtime_dir, use)
    if output is Format.JSON:
        print_json(msgspec.structs.asdict(found))
        return
    rows: list[list[object]] = [[reason, count] for reason, count in sorted(found.messages_by_reason.items())]
    print_table("dead letters", ["reason", "count"], [*rows, ["all", found.total_messages]])
    age_ms = found.oldest_message_age_ms
    oldest = "there is none" if age_ms is None else f"{lasted(age_ms / 1_000)} ago"
    print_text(
        f"oldest: {oldest}; {found.queue_size_bytes:,} bytes; room for {found.capacity:,}; evicted: {found.evicted:,}"
    )


def _check_chosen(choice: Choice, limit: int | None, *, every: bool) -> None:
    """Raise ValidationError unless the command line says which dead letters it means, in one way."""
    if every and not choice.is_open:
        raise ValidationError("--all", "it means every dead letter; leave it out, or what else chooses some")
    if choice.is_open and limit is None and not every:
        raise ValidationError("dead letters", "choose some with --id or a filter, or all of them with --all")


async def _chosen(client: Client, choice: Choice, limit: int | None) -> tuple[Sequence[str] | None, dict[str, Any]]:
    """Return the names, or None, and the keyword arguments that choose dead letters for requeue and purge."""
    if choice.ids is not None:
        return choice.ids[:limit], {}
    if limit is None:
        return None, choice.filter() | {"everything": choice.is_open}
    return [name_of(found) async for found in client.dead_letters(limit=limit, **choice.filter())], {}


def _check_nothing_missing(missing: Sequence[str]) -> None:
    """Raise DeadLetterNotFound for those that were named and are not there."""
    if missing:
        raise not_there(*missing)


def _confirm() -> None:
    """Ask the person at the terminal; raises ConfigurationError where there is none, or who says no."""
    remedy = "add --yes"
    if not _at_a_terminal():
        raise ConfigurationError("purge", "it forgets for good, and nobody is there to confirm it", remedy)
    try:
        confirmed = typer.confirm("Forget these dead letters for good?", err=True)
    except typer.Abort:
        confirmed = False
        sys.stderr.write("\n")  # below the question, which nobody ended
    if not confirmed:
        raise ConfigurationError("purge", "it was not confirmed, and nothing was forgotten", "confirm it, or " + remedy)


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()
