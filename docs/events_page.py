"""Writes the table of kinds in docs/events.md, from the code: `python docs/events_page.py`."""

from pathlib import Path

from caxton.wire.events import KINDS

PAGE = Path(__file__).with_name("events.md")
BEGIN, END = "<!-- kinds -->\n", "<!-- end of kinds -->\n"


def written(page: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = "".join(f"| `{kind}` | {says} |\n" for kind, says in sorted(KINDS.items()))
    return f"{before}{BEGIN}| kind | what happened |\n|---|---|\n{rows}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
