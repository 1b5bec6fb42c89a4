"""Which rows of the corpus a run uses.

The trainer sees a selection as row numbers only; a worker asks for `selection[i]` and gets text and a picture that is
still encoded. Nothing here decodes one.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.data.held_out import held_out_articles
from inft.data.rows import UNKNOWN_LANGUAGE, Corpus, ImageRef, Row, RowFacts, ScannableCorpus
from inft.data.skips import SkipLedger, SkipReport
from inft.data.sources import OpenProgress, open_corpus
from inft.errors import DataError
from inft.forecast.pictures import PictureCollector, PictureFiles
from inft.params import MUNIChusLoadConfig

__all__ = [
    "Corpus",
    "ImageRef",
    "OpenProgress",
    "Row",
    "ScanProgress",
    "ScannableCorpus",
    "Selection",
    "SkipReport",
    "load_evaluation_rows",
    "load_rows",
    "open_corpus",
    "select_rows",
]

ScanProgress = Callable[[int, int], None]
"""Called with (rows done, rows in all)."""

PROGRESS_EVERY_ROWS = 1000


@dataclass(frozen=True)
class Selection:
    """The rows that a run uses, itself a `Corpus`: `selection[i]` is the i-th of them.

    Attributes:
        corpus: all rows.
        indices: numbers in `corpus`, by language and then in the corpus's order.
        report: what was left out.
        pictures: the files of all rows' pictures, of those left out, too: one that appears brings its row back.
        languages: which of them are of each language; the languages in alphabetical order.
        articles: the key of each one's article, 0 for none; empty where a run does not evaluate.
    """

    corpus: Corpus
    indices: Sequence[int]
    report: SkipReport
    pictures: PictureFiles
    languages: Mapping[str, range]
    articles: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Row:
        return self.corpus[self.indices[index]]

    def __iter__(self) -> Iterator[Row]:
        return (self.corpus[index] for index in self.indices)


def load_rows(
    config: MUNIChusLoadConfig,
    *,
    root: Path,
    split: str,
    without_picture: bool = False,
    on_open: OpenProgress | None = None,
    on_scan: ScanProgress | None = None,
) -> Selection:
    """Opens the configured corpus and chooses its rows; see `open_corpus` and `select_rows`."""
    corpus = open_corpus(config, root=root, split=split, on_progress=on_open)
    return select_rows(corpus, config, split=split, without_picture=without_picture, on_progress=on_scan)


def load_evaluation_rows(
    config: MUNIChusLoadConfig,
    *,
    root: Path,
    without_picture: bool = False,
    on_open: OpenProgress | None = None,
    on_scan: ScanProgress | None = None,
) -> Selection | None:
    """The rows that a run evaluates on, at most `eval_rows_per_lang` of each language; None = it does not evaluate.

    They are those of `eval_split`, or those of `split` that `eval_fraction` holds out; see `select_rows`.
    """
    split = config.evaluation_split
    if split is None:
        return None
    corpus = open_corpus(config, root=root, split=split, on_progress=on_open)
    return select_rows(
        corpus, config, split=split, evaluation=True, without_picture=without_picture, on_progress=on_scan
    )


def select_rows(
    corpus: ScannableCorpus,
    config: MUNIChusLoadConfig,
    *,
    split: str,
    evaluation: bool = False,
    without_picture: bool = False,
    on_progress: ScanProgress | None = None,
) -> Selection:
    """The usable rows of the configured languages, at most `max_rows_per_lang` of each.

    A row is skipped, and counted, as `unreadable_row`, `empty_caption`, `empty_article` (with `remove_empty`) or
    `missing_image`, whichever comes first; white space alone is empty. Rows of other languages are counted
    apart. The draw of a language depends on `config.seed` and the language alone. What `eval_fraction` holds out of
    the split trained on is set apart before that draw.

    Args:
        corpus: the rows.
        config: languages, remove_empty, seed, split, and what says how many rows and which are held out.
        split: name of the split.
        evaluation: choose the rows to evaluate on.
        without_picture: choose rows whose picture is missing, too: whoever scores captions counts them as failures.
        on_progress: told every 1,000 rows, and at the end.

    Raises:
        DataError: a language has no usable row, or none of those to train or to evaluate on; or over 5 % of all rows
            are skipped.
    """
    ledger = SkipLedger("of the corpus")
    usable: dict[str, list[int]] = {language: [] for language in sorted(set(config.languages))}
    pictures = PictureCollector()
    articles: dict[int, int] = {}
    total = len(corpus)
    for index, facts in enumerate(corpus.scan(articles=config.evaluation_split is not None)):
        if on_progress and index % PROGRESS_EVERY_ROWS == 0:
            on_progress(index, total)
        if facts.language is not None and facts.language not in usable:
            ledger.unlisted(facts.language)
            continue
        ledger.seen()
        if facts.picture:
            pictures.add(facts.picture)
        cause = _skip_cause(facts, config.remove_empty)
        if without_picture and cause == "missing_image":
            cause = None
        if cause is None and facts.language is not None:
            usable[facts.language].append(index)
            articles[index] = facts.article
        else:
            place = corpus.place(index) + (f" ({facts.problem})" if facts.problem else "")
            ledger.record(cause or "unreadable_row", facts.language or UNKNOWN_LANGUAGE, place)
    if on_progress:
        on_progress(total, total)
    _check_languages(usable, ledger.report(), split)
    ledger.check(final=True)
    if config.eval_fraction is not None and split == config.split:
        usable = _one_side(usable, articles, config.eval_fraction, config.seed, held_out=evaluation)
    limit = config.eval_rows_per_lang if evaluation and config.eval_rows_per_lang else config.max_rows_per_lang
    indices: list[int] = []
    languages: dict[str, range] = {}
    for language, rows in usable.items():
        start = len(indices)
        indices += _draw(rows, language, limit, config.seed)
        languages[language] = range(start, len(indices))
    keys = array("Q", (articles[index] for index in indices)) if config.evaluation_split is not None else ()
    return Selection(corpus, tuple(indices), ledger.report(kept=len(indices)), pictures.done(), languages, keys)


def _one_side(
    usable: dict[str, list[int]], articles: dict[int, int], fraction: float, seed: int, *, held_out: bool
) -> dict[str, list[int]]:
    """The rows whose articles are held out, or the others; a row without an article is an article of its own."""

    def article(index: int) -> int:
        return articles[index] or -1 - index

    held = held_out_articles({language: map(article, rows) for language, rows in usable.items()}, fraction, seed)
    side = {
        language: [index for index in rows if (article(index) in held) == held_out] for language, rows in usable.items()
    }
    empty = [language for language, rows in side.items() if not rows]
    if empty:
        raise DataError(
            f"data.eval_fraction = {fraction:g} leaves no row in {', '.join(empty)} to "
            f"{'evaluate' if held_out else 'train'} on: there are too few articles.",
            "Evaluate on a split of its own (data.eval_split), or take the language out of data.languages.",
        )
    return side


def _skip_cause(facts: RowFacts, remove_empty: bool) -> str | None:
    if facts.problem or facts.language is None:
        return "unreadable_row"
    if not facts.has_caption:
        return "empty_caption"
    if remove_empty and not facts.has_content:
        return "empty_article"
    if not facts.has_image:
        return "missing_image"
    return None


def _draw(rows: Sequence[int], language: str, limit: int | None, seed: int) -> list[int]:
    """At most `limit` rows, drawn without replacement, in their first order."""
    if limit is None or len(rows) <= limit:
        return list(rows)
    shuffled = list(rows)
    random.Random(f"{seed}-{language}").shuffle(shuffled)
    return sorted(shuffled[:limit])


def _check_languages(usable: dict[str, list[int]], report: SkipReport, split: str) -> None:
    empty = [language for language, rows in usable.items() if not rows]
    if not empty:
        return
    skipped = report.text() if report.total_skipped else ""
    there = f" The corpus has rows in {', '.join(sorted(report.unlisted)[:20])}." if report.unlisted else ""
    if len(empty) == len(usable):
        raise DataError(
            f"The split '{split}' has no usable row.",
            f"Check data.path, data.columns and data.languages.{there}",
            skipped,
        )
    raise DataError(
        f"The split '{split}' has no usable row in {', '.join(empty)}.",
        f"Add rows or take the language out of data.languages.{there}",
        skipped,
    )
