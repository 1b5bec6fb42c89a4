"""What a terminal shows as a drawing: the README's pictures, a key that saves one, and the tests' snapshots.

A row is one `<text>` of spans that each begin at their own column, so that a font of another width cannot push them
apart. No fonts, scripts or links from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from rich.cells import cell_len
from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

CELL_WIDTH, CELL_HEIGHT = 8, 17
FONT_SIZE = 13.3
"""Six tenths of it are a cell's width, as in nearly all fonts of fixed width."""
_BASELINE = 13
_MARGIN = 8
_FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_DIM = 0.4
"""Of the ground's colour in what is dim."""
_UPPER_HALF = "▀"
"""Drawn as what it is, since fonts leave seams between such characters: photographs are made of them."""

# The sixteen colours, each as one that can be read on both papers.
_NORMAL = [(60, 66, 76), (205, 49, 49), (18, 140, 85), (176, 120, 10), (36, 114, 200), (170, 70, 180), (14, 135, 165)]
_BRIGHT = [
    (110, 118, 129),
    (230, 76, 76),
    (35, 170, 110),
    (200, 145, 30),
    (59, 142, 234),
    (190, 100, 200),
    (30, 150, 180),
]
_DARK = TerminalTheme((17, 21, 28), (215, 221, 230), [*_NORMAL, (215, 221, 230)], [*_BRIGHT, (255, 255, 255)])
_LIGHT = TerminalTheme((251, 251, 249), (32, 38, 46), [*_NORMAL, (85, 90, 98)], [*_BRIGHT, (32, 38, 46)])


@dataclass(frozen=True)
class _Look:
    """A style as it is drawn."""

    ink: str
    ground: str
    is_bold: bool
    is_italic: bool
    is_underlined: bool


def to_svg(rows: Iterable[Iterable[Segment]], columns: int, title: str, *, dark: bool = True) -> str:
    """The rows of a screen as a drawing.

    Args:
        rows: from above.
        columns: how wide the screen is.
        title: said to who cannot see it.
        dark: what the terminal's own colours are like, where a style names none.
    """
    theme = _DARK if dark else _LIGHT
    paper = _hex(theme.background_color)
    grounds: list[str] = []
    texts: list[str] = []
    classes: dict[tuple[str, bool, bool, bool], str] = {}
    count = 0
    for y, row in enumerate(rows):
        count = y + 1
        spans = list(_spans(row, theme))
        grounds += _grounds(spans, y, paper)
        drawn = "".join(_text(column, text, look, classes) for column, text, look in spans)
        if drawn:
            texts.append(f'<text y="{y * CELL_HEIGHT + _BASELINE}">{drawn}</text>')
    width, height = columns * CELL_WIDTH + 2 * _MARGIN, count * CELL_HEIGHT + 2 * _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="{-_MARGIN} {-_MARGIN} {width} {height}" role="img" xml:space="preserve">',
            f"<title>{escape(title)}</title>",
            f"<style>text{{font:{FONT_SIZE}px {_FONTS}}}{_rules(classes)}</style>",
            f'<rect x="{-_MARGIN}" y="{-_MARGIN}" width="100%" height="100%" rx="6" fill="{paper}"/>',
            *grounds,
            *texts,
            "</svg>",
            "",
        ]
    )


def _spans(row: Iterable[Segment], theme: TerminalTheme) -> Iterator[tuple[int, str, _Look]]:
    """Where each run of one look begins, and its text."""
    start = column = 0
    before: _Look | None = None
    parts: list[str] = []
    for text, style, control in row:
        if control or not text:
            continue
        look = _look(style, theme)
        if look != before and before is not None:
            yield start, "".join(parts), before
            parts.clear()
            start = column
        before = look
        parts.append(text)
        column += cell_len(text)
    if before is not None:
        yield start, "".join(parts), before


def _look(style: Style | None, theme: TerminalTheme) -> _Look:
    style = style or Style.null()
    ink = _triplet(style.color, theme, theme.foreground_color)
    ground = _triplet(style.bgcolor, theme, theme.background_color)
    if style.reverse:
        ink, ground = ground, ink
    if style.dim:
        ink = blend_rgb(ink, ground, _DIM)
    return _Look(_hex(ink), _hex(ground), bool(style.bold), bool(style.italic), bool(style.underline))


def _triplet(colour: Color | None, theme: TerminalTheme, default: ColorTriplet) -> ColorTriplet:
    return default if colour is None or colour.is_default else colour.get_truecolor(theme)


def _grounds(spans: Sequence[tuple[int, str, _Look]], y: int, paper: str) -> Iterator[str]:
    """A rectangle for each run of one ground that is not the paper's, and for what is half filled."""
    at = 0
    while at < len(spans):
        first, ground = spans[at][0], spans[at][2].ground
        end = first
        while at < len(spans) and spans[at][2].ground == ground:
            end = spans[at][0] + cell_len(spans[at][1])
            at += 1
        if ground != paper:
            yield (
                f'<rect x="{first * CELL_WIDTH}" y="{y * CELL_HEIGHT}" width="{(end - first) * CELL_WIDTH}"'
                f' height="{CELL_HEIGHT}" fill="{ground}"/>'
            )
    for column, text, look in spans:
        if _is_halves(text):
            yield (
                f'<rect x="{column * CELL_WIDTH}" y="{y * CELL_HEIGHT}" width="{len(text) * CELL_WIDTH}"'
                f' height="{CELL_HEIGHT / 2}" fill="{look.ink}"/>'
            )


def _is_halves(text: str) -> bool:
    """Whether these cells are filled to the half, every one of them."""
    return text.startswith(_UPPER_HALF) and not text.strip(_UPPER_HALF)


def _text(column: int, text: str, look: _Look, classes: dict[tuple[str, bool, bool, bool], str]) -> str:
    """A span; its blanks at either end need not be drawn."""
    shown = text.strip(" ")
    if not shown or _is_halves(text):
        return ""
    x = (column + cell_len(text) - cell_len(text.lstrip(" "))) * CELL_WIDTH
    kind = (look.ink, look.is_bold, look.is_italic, look.is_underlined)
    name = classes.setdefault(kind, f"c{len(classes)}")
    cells = cell_len(shown)
    length = f' textLength="{cells * CELL_WIDTH}"' if cells > 1 else ""
    return f'<tspan class="{name}" x="{x}"{length}>{escape(shown, quote=False)}</tspan>'


def _rules(classes: dict[tuple[str, bool, bool, bool], str]) -> str:
    rules = []
    for (ink, bold, italic, underlined), name in classes.items():
        looks = f"fill:{ink}"
        looks += ";font-weight:bold" if bold else ""
        looks += ";font-style:italic" if italic else ""
        looks += ";text-decoration:underline" if underlined else ""
        rules.append(f".{name}{{{looks}}}")
    return "".join(rules)


def _hex(colour: ColorTriplet) -> str:
    return f"#{colour.red:02x}{colour.green:02x}{colour.blue:02x}"
