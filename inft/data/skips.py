"""Rows that are left out: counted by cause and language, and too many of them stop the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from inft.errors import DataError

MAX_SKIPPED_PERCENT = 5
"""A corpus with more unusable rows than this is more likely misread than dirty."""

MIN_SEEN = 100
"""Rows after which a share of them means something; before, one bad row of ten would stop a run."""

MAX_EXAMPLES = 20
"""Places named per report; enough to see the pattern, few enough to read."""


@dataclass(frozen=True)
class SkipReport:
    """What was left out of how much.

    Attributes:
        seen: rows looked at.
        kept: rows that are used, after any cap per language.
        skipped: number of rows by (cause, language).
        examples: places of the first rows of each cause.
    """

    seen: int
    kept: int
    skipped: Mapping[tuple[str, str], int]
    examples: Mapping[str, tuple[str, ...]]

    @property
    def total_skipped(self) -> int:
        """Rows skipped for any cause."""
        return sum(self.skipped.values())

    @property
    def percent(self) -> float:
        """Share of the rows seen that were skipped, 0 to 100."""
        return 100 * self.total_skipped / self.seen if self.seen else 0.0

    def too_many(self) -> bool:
        """Whether more than `MAX_SKIPPED_PERCENT` of the rows seen were skipped."""
        return self.total_skipped * 100 > self.seen * MAX_SKIPPED_PERCENT

    def text(self) -> str:
        """A line of totals, then a line per cause with its languages and up to 20 places in all."""
        lines = [f"{self.seen:,} rows seen, {self.total_skipped:,} skipped ({self.percent:.1f} %), {self.kept:,} used."]
        causes = sorted({cause for cause, _ in self.skipped})
        for cause in causes:
            by_language = sorted((language, n) for (c, language), n in self.skipped.items() if c == cause)
            places = self.examples.get(cause, ())[: max(1, MAX_EXAMPLES // len(causes))]
            lines.append(
                f"  {cause}: {sum(n for _, n in by_language):,} "
                f"({', '.join(f'{language} {n:,}' for language, n in by_language)}), "
                f"for instance {'; '.join(places)}"
            )
        return "\n".join(lines)


class SkipLedger:
    """Counts skipped rows while rows go by.

    Args:
        what: what the rows were for, as the error says it: "of the corpus", "while training".
    """

    def __init__(self, what: str = "while training") -> None:
        self.what = what
        self._seen = 0
        self._skipped: Counter[tuple[str, str]] = Counter()
        self._examples: dict[str, list[str]] = {}

    def seen(self, rows: int = 1) -> None:
        """Counts rows that went by, good or bad."""
        self._seen += rows

    def record(self, cause: str, language: str, place: str) -> None:
        """Counts one of them as skipped. `seen` counts it too."""
        self._skipped[cause, language] += 1
        examples = self._examples.setdefault(cause, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(place)

    def report(self, kept: int | None = None) -> SkipReport:
        """The counts so far; without `kept`, every row that was not skipped counts as used."""
        return SkipReport(
            seen=self._seen,
            kept=self._seen - self._skipped.total() if kept is None else kept,
            skipped=dict(self._skipped),
            examples={cause: tuple(places) for cause, places in self._examples.items()},
        )

    def check(self, *, final: bool = False) -> None:
        """Stops when too many rows were skipped.

        Args:
            final: no more rows will come, so fewer than `MIN_SEEN` of them count too.

        Raises:
            DataError: over `MAX_SKIPPED_PERCENT` of the rows seen, with the list.
        """
        if self._seen < MIN_SEEN and not final:
            return
        report = self.report()
        if report.too_many():
            raise DataError(
                f"{report.total_skipped:,} of {report.seen:,} rows {self.what} are unusable, "
                f"over the {MAX_SKIPPED_PERCENT} % that are tolerated.",
                f"Mend or remove these rows, or check data.columns.\n{report.text()}",
            )
