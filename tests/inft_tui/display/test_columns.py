"""Text on whose width terminals disagree: whatever they think of it, nothing of what stood there before stays."""

from __future__ import annotations

import io
import random
import re
import unicodedata
from collections.abc import Callable

import pytest
from rich.cells import cell_len, get_character_cell_size
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from inft_tui.display.columns import clusters, columns_of, is_doubtful
from inft_tui.display.spans import Line, cut, difference, fit, pad, reserved, width
from inft_tui.widgets.narrow_update import NarrowUpdate, WholeUpdate

COLUMNS, EDGE = 24, 30
INDIC = ("ශ්\u200dරී ලංකාවේ", "හැනස්ස ගත්", "खिलाड़ी की", "क्षत्रिय", "क्ष", "ছবিটি")
TEXTS = (*INDIC, "👩\u200d👩\u200d👧 👍🏽", "☀️ 🇱🇰", "A road", "ab", "سڑک", "東京")
TMUX = {"ස්ටෙෆාන් වැන් ඩර් වෝල්ට්": 18, "ක්කාර්ක්ක්ක": 7, "हिन्दी में क्या की": 14, "ছবিটি": 5, "یہ ایک تصویر ہے": 15}
"""Where the cursor of tmux 3.3a stood behind them."""
PIECE = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[[\d;]*m|(\n)|([^\x1b\n]+)")

Measure = Callable[[str], int]


def by_rich(cluster: str) -> int:
    return cell_len(cluster)


def by_character(cluster: str) -> int:
    """As tmux and xterm do: marks that stand beside their letter have a column."""
    sizes = (1 if unicodedata.category(one) == "Mc" else get_character_cell_size(one) for one in cluster)
    return sum(sizes)


def by_cluster(cluster: str) -> int:
    """As terminals do that show what a person sees as one character in as many cells as the widest part of it."""
    return max(map(get_character_cell_size, cluster))


def screen_after(*drawings: str, measure: Measure) -> list[str]:
    """The cells of a row; what goes beyond its end lands in the last one, as where lines do not wrap."""
    row, x = ["."] * (EDGE + 4), 0
    for _, column, _, text in (found.groups() for drawing in drawings for found in PIECE.finditer(drawing)):
        x = int(column) - 1 if column else x
        for cluster in clusters(text or ""):
            size = measure(cluster)
            for at in range(x, min(x + size, len(row))):
                row[at] = cluster if at == x else ""
            x += size
    return row


def strips_of(line: Line) -> dict[int, Strip]:
    shown = reserved(fit(line, COLUMNS, "text"))
    own = Strip([Segment(text) for text, _ in shown], COLUMNS)
    return {0: own, COLUMNS: Strip([Segment("beside")], EDGE - COLUMNS)}


def a_line(chance: random.Random) -> Line:
    words = [(chance.choice(TEXTS) + " ", "text") for _ in range(3)]
    return ((pad(chance.choice(TEXTS), 8) + "  ", "dim"), *words)


def check_change(old: Line, new: Line, measure: Measure) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
    first = WholeUpdate.of(LayoutUpdate([strips_of(old).values()], Region(0, 0, EDGE, 1))).render_segments(console)
    changed = difference(fit(old, COLUMNS, "text"), fit(new, COLUMNS, "text"))
    assert changed is not None or fit(old, COLUMNS, "text") == fit(new, COLUMNS, "text")
    chops = ChopsUpdate([strips_of(new)], [(0, *changed)] if changed else [], [[COLUMNS, EDGE]])
    update = NarrowUpdate.of(chops).render_segments(console)
    whole = WholeUpdate.of(LayoutUpdate([strips_of(new).values()], Region(0, 0, EDGE, 1))).render_segments(console)
    after = screen_after(first, update, measure=measure)
    assert after == screen_after(whole, measure=measure)
    assert "".join(after[COLUMNS:]) == "beside....", "the widget to its right"


@pytest.mark.parametrize("measure", [by_rich, by_character, by_cluster])
@pytest.mark.parametrize("seed", range(40))
def test_a_change_leaves_what_a_drawing_on_nothing_would(seed: int, measure: Measure) -> None:
    chance = random.Random(seed)
    old = a_line(chance)
    new = tuple(other if chance.random() < 0.5 else one for one, other in zip(old, a_line(chance), strict=True))
    check_change(old, new, measure)


@pytest.mark.parametrize("measure", [by_rich, by_character, by_cluster])
@pytest.mark.parametrize("text", INDIC)
def test_what_stood_behind_a_doubtful_text_goes_with_it(text: str, measure: Measure) -> None:
    check_change(((f"{text} same", "text"),), ((f"{'ab' * 8}"[: cell_len(text)] + " same", "text"),), measure)


@pytest.mark.parametrize(("text", "columns"), TMUX.items())
def test_no_fewer_columns_than_in_tmux(text: str, columns: int) -> None:
    assert columns_of(text) >= columns >= cell_len(text)
    assert is_doubtful(text) == (columns != cell_len(text))


@pytest.mark.parametrize("text", [*TEXTS, *TMUX])
@pytest.mark.parametrize("columns", range(12))
def test_what_is_cut_fits_and_is_cut_between_characters(text: str, columns: int) -> None:
    shown = cut(text, columns)
    assert columns_of(shown) <= columns
    assert width(((pad(text, columns), "text"),)) == columns
    if shown != text and columns:
        kept = shown.removesuffix("…")
        assert shown.endswith("…")
        assert clusters(text)[: len(clusters(kept))] == clusters(kept)


def test_our_own_signs_are_not_doubtful() -> None:
    assert not any(map(is_doubtful, "●○✓✗▸▏│─┊┬┤└▀▁█░▒▓…·×▲▼◆▴♦⣿↑↓→±µ²—’éßЖعなア漢한"))
