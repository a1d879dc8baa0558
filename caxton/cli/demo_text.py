"""What the demos show people."""

from caxton.cli.output import print_table, print_text
from caxton.demo.market import MarketReport
from caxton.demo.words import WordCount
from caxton.printable import counted, printable

_LONGEST_SHOWN = 60


def show_words(found: WordCount) -> None:
    """Print the most frequent words, and how they were counted."""
    rows = [
        (f"{place}.", printable(word.decode(errors="backslashreplace"), _LONGEST_SHOWN), f"{times:,}")
        for place, (word, times) in enumerate(found.top, 1)
    ]
    print_table(f"the {len(rows)} most frequent words", ["", "word", "times"], rows)
    crossed = found.across_workers / max(1, found.total_words)
    rate = found.messages_delivered / max(found.seconds, 1e-9)
    print_text(
        f"{found.total_words:,} words, {found.distinct_words:,} of them different, from {found.lines:,} lines and "
        f"{found.files:,} files"
    )
    print_text(
        f"{found.messages_delivered:,} messages delivered to sandboxed agents on "
        f"{counted(found.workers, 'workers')} in {found.seconds:.1f} s: {rate:,.0f} messages per second"
    )
    print_text(
        f"{found.across_workers:,} messages went from one worker to another ({crossed:.0%} of the words), "
        f"{found.lost} were lost; workers restarted meanwhile: {found.restarted}"
    )


def show_market(report: MarketReport) -> None:
    """Print who carried how much, whether that is right, and one negotiation."""
    print_table(
        "contracts", ["carrier", "contracts"], [(name, f"{count:,}") for name, count in report.by_carrier.items()]
    )
    rate = report.rows / max(report.seconds, 1e-9)
    print_text(
        f"{report.rows:,} rows negotiated on {counted(report.workers, 'workers')} in {report.seconds:.1f} s, "
        f"{rate:,.0f} a second: "
        f"{report.contracts:,} contracts, {report.nobody:,} that nobody carries"
    )
    print_text(
        f"{report.agrees:,} of {report.rows:,} agree with the computation without agents, {report.lost} contracts were "
        f"lost; workers restarted meanwhile: {report.restarted}"
    )
    if report.disagreeing:
        print_text(f"lines of the table that do not agree: {', '.join(map(str, report.disagreeing))}")
    for number, step in enumerate(report.story):
        print_text(f"  {step}" if number else f"the negotiation with the most proposals, {step}:")
