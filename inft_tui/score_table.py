"""Scores as a person reads them: a line per language, each figure with its interval, and how words were counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from inft.runs.visible import visible
from inft.scoring.assessment import Assessed, Assessment, Part
from inft.scoring.measuring import METRICS
from inft.scoring.resampling import LEVEL

NARROWEST = 40
WIDEST = 120

HEADINGS = ("BLEU-4", "chrF", "CIDEr")
MACRO, POOLED = "macro", "pooled"
LONGEST_NAME = 16
"""Columns of a language's name; the bundled corpora call theirs by two or three letters."""

SIGNIFICANT = 0.05

HEAD_STYLE, DIM_STYLE, FAILED_STYLE, BETTER_STYLE, WORSE_STYLE = "bold", "dim", "yellow", "green", "red"

_Cell = tuple[str, str]
"""Text and style."""


def lines(found: Assessment, width: int) -> Iterator[Text]:
    """The scores in `width` columns."""
    file = found.file
    whole = file.pooled.scores
    failed = f", {whole.failures:,} of them without a caption" if whole.failures else ""
    yield from _headed(str(file.path), f"{_rows(whole.rows)}{failed}, scored in {found.mode} mode", width)
    yield Text()
    yield from _scores(file, width)
    if found.rival is not None:
        yield Text()
        by = "by their numbers" if found.paired_by == "row" else "by their order in each language"
        yield Text("Compared with", HEAD_STYLE)
        yield from _headed(str(found.rival.path), f"{_rows(found.rival.pooled.scores.rows)}, paired {by}", width)
        yield Text()
        yield from _scores(found.rival, width)
        yield Text()
        yield from _differences(found.rival, width)
    yield Text()
    yield from _legend(found, width)


def _scores(file: Assessed, width: int) -> Iterator[Text]:
    """A line per language; its intervals beside the figures where there is room for them, else below."""
    for form in (_beside, _below, _alone):
        table = form(file)
        if _width(table) <= width or form is _alone:
            yield from _drawn(table, width)
            return


def _beside(file: Assessed) -> list[list[_Cell]]:
    heads = [cell for heading in HEADINGS for cell in ((heading, HEAD_STYLE), ("", ""))]
    table = [[*_head(), *heads]]
    for name, part in _parts(file):
        figures = [
            cell
            for metric, span in zip(METRICS, _spans(part), strict=True)
            for cell in ((_figure(part, metric), ""), (span, DIM_STYLE))
        ]
        table.append([*_counts(name, part), *figures])
    return table


def _below(file: Assessed) -> list[list[_Cell]]:
    table = _alone(file)[:1]
    for name, part in _parts(file):
        table.append([*_counts(name, part), *((_figure(part, metric), "") for metric in METRICS)])
        if part.interval is not None:
            table.append([("", ""), ("", ""), ("", ""), *((span, DIM_STYLE) for span in _spans(part))])
    return table


def _alone(file: Assessed) -> list[list[_Cell]]:
    rows = [[*_counts(name, part), *((_figure(part, metric), "") for metric in METRICS)] for name, part in _parts(file)]
    return [[*_head(), *((heading, HEAD_STYLE) for heading in HEADINGS)], *rows]


def _differences(rival: Assessed, width: int) -> Iterator[Text]:
    """How far the first file is above the second."""
    resampled = rival.macro.p is not None
    heads = [cell for heading in HEADINGS for cell in ((heading, HEAD_STYLE), ("p" if resampled else "", DIM_STYLE))]
    table = [[("difference", HEAD_STYLE), *heads]]
    for name, part in _parts(rival):
        table.append([(name, ""), *(cell for place in range(len(METRICS)) for cell in _difference(part, place))])
    if _width(table) > width:
        table = [[cell for place, cell in enumerate(line) if place == 0 or place % 2] for line in table]
        table[0][0] = ("diff.", HEAD_STYLE)
    yield from _drawn(table, width)


def _difference(part: Part, place: int) -> tuple[_Cell, _Cell]:
    if part.difference is None:
        return ("", ""), ("", "")
    figure = float(part.difference[place])
    if part.p is None:
        return (f"{figure:+.2f}", ""), ("", "")
    p = float(part.p[place])
    style = "" if p >= SIGNIFICANT else BETTER_STYLE if figure > 0 else WORSE_STYLE
    star = "*" if p < SIGNIFICANT else " "
    return (f"{figure:+.2f}{star}", style), ("<0.001" if p < 0.0005 else f"{p:.3f}", DIM_STYLE)


def _legend(found: Assessment, width: int) -> Iterator[Text]:
    said = [
        "macro: mean over languages; pooled: all rows as one corpus; CIDEr is CIDEr-D x 100",
        *(["failed: rows without a caption, scored as an empty one"] if found.file.pooled.scores.failures else []),
    ]
    if found.resamples and _width(_below(found.file)) <= width:
        said.append(f"a-b: {LEVEL:.0%} of {found.resamples:,} resampled corpora (seed {found.seed})")
    if found.rival is not None:
        said.append("difference: the first file less the second")
    if found.resamples and found.rival is not None:
        said.append(f"p: how often chance alone makes such a difference; *: p < {SIGNIFICANT}")
    yield from _wrapped("; ".join(said), width, DIM_STYLE)
    for words in _signatures(found.signatures):
        # A signature is broken between its parts, if it must be.
        for line in _wrapped(words.replace("|", "| "), width, indent="  "):
            yield Text(line.plain.replace("| ", "|"), DIM_STYLE)
    for language in found.doubted:
        yield from _wrapped(
            f"{visible(language)} is written without blanks and nothing here tells its words apart: its BLEU-4 and "
            "CIDEr count phrases as words. Go by its chrF; Chinese, Cantonese and Japanese are told apart as zh, yue "
            "and ja.",
            width,
            FAILED_STYLE,
        )
    lonely = [name for name, part in found.file.languages.items() if part.scores.rows == 1]
    if lonely:
        yield from _wrapped(
            f"Of a single row CIDEr is 0 ({', '.join(map(visible, lonely))}): no word of it is rarer than another.",
            width,
            FAILED_STYLE,
        )


def _signatures(signatures: Mapping[str, str]) -> Iterator[str]:
    """Each signature of BLEU once, with the languages that it is of."""
    languages: dict[str, list[str]] = {}
    for name, signature in signatures.items():
        metric, _, of = name.partition("_")
        if metric == "bleu4" and of != POOLED:
            languages.setdefault(signature, []).append(visible(of))
    for signature, names in languages.items():
        yield f"BLEU-4 {', '.join(names)}: {signature}"
    yield f"chrF: {signatures['chrf']}"


def _parts(file: Assessed) -> list[tuple[str, Part]]:
    names = [(_name(language), part) for language, part in file.languages.items()]
    return [*names, (MACRO, file.macro), (POOLED, file.pooled)]


def _name(language: str) -> str:
    shown = visible(language)
    return shown if cell_len(shown) <= LONGEST_NAME else f"{set_cell_size(shown, LONGEST_NAME - 3)}..."


def _head() -> list[_Cell]:
    return [("", ""), ("rows", HEAD_STYLE), ("failed", HEAD_STYLE)]


def _counts(name: str, part: Part) -> list[_Cell]:
    scores = part.scores
    return [(name, ""), (f"{scores.rows:,}", ""), (f"{scores.failures:,}", FAILED_STYLE if scores.failures else "")]


def _figure(part: Part, metric: str) -> str:
    figures = {"bleu4": part.scores.bleu4, "chrf": part.scores.chrf, "cider": part.scores.cider}
    return f"{figures[metric]:.2f}"


def _spans(part: Part) -> list[str]:
    if part.interval is None:
        return ["" for _ in METRICS]
    low, high = part.interval
    return [f"{float(low[place]):.1f}-{float(high[place]):.1f}" for place in range(len(METRICS))]


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _widths(table: Sequence[Sequence[_Cell]]) -> list[int]:
    return [max(cell_len(text) for text, _ in column) for column in zip(*table, strict=True)]


def _gaps(table: Sequence[Sequence[_Cell]]) -> list[int]:
    """Blanks before each column: what is said about a figure stands closer to it."""
    last = table[-1]
    return [0] + [
        1 if style == DIM_STYLE and last[place][1] != DIM_STYLE else 2 for place, (_, style) in enumerate(last[1:])
    ]


def _width(table: Sequence[Sequence[_Cell]]) -> int:
    return sum(width + gap for width, gap in zip(_widths(table), _gaps(table), strict=True) if width)


def _drawn(table: Sequence[Sequence[_Cell]], width: int) -> Iterator[Text]:
    """The table's lines, the first column on its left and the others on their right, closer where that helps."""
    widths, gaps = _widths(table), _gaps(table)
    if _width(table) > width:
        gaps = [min(gap, 1) for gap in gaps]
    for cells in table:
        line = Text()
        for place, ((text, style), column, gap) in enumerate(zip(cells, widths, gaps, strict=True)):
            if not column:
                continue
            blank = " " * (column - cell_len(text))
            line.append(" " * gap + (blank if place else ""))
            line.append(text, style)
            line.append("" if place else blank)
        line.rstrip()
        yield line


def _headed(path: str, words: str, width: int) -> Iterator[Text]:
    """A file and what is said of it; where they do not fit into a line, the path has lines of its own."""
    path = visible(path)
    if cell_len(f"{path}: {words}") <= width:
        yield Text(f"{path}: {words}", HEAD_STYLE)
        return
    yield from _wrapped(path, width, HEAD_STYLE)
    yield from _wrapped(words, width, HEAD_STYLE)


def _wrapped(words: str, width: int, style: str = "", indent: str = "") -> Iterator[Text]:
    """Lines of at most `width` columns; a path is not broken at its hyphens."""
    for line in wrap(words, width, subsequent_indent=indent, break_on_hyphens=False):
        yield Text(line, style)
