"""`data`: how long the rows of a profile are, per language and all together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from textwrap import wrap

import msgspec
from rich.text import Text

from inft.config import Config
from inft.data.skips import SkippedRows, unlisted_text
from inft.errors import DataError, ExitCode, InftError
from inft.forecast.statistics import (
    LanguageStatistics,
    Statistics,
    cached_statistics,
    check_usable,
    pictures_unchanged,
)
from inft.profiles import resolve
from inft.project import project_root
from inft.runs.launch import own_path
from inft.runs.visible import visible
from inft_tui.commands.training_modules import require_training_libraries
from inft_tui.edge import report
from inft_tui.histograms import Glyphs, bins, chart, column_chart, glyphs_of_stdout, mean, quantile
from inft_tui.styled_lines import put_lines
from inft_tui.terminal import out_json, put

WIDTH = 80
NARROWEST = 40
WIDEST = 120
"""Wider, the bars would only grow longer."""

ROOMY_WIDTH = 76
SHORTEST_AXIS = 10
"""Fewer columns would show nothing of a distribution."""

LANGUAGE, ROWS, MEDIAN, MOST, LONGEST = "", "rows", "median", "95 %", "longest"
TILES, CAPTION, CUT = "tiles", "caption", "cut"
HEADINGS = (LANGUAGE, ROWS, MEDIAN, MOST, LONGEST, TILES, CAPTION, CUT)
DROPPED = (CUT, CAPTION, TILES, MOST, MEDIAN)
"""What goes where a terminal is too narrow, in this order."""

LEGEND = {
    MEDIAN: "half of the rows have no more tokens",
    MOST: "95 of 100 rows have no more",
    LONGEST: "tokens of the longest row",
    TILES: "of a picture, on average",
    CAPTION: "supervised tokens of a row, on average",
    CUT: "rows whose article is shortened",
}
BARS = "bars on the right: rows by their number of tokens, each language as high as its fullest"
EXAMPLES = 3
"""Places that are named for each reason of leaving rows out."""

TOKEN_BINS = 12
SUPERVISED_BINS = 10
MOST_TILES = 16

BAR_STYLE, HEAD_STYLE, DIM_STYLE, CUT_STYLE = "cyan", "bold", "dim", "yellow"

MODULE = "inft.measure"


def run(profile: str, overrides: Sequence[str], split: str | None, *, as_json: bool) -> int:
    """Prints the lengths of the rows that `profile` with `overrides` would use; measures them first if need be.

    Args:
        profile: its name, or a file.
        overrides: each "table.key=value".
        split: another split than the one trained on.
        as_json: as one line of JSON.

    Returns:
        The exit code of measuring where that failed, which has said why; or that of a run which these rows would end.

    Raises:
        ConfigError: the configuration cannot be used.
        NotReadyError: nothing is in the cache, and the libraries that could measure are not installed.
    """
    config = resolve(profile, overrides).config
    root = project_root()
    statistics = cached_statistics(config, root, split)
    if statistics is None or not pictures_unchanged(statistics):
        require_training_libraries()
        code, answer = _measure(profile, overrides, split, as_json=as_json)
        if code != ExitCode.FINISHED:
            put(answer)  # of a failure that is told in JSON
            return code
        statistics = msgspec.json.decode(answer, type=Statistics)
    if as_json:
        out_json(json.dumps(document(config, statistics), ensure_ascii=False))
    else:
        width = max(NARROWEST, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDEST))
        put_lines(lines(config, statistics, width, glyphs_of_stdout()))
    problem = _problem(statistics)
    if problem is None:
        return ExitCode.FINISHED
    report(problem.kind, problem.message, problem.fix, as_json=False)  # stdout has it already, as has the list
    return problem.exit_code


def document(config: Config, statistics: Statistics) -> dict[str, object]:
    """What `--json` prints: counts by value, so that any figure can be had from them."""
    groups = {**statistics.languages, "all": statistics.overall}
    problem = _problem(statistics)
    return {
        "profile": config.profile,
        "family": config.family,
        "split": statistics.split,
        "max_length": config.basic.max_length,
        "rows": statistics.rows,
        "measured": datetime.fromtimestamp(statistics.measured_at, UTC).isoformat(timespec="seconds"),
        "unusable": [_skipped(one) for one in statistics.unusable],
        "longest_needed": statistics.needed or None,
        "left_out": [_skipped(one) for one in statistics.choosing.skipped],
        "not_in_languages": statistics.choosing.unlisted,
        "problem": None if problem is None else {"message": problem.message, "fix": problem.fix},
        "languages": {name: _figures(group) for name, group in groups.items() if name != "all"},
        "all": _figures(groups["all"]),
    }


def lines(config: Config, statistics: Statistics, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """The statistics as a person reads them, in `width` columns."""
    overall = statistics.overall
    measured = datetime.fromtimestamp(statistics.measured_at).strftime("%Y-%m-%d %H:%M")
    head = f"{config.profile}: split {statistics.split}, {statistics.rows:,} rows, measured {measured}"
    yield from _wrapped(head, width, HEAD_STYLE)
    yield from _left_out(statistics, width)
    yield Text()
    yield from _by_language(config, statistics, overall, width, glyphs)
    yield Text()
    yield from _wrapped(f"Tokens of a row with its picture, at most {config.basic.max_length:,}", width, HEAD_STYLE)
    yield from _chart(overall.tokens, TOKEN_BINS, width, glyphs)
    yield Text()
    tiles, supervised = Text("Tiles of a picture", HEAD_STYLE), Text("Supervised tokens of a row", HEAD_STYLE)
    if width < ROOMY_WIDTH:
        yield from (tiles, *_chart(overall.tiles, MOST_TILES, width, glyphs), Text(), supervised)
        yield from _chart(overall.supervised, SUPERVISED_BINS, width, glyphs)
    else:
        half = width // 2 - 1
        left = [tiles, *_chart(overall.tiles, MOST_TILES, half, glyphs)]
        right = [supervised, *_chart(overall.supervised, SUPERVISED_BINS, half, glyphs)]
        yield from _side_by_side(left, right, half + 2)
    yield Text()
    yield from _wrapped(_cuts(config, overall), width, CUT_STYLE if overall.cut_rows else "")


def _problem(statistics: Statistics) -> DataError | None:
    """What would end a run on these rows before its first step."""
    try:
        check_usable(statistics)
    except DataError as error:
        return error
    return None


def _left_out(statistics: Statistics, width: int) -> Iterator[Text]:
    """Rows that are not trained on, by reason, language and place."""
    choosing, skips = statistics.choosing, statistics.skips
    if choosing.skipped:
        left = sum(one.rows for one in choosing.skipped)
        yield from _wrapped(f"{left:,} of {choosing.seen:,} rows of the corpus are left out:", width, CUT_STYLE)
        yield from _reasons(choosing.skipped, width)
    if skips.total_skipped:
        share = f"{skips.total_skipped:,} of {statistics.rows:,} rows ({skips.percent:.1f} %) cannot be used:"
        yield from _wrapped(share, width, CUT_STYLE)
        yield from _reasons(statistics.unusable, width)
    if choosing.unlisted:
        words = unlisted_text(choosing.unlisted)
        yield from _wrapped(f"Rows of languages {words}.", width, CUT_STYLE)


def _reasons(skipped: Sequence[SkippedRows], width: int) -> Iterator[Text]:
    for one in skipped:
        yield from _wrapped(f"  {visible(one.text(EXAMPLES))}", width, CUT_STYLE, indent="    ")


def _wrapped(words: str, width: int, style: str = "", indent: str = "") -> Iterator[Text]:
    """Lines of at most `width` columns; a path is not broken at its hyphens."""
    for line in wrap(words, width, subsequent_indent=indent, break_on_hyphens=False):
        yield Text(line, style)


def _measure(profile: str, overrides: Sequence[str], split: str | None, *, as_json: bool) -> tuple[int, str]:
    """Exit code and stdout of the program that measures; its stderr is ours."""
    command = [sys.executable, "-P", "-m", MODULE, "--profile", profile]
    command += [argument for override in overrides for argument in ("--set", override)]
    command += ["--split", split] if split else []
    command += ["--json"] if as_json else []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={**os.environ, **own_path()}
    ) as process:
        try:
            answer, _ = process.communicate()
        except KeyboardInterrupt:
            process.wait()  # the same Ctrl-C ends it, and it says so
            return ExitCode.STOPPED, ""
    if process.returncode < 0:
        raise InftError(
            f"Measuring the rows was ended by signal {-process.returncode}.",
            "If that was for want of memory, lower data.num_workers.",
        )
    return process.returncode, answer.decode("utf-8", "replace")


def _by_language(
    config: Config, statistics: Statistics, overall: LanguageStatistics, width: int, glyphs: Glyphs
) -> Iterator[Text]:
    """A line per language; the columns of the last field share one axis."""
    # As pairs: two languages may have the same English name.
    groups = [
        (visible(config.data.language_names.get(code, code)), group) for code, group in statistics.languages.items()
    ]
    if len(groups) > 1:
        groups.append(("all", overall))
    table = [dict(zip(HEADINGS, HEADINGS, strict=True)), *(_row(name, group) for name, group in groups)]
    gap = " " if width < ROOMY_WIDTH else "  "
    shown = list(HEADINGS)
    for dropped in (None, *DROPPED):
        if dropped is not None:
            shown.remove(dropped)
        aligned = _aligned([[line[heading] for heading in shown] for line in table], gap)
        if len(aligned[0]) <= width:
            break
    axis = width - len(aligned[0]) - 2
    if axis < SHORTEST_AXIS:
        axis = 0
    low, high = min(overall.tokens), max(overall.tokens)
    yield Text(f"{aligned[0]}  tokens" if axis else aligned[0], HEAD_STYLE)
    for words, (_, group) in zip(aligned[1:], groups, strict=True):
        line = Text(words.rstrip())
        if axis and group.tokens:
            line.append("  ")
            line.append(column_chart(group.tokens, low, high, axis, glyphs).rstrip(), BAR_STYLE)
        yield line
    if axis:
        left, right = f"{low:,}", f"{high:,}"
        yield Text(" " * (len(aligned[0]) + 2) + left + right.rjust(axis - len(left)), DIM_STYLE)
    legend = "; ".join([*(f"{name}: {LEGEND[name]}" for name in shown if name in LEGEND), *([BARS] if axis else [])])
    yield from _wrapped(legend, width, DIM_STYLE)


def _aligned(table: Sequence[Sequence[str]], gap: str) -> list[str]:
    """The table's lines, the first column on its left and the others on their right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [gap.join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in table]


def _row(name: str, group: LanguageStatistics) -> dict[str, str]:
    """What stands under each heading."""
    if not group.rows:
        return dict.fromkeys(HEADINGS, "") | {LANGUAGE: name, ROWS: "0"}
    return {
        LANGUAGE: name,
        ROWS: f"{group.rows:,}",
        MEDIAN: f"{quantile(group.tokens, 0.5):,}",
        MOST: f"{quantile(group.tokens, 0.95):,}",
        LONGEST: f"{max(group.tokens):,}",
        TILES: f"{mean(group.tiles):.1f}",
        CAPTION: f"{mean(group.supervised):.1f}",
        CUT: f"{100 * group.cut_rows / group.rows:.0f} %",
    }


def _side_by_side(left: Sequence[Text], right: Sequence[Text], start: int) -> Iterator[Text]:
    """The lines of both; the right ones begin at the column `start`."""
    for one, other in zip_longest(left, right, fillvalue=Text()):
        line = one.copy()
        line.pad_right(start - one.cell_len)
        line.append_text(other)
        line.rstrip()
        yield line


def _chart(counts: Mapping[int, int], most: int, width: int, glyphs: Glyphs) -> list[Text]:
    found = []
    for label, figures, bar in chart(bins(counts, most), width, glyphs):
        line = Text(f"{label}  {figures}  ")
        line.append(bar, BAR_STYLE)
        line.rstrip()
        found.append(line)
    return found


def _cuts(config: Config, overall: LanguageStatistics) -> str:
    """Whose articles are shortened, by how much and by what."""
    limits = [f"basic.max_length = {config.basic.max_length:,}"]
    for name, limit in (("article_chars", config.data.article_chars), ("article_tokens", config.data.article_tokens)):
        if limit is not None:
            limits.append(f"data.{name} = {limit:,}")
    if not overall.cut_rows:
        return f"No article is cut ({', '.join(limits)})."
    return (
        f"{overall.cut_rows:,} articles ({100 * overall.cut_rows / overall.rows:.1f} %) are cut, by "
        f"{overall.cut_chars / overall.cut_rows:,.0f} characters on average ({', '.join(limits)})."
    )


def _skipped(one: SkippedRows) -> dict[str, object]:
    return {"cause": one.cause, "rows": one.rows, "languages": one.languages, "examples": list(one.examples)}


def _figures(group: LanguageStatistics) -> dict[str, object]:
    return {
        "rows": group.rows,
        "unusable": group.unusable,
        "cut_rows": group.cut_rows,
        "cut_chars": group.cut_chars,
        "tokens": dict(sorted(group.tokens.items())),
        "tiles": dict(sorted(group.tiles.items())),
        "supervised": dict(sorted(group.supervised.items())),
    }
