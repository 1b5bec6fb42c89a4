from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from rich.segment import Segment
from rich.style import Style

from inft_tui.display.svg import CELL_HEIGHT, CELL_WIDTH, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def spans(svg: str) -> list[tuple[str, float, str]]:
    """Text, column and class of every span."""
    root = ElementTree.fromstring(svg)
    found = root.iter(f"{SVG}tspan")
    return [(span.text or "", float(span.attrib["x"]) / CELL_WIDTH, span.attrib["class"]) for span in found]


def style(look: str) -> Style:
    return Style.parse(look)


def test_each_span_begins_at_its_column_whatever_is_before_it() -> None:
    row = [Segment("写真 ", style("red")), Segment("  a<b ", style("green")), Segment("  "), Segment("é", style("red"))]
    assert [(text, column) for text, column, _ in spans(to_svg([row], 20, "x"))] == [("写真", 0), ("a<b", 7), ("é", 13)]


def test_one_look_is_one_class_and_one_span() -> None:
    red = style("#ff0000")
    svg = to_svg([[Segment("a", red), Segment("b", style("#ff0000"))], [Segment("c", red)]], 5, "x")
    assert [(text, kind) for text, _, kind in spans(svg)] == [("ab", "c0"), ("c", "c0")]
    assert ".c0{fill:#ff0000}" in svg


def test_grounds_are_rectangles_where_they_differ_from_the_paper() -> None:
    rows = [
        [Segment("plain")],
        [Segment("ab"), Segment("cd", style("on #102030")), Segment("ef", style("bold on #102030"))],
    ]
    root = ElementTree.fromstring(to_svg(rows, 10, "x"))
    paper, *others = [rect.attrib for rect in root.iter(f"{SVG}rect")]
    assert [(rect["x"], rect["y"], rect["width"], rect["fill"]) for rect in others] == [
        (str(2 * CELL_WIDTH), str(CELL_HEIGHT), str(4 * CELL_WIDTH), "#102030")
    ]
    assert paper["fill"] != "#102030"


def test_without_colours_weight_and_reverse_tell() -> None:
    dark = to_svg([[Segment("a", style("reverse")), Segment("b", style("bold")), Segment("c", style("dim"))]], 5, "x")
    light = to_svg([[Segment("a", style("reverse"))]], 5, "x", dark=False)
    assert "font-weight:bold" in dark
    assert dark.count("<rect") == light.count("<rect") == 2
    assert len({kind for _, _, kind in spans(dark)}) == 3
    assert dark != light


def test_nothing_comes_from_outside_and_the_title_is_text() -> None:
    svg = to_svg([[Segment("x")]], 5, "a < b")
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}title") == "a < b"
    assert not any(word in svg for word in ("href", "url(", "@font-face", "script"))
