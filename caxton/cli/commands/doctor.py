"""`caxton doctor`."""

from collections import Counter

import typer

from caxton.cli.layers import ServeConfig, ServeFlags, ServePreset, serve_context
from caxton.cli.options import resolve_data_dir, resolve_runtime_dir
from caxton.cli.output import FAILED, Format, Output, print_json, print_table, print_text, reports_errors
from caxton.doctor.examination import Plan, examine
from caxton.doctor.finding import Verdict
from caxton.printable import counted

EXAMPLES = (
    "Examples: caxton doctor; caxton doctor -o json; caxton doctor --config caxton.yaml; "
    "caxton doctor -- --workers 4 --data-dir ./data"
)


@reports_errors
def doctor(
    flags: ServeFlags = None,
    config: ServeConfig = None,
    preset: ServePreset = None,
    output: Output = Format.TEXT,
) -> None:
    """Look whether this machine serves well, and say what to change.

    Exit code 1 if something must be changed: a problem. A suggestion is none. It makes no files and changes nothing.
    """
    settings = serve_context(config, preset, flags).params
    directories = resolve_runtime_dir(settings["runtime_dir"]), resolve_data_dir(settings["data_dir"])
    findings = examine(Plan(*directories, settings["workers"], settings["effects_on_disk_mib"]))
    count = Counter(finding.verdict for finding in findings)
    if output is Format.JSON:
        told = [finding._asdict() for finding in findings]
        print_json({"ok": not count[Verdict.PROBLEM], "findings": told})
    else:
        rows = [(finding.verdict, finding.name, finding.found) for finding in findings]
        problems, better = (
            counted(count[Verdict.PROBLEM], "problems"),
            counted(count[Verdict.SUGGESTION], "suggestions"),
        )
        print_table(f"{problems}, {better}", ("", "what", "found"), rows)
        for finding in findings:
            if finding.advice:
                print_text(f"{finding.verdict}: {finding.name}: {finding.advice}")
    if count[Verdict.PROBLEM]:
        raise typer.Exit(FAILED)
