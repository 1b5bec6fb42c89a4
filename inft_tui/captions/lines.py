"""The list of sampled rows, and one of them in words: the corpus's caption, the model's, and how that came about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.captions.album import Moment, SampledRow
from inft_tui.captions.changes import changed
from inft_tui.captions.scores import Pair
from inft_tui.captions.wrapping import wrapped
from inft_tui.display.spans import EMPTY, Line, Span, cut, fit, pad

ScoreOf: TypeAlias = Callable[[Pair], float | None]

LABEL_COLUMNS = 11
"""Of what stands before a caption, as in `step 1,200`."""
NO_CAPTION, FAILED = "(an empty caption)", "no caption: "
EDGE = 1
"""Columns at the right that stay blank: tmux gives a mark that follows the last one's letter to the letter before."""
_LANGUAGE, _NUMBER, _SCORE, _CHANGE = 6, 7, 7, 7
_NUMBERS_FROM, _CHANGES_FROM = 44, 56
"""Columns from which on the list names the row's number, and what its score has changed by."""
_LEAST_CHANGE = 0.05
MOST_HISTORY = 100
"""Captions of one row that are listed at a time."""


@lru_cache(4096)
def safe(text: str) -> str:
    """`text` of a file, safe to show on one line."""
    return visible(redact(text)).strip()


def pair(row: SampledRow, moment: Moment) -> Pair:
    """What a score is of; no caption counts as an empty one."""
    return moment.caption, row.reference


def heading(columns: int, *, scored: bool) -> Line:
    """Of the list."""
    parts = [" " + pad("", _LANGUAGE)]
    if columns >= _NUMBERS_FROM:
        parts.append(pad("row", _NUMBER, right=True))
    if scored:
        parts.append(pad("chrF", _SCORE, right=True))
        if columns >= _CHANGES_FROM:
            parts.append(pad("change", _CHANGE + 1, right=True))
    return ((f"{''.join(parts)}  newest caption", "dim"),)


def entry(
    row: SampledRow, columns: int, score_of: ScoreOf, *, scored: bool, first_of_language: bool, selected: bool
) -> Line:
    """A row of the list.

    Args:
        row: of the corpus.
        columns: that there are.
        score_of: gives the score of a caption, None where it is not known yet.
        scored: whether there are scores at all.
        first_of_language: whether to say which language it is.
        selected: whether it is the chosen one.
    """
    moment = row.moments[-1]
    spans: list[Span] = [(" " + pad(safe(row.language) if first_of_language else "", _LANGUAGE), "title")]
    if columns >= _NUMBERS_FROM:
        number = f"{row.number:,}" if row.number >= 0 else "·"
        spans.append((pad(number, _NUMBER, right=True), "dim"))
    if scored:
        score = score_of(pair(row, moment))
        spans.append((pad("…" if score is None else f"{score:.1f}", _SCORE, right=True), "text"))
        if columns >= _CHANGES_FROM:
            spans.append(_change(row, score, score_of))
    spans += [("  ", "text"), _said(moment)]
    line = _within_edge(spans, columns)
    return tuple((text, f"{role} selected") for text, role in line) if selected else line


def pairs_of(row: SampledRow) -> list[Pair]:
    """What the list shows scores of."""
    return [pair(row, moment) for moment in row.moments[-2:]]


def details(row: SampledRow, at: int, columns: int, score_of: ScoreOf, *, airy: bool = True) -> list[Line]:
    """One row in words.

    Args:
        row: of the corpus.
        at: which of its moments is looked at.
        columns: that there are, at least 3.
        score_of: as for `entry`.
        airy: whether there is room for blank lines.
    """
    gap = [EMPTY] if airy else []
    moment = row.moments[at]
    before = row.moments[at - 1] if at else None
    was, now = changed("" if before is None else safe(before.caption), safe(moment.caption))
    if before is None or not safe(before.caption):
        now = ((safe(moment.caption), "text"),)
    lines = _block(["corpus"], ((safe(row.reference), "text"),), columns, "dim")
    score = score_of(pair(row, moment))
    labels = [*_when(moment), *_score_words(score)]
    if before is not None and score is not None and (earlier := score_of(pair(row, before))) is not None:
        labels += [_signed(score - earlier)] if abs(score - earlier) >= _LEAST_CHANGE else []
    lines += [*gap, *_block(labels, _or_why_not(moment, now), columns, "accent")]
    if before is not None:
        labels = [*_when(before), *_score_words(score_of(pair(row, before)))]
        lines += [*gap, *_block(labels, _or_why_not(before, was), columns, "dim")]
    if row.place:
        lines += [*gap, *_block(["from"], ((safe(row.place), "dim"),), columns, "dim")]
    return lines + _history(row, at, columns, score_of)


def step_words(moment: Moment) -> str:
    """When it was said."""
    return "before" if moment.step is None else f"step {moment.step:,}"


def _history(row: SampledRow, at: int, columns: int, score_of: ScoreOf) -> list[Line]:
    """What was said at each time, the newest first, where there are more than the two that are shown in full."""
    if len(row.moments) <= 2:
        return []
    count = len(row.moments)
    last = min(count, max(at + MOST_HISTORY // 2, MOST_HISTORY))
    first = max(0, last - MOST_HISTORY)
    lines: list[Line] = [EMPTY, _note(f" {count:,} captions, the newest first", columns)]
    if last < count:
        lines.append(_note(f"   … {count - last:,} later", columns))
    for place in range(last - 1, first - 1, -1):
        moment = row.moments[place]
        role = "accent" if place == at else "dim"
        mark = " ▸" if place == at else "  "
        spans: list[Span] = [(mark + pad(_short(moment), LABEL_COLUMNS - 4, right=True), role)]
        score = score_of(pair(row, moment))
        if score is not None:
            spans.append((f"{score:6.1f}", role))
        spans += [("  ", "text"), _said(moment)]
        lines.append(_within_edge(spans, columns))
    if first:
        lines.append(_note(f"   … {first:,} before", columns))
    return lines


def _within_edge(spans: Sequence[Span], columns: int) -> Line:
    return fit(fit(tuple(spans), columns - EDGE, "text"), columns, "text")


def _note(words: str, columns: int) -> Line:
    return ((cut(words, columns), "dim"),)


def _block(labels: Sequence[str], said: Line, columns: int, role: str) -> list[Line]:
    """Labels below each other, and beside them a text; where it is narrow, above it."""
    if columns < LABEL_COLUMNS + 16:
        head: list[Line] = [((" " + cut(" · ".join(labels), columns - 1), role),)]
        return [*head, *[((" ", "text"), *line) for line in wrapped(said, max(2, columns - 1 - EDGE))]]
    texts = wrapped(said, columns - LABEL_COLUMNS - 1 - EDGE)
    count = max(len(labels), len(texts))
    return [
        (
            (" " + pad(labels[place] if place < len(labels) else "", LABEL_COLUMNS), role),
            *(texts[place] if place < len(texts) else EMPTY),
        )
        for place in range(count)
    ]


def _or_why_not(moment: Moment, said: Line) -> Line:
    if moment.failure:
        return ((f"{FAILED}{safe(moment.failure)}", "bad"),)
    return said if safe(moment.caption) else ((NO_CAPTION, "warn"),)


def _said(moment: Moment) -> Span:
    """A caption in one line."""
    if moment.failure:
        return f"✗ {safe(moment.failure)}", "bad"
    caption = safe(moment.caption)
    return (caption, "text") if caption else (NO_CAPTION, "warn")


def _when(moment: Moment) -> list[str]:
    return [step_words(moment), "the end"] if moment.is_final else [step_words(moment)]


def _short(moment: Moment) -> str:
    if moment.is_final:
        return "end"
    return "before" if moment.step is None else f"{moment.step:,}"


def _score_words(score: float | None) -> list[str]:
    return [] if score is None else [f"chrF {score:.1f}"]


def _signed(change: float) -> str:
    return f"{change:+.1f}"


def _change(row: SampledRow, score: float | None, score_of: ScoreOf) -> Span:
    """By how much the newest caption is better than the one before."""
    before = score_of(pair(row, row.moments[-2])) if len(row.moments) > 1 else None
    change = 0.0 if score is None or before is None else score - before
    words = _signed(change) if abs(change) >= _LEAST_CHANGE else ""
    return pad(words, _CHANGE + 1, right=True), "good" if change > 0 else "warn"
