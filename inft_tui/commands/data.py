"""`data`: how long the rows of a profile are, per language and all together."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap

import msgspec
from rich.console import Console
from rich.text import Text

from inft.config import Config
from inft.errors import ExitCode, InftError
from inft.forecast.statistics import LanguageStatistics, Statistics, cached_statistics
from inft.profiles import resolve
from inft.project import project_root
from inft.runs.visible import visible
from inft_tui.commands.training_modules import require_training_libraries
from inft_tui.histograms import Glyphs, bins, chart, column_chart, glyphs_of_stdout, mean, quantile
from inft_tui.terminal import can_color, out, out_json, put

WIDTH = 80
NARROWEST = 60
WIDEST = 120
"""Wider, the bars would only grow longer."""

ROOMY_WIDTH = 76
SHORTEST_AXIS = 10
"""Fewer columns would show nothing of a distribution."""

HEADINGS = ("", "rows", "median", "95 %", "longest", "tiles", "superv.", "cut")
"""The first three figures are of the rows' tokens; tiles and supervised tokens are means."""

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
        The exit code of measuring where that failed; it has said why.

    Raises:
        ConfigError: the configuration cannot be used.
        NotReadyError: nothing is in the cache, and the libraries that could measure are not installed.
    """
    config = resolve(profile, overrides).config
    root = project_root()
    statistics = cached_statistics(config, root, split)
    if statistics is None:
        require_training_libraries()
        code, answer = _measure(profile, overrides, split, as_json=as_json)
        if code != ExitCode.FINISHED:
            put(answer)  # of a failure that is told in JSON
            return code
        statistics = msgspec.json.decode(answer, type=Statistics)
    if as_json:
        out_json(json.dumps(document(config, statistics), ensure_ascii=False))
        return ExitCode.FINISHED
    width = max(NARROWEST, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDEST))
    _print(lines(config, statistics, width, glyphs_of_stdout()))
    return ExitCode.FINISHED


def document(config: Config, statistics: Statistics) -> dict[str, object]:
    """What `--json` prints: counts by value, so that any figure can be had from them."""
    groups = {**statistics.languages, "all": statistics.overall}
    return {
        "profile": config.profile,
        "family": config.family,
        "split": statistics.split,
        "max_length": config.basic.max_length,
        "rows": statistics.rows,
        "languages": {name: _figures(group) for name, group in groups.items() if name != "all"},
        "all": _figures(groups["all"]),
    }


def lines(config: Config, statistics: Statistics, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """The statistics as a person reads them, in `width` columns."""
    overall = statistics.overall
    yield Text(visible(f"{config.profile}: split {statistics.split}, {statistics.rows:,} rows"), HEAD_STYLE)
    if overall.unusable:
        causes = ", ".join(f"{cause} {rows:,}" for cause, rows in sorted(overall.unusable.items()))
        yield Text(f"{sum(overall.unusable.values()):,} of them cannot be used: {causes}", CUT_STYLE)
    yield Text()
    yield from _by_language(config, statistics, overall, width, glyphs)
    yield Text()
    yield Text(f"Tokens of a row with its picture, at most {config.basic.max_length:,}", HEAD_STYLE)
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
    for words in wrap(_cuts(config, overall), width):
        yield Text(words, CUT_STYLE if overall.cut_rows else "")


def _measure(profile: str, overrides: Sequence[str], split: str | None, *, as_json: bool) -> tuple[int, str]:
    """Exit code and stdout of the program that measures; its stderr is ours."""
    command = [sys.executable, "-P", "-m", MODULE, "--profile", profile]
    command += [argument for override in overrides for argument in ("--set", override)]
    command += ["--split", split] if split else []
    command += ["--json"] if as_json else []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
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
    groups = {
        visible(config.data.language_names.get(code, code)): group for code, group in statistics.languages.items()
    }
    if len(groups) > 1:
        groups["all"] = overall
    table = [HEADINGS, *(_row(name, group) for name, group in groups.items())]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    gap = " " if width < ROOMY_WIDTH else "  "
    aligned = [gap.join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in table]
    axis = width - len(aligned[0]) - 2
    if axis < SHORTEST_AXIS:
        axis = 0
    low, high = min(overall.tokens), max(overall.tokens)
    yield Text(f"{aligned[0]}  tokens" if axis else aligned[0], HEAD_STYLE)
    for words, group in zip(aligned[1:], groups.values(), strict=True):
        line = Text(words.rstrip())
        if axis and group.tokens:
            line.append("  ")
            line.append(column_chart(group.tokens, low, high, axis, glyphs).rstrip(), BAR_STYLE)
        yield line
    if axis:
        left, right = f"{low:,}", f"{high:,}"
        yield Text(" " * (len(aligned[0]) + 2) + left + right.rjust(axis - len(left)), DIM_STYLE)


def _row(name: str, group: LanguageStatistics) -> tuple[str, ...]:
    if not group.rows:
        return (name, "0", *[""] * (len(HEADINGS) - 2))
    return (
        name,
        f"{group.rows:,}",
        f"{quantile(group.tokens, 0.5):,}",
        f"{quantile(group.tokens, 0.95):,}",
        f"{max(group.tokens):,}",
        f"{mean(group.tiles):.1f}",
        f"{mean(group.supervised):.1f}",
        f"{100 * group.cut_rows / group.rows:.0f} %",
    )


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


def _print(found: Iterator[Text]) -> None:
    if not can_color():
        for line in found:
            out(line.plain)
        return
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as captured:
        for line in found:
            console.print(line)
    put(captured.get())
