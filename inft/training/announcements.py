"""What a run says of itself in words, for `console.log` and for whoever follows its events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inft.data.skips import SkipLedger
from inft.forecast.statistics import Statistics
from inft.runs import events
from inft.training.report import RunReport


def announce(report: RunReport, kind: str, text: str, level: events.AlertLevel = "info") -> None:
    """A fact about the run, for `console.log` and for whoever follows its events."""
    print(text, flush=True)
    first, *others = (" ".join(line.split()) for line in text.splitlines())
    one_line = "; ".join([first.rstrip(".") if others else first, *others])
    report.event(events.alert(level=level, kind=kind, message=one_line, fix=""))


def tell_aside(report: RunReport, folder: Path | None) -> None:
    """Says where an earlier run's results are now."""
    if folder is not None:
        announce(report, "earlier", f"Results of an earlier run were moved to {folder}.")


def tell_leftovers(report: RunReport, folders: Sequence[Path]) -> None:
    """Says what of killed runs or replaced results could not be deleted; that is no reason to end a run."""
    for folder in folders:
        announce(report, "disk", f"{folder} could not be deleted; the next run here tries again.", "warning")


def tell_unusable(statistics: Statistics, report: RunReport) -> None:
    """Rows that will be skipped, as far as that is known before a picture is decoded."""
    skips = statistics.skips
    if skips.total_skipped and not skips.too_many():
        announce(report, "rows", f"Measured: {skips.text()}", "warning")


def tell_skips(ledger: SkipLedger, report: RunReport) -> None:
    """Rows found unusable while training, if any."""
    skips = ledger.report()
    if skips.total_skipped:
        announce(report, "rows", f"While training: {skips.text()}", "warning")
