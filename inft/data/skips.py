"""Rows that are left out: counted by cause and language, and too many of them stop the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inft.errors import DataError

CAUSES = {
    "too_long": "longer than basic.max_length even without the article",
    "undecodable_image": "picture cannot be decoded",
    "missing_image": "no picture",
    "empty_caption": "no caption",
    "empty_article": "no article",
    "unreadable_row": "cannot be read",
    "unusable_row": "unusable",
}
"""Why a row is left out, for people."""

FIXES = {
    "too_long": "raise basic.max_length, since only the article is ever shortened",
    "undecodable_image": "mend the pictures that cannot be decoded, or remove their rows",
    "missing_image": "put the missing pictures back, or remove their rows",
    "empty_caption": "add the missing captions or correct data.columns",
    "empty_article": "set data.remove_empty = false to train without these articles, or correct data.columns",
    "unreadable_row": "mend or remove the rows that cannot be read",
    "unusable_row": "mend or remove these rows",
}
"""What to do about them, as the beginning of a sentence."""

MAX_SKIPPED_PERCENT = 5
"""A corpus with more unusable rows than this is more likely misread than dirty."""

MIN_SEEN = 100
"""Rows after which a share of them means something; before, one bad row of ten would stop a run."""

MAX_EXAMPLES = 20
"""Places named per report; enough to see the pattern, few enough to read."""


@dataclass(frozen=True)
class SkippedRows:
    """Rows that are left out for one reason.

    Attributes:
        cause: one of `CAUSES`.
        languages: how many of each.
        examples: places of the first of them.
    """

    cause: str
    languages: dict[str, int]
    examples: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Of all languages together."""
        return sum(self.languages.values())

    @property
    def words(self) -> str:
        """The cause, for people."""
        return CAUSES.get(self.cause, self.cause)

    def text(self, examples: int = MAX_EXAMPLES) -> str:
        """A line with languages and at most so many places."""
        languages = ", ".join(f"{language} {rows:,}" for language, rows in sorted(self.languages.items()))
        return f"{self.words}: {self.rows:,} ({languages}), for instance {'; '.join(self.examples[:examples])}"


@dataclass(frozen=True)
class SkipReport:
    """What was left out of how much.

    Attributes:
        seen: rows looked at.
        kept: rows that are used, after any cap per language.
        skipped: number of rows by (cause, language).
        examples: places of the first rows of each cause.
        unlisted: rows of languages that are not configured, and so not among those seen.
        needed: tokens that the longest of the rows that are too long takes without its article; 0 = not known.
    """

    seen: int
    kept: int
    skipped: Mapping[tuple[str, str], int]
    examples: Mapping[str, tuple[str, ...]]
    unlisted: Mapping[str, int] = field(default_factory=dict)
    needed: int = 0

    @classmethod
    def of(cls, seen: int, causes: Iterable[SkippedRows], *, needed: int = 0) -> SkipReport:
        """Of rows that were sorted by cause before."""
        listed = tuple(causes)
        skipped = {(one.cause, language): rows for one in listed for language, rows in one.languages.items()}
        examples = {one.cause: one.examples for one in listed}
        return cls(seen, seen - sum(skipped.values()), skipped, examples, needed=needed)

    @property
    def causes(self) -> tuple[SkippedRows, ...]:
        """What was skipped by cause, the most frequent first."""
        found: dict[str, dict[str, int]] = {}
        for (cause, language), rows in self.skipped.items():
            found.setdefault(cause, {})[language] = rows
        listed = [SkippedRows(cause, rows, self.examples.get(cause, ())) for cause, rows in found.items()]
        return tuple(sorted(listed, key=lambda one: (-one.rows, one.cause)))

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
        examples = max(1, MAX_EXAMPLES // max(1, len(self.causes)))
        lines += [f"  {one.text(examples)}" for one in self.causes]
        if self.unlisted:
            lines.append(f"  {unlisted_text(self.unlisted)}")
        return "\n".join(lines)

    def error(self, what: str) -> DataError:
        """What ends a run for so many skipped rows: the causes, what to do about each, and the list.

        Args:
            what: which rows were looked at, as in "of the corpus".
        """
        causes = ", ".join(f"{one.words} {one.rows:,}" for one in self.causes)
        fixes = "; ".join(self._fix(one.cause) for one in self.causes)
        return DataError(
            f"{self.total_skipped:,} of {self.seen:,} rows {what} are unusable, "
            f"over the {MAX_SKIPPED_PERCENT} % that are tolerated: {causes}.",
            f"{fixes[:1].upper()}{fixes[1:]}.",
            self.text(),
        )

    def _fix(self, cause: str) -> str:
        if cause == "too_long" and self.needed:
            return f"raise basic.max_length to at least {self.needed:,}, since only the article is ever shortened"
        return FIXES.get(cause, FIXES["unusable_row"])


def unlisted_text(unlisted: Mapping[str, int]) -> str:
    """Which languages' rows are left out since they are not configured."""
    named = sorted(unlisted.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{language} {rows:,}" if rows else language for language, rows in named[:MAX_EXAMPLES]]
    more = f" and {len(named) - MAX_EXAMPLES} more" if len(named) > MAX_EXAMPLES else ""
    return f"not in data.languages, left out: {', '.join(shown)}{more}"


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
        self._unlisted: Counter[str] = Counter()

    def seen(self, rows: int = 1) -> None:
        """Counts rows that went by, good or bad."""
        self._seen += rows

    def unlisted(self, language: str) -> None:
        """Counts a row whose language is not configured."""
        self._unlisted[language] += 1

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
            unlisted=dict(self._unlisted),
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
            raise report.error(self.what)
