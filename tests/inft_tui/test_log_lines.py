from __future__ import annotations

import pytest

from inft_tui.display.spans import Line, fit, width
from inft_tui.log_lines import Look, heading, lines, nothing
from inft_tui.logs.line_index import Row
from inft_tui.logs.pager import Page
from inft_tui.logs.patterns import spans

NAMES = ("console.log", "events", "supervisor.log", "hardware")


def page(*texts: str, following: bool = False, marked: int | None = None, **changes: object) -> Page:
    rows = tuple(Row(10 * place, 10 * place + 10, text, 41 + place) for place, text in enumerate(texts))
    values: dict[str, object] = {"size": 5 << 20, "line_count": 1234, "is_counted": True, **changes}
    return Page(rows=rows, is_following=following, marked=marked, **values)  # type: ignore[arg-type]


def plain(line: Line) -> str:
    return "".join(text for text, _ in line).rstrip()


def shown(at: Page, look: Look, columns: int = 20, rows: int = 10) -> list[str]:
    return [plain(line) for line in lines(at, look, columns, rows)]


LONG = page("0123456789abcdefghij0123456789")


@pytest.mark.parametrize(
    ("at", "look", "drawn"),
    [
        (page("one", "two"), Look(), [" one", " two"]),
        (page("one", "two"), Look(numbered=True), ["    42  one", "    43  two"]),
        (LONG, Look(wraps=True), [" 0123456789abcdefghi", " j0123456789"]),
        (LONG, Look(wraps=True, numbered=True), ["    42  0123456789ab", "        cdefghij0123", "        456789"]),
        (LONG, Look(left=16), [" ghij0123456789"]),
        (page("写真写真"), Look(wraps=True, numbered=True), ["    42  写真写真"]),
        (page("写" * 12), Look(wraps=True), [" " + "写" * 9, " " + "写" * 3]),
    ],
)
def test_lines(at: Page, look: Look, drawn: list[str]) -> None:
    assert shown(at, look) == drawn


@pytest.mark.parametrize("text", ["हिन्दी में क्या " * 2, "සිංහල ශ්\u200dරී " * 3, "写真" * 12])
def test_of_a_script_with_marks_nothing_is_lost_without_a_word(text: str) -> None:
    for columns in range(8, 20):
        (cut,) = lines(page(text), Look(), columns, 1)
        assert plain(fit(cut, columns, "text")).endswith("…")
    wrapped = lines(page(text), Look(wraps=True), 20, 9)
    assert max(map(width, wrapped)) <= 20
    assert "".join(map(plain, wrapped)).replace(" ", "") == text.replace(" ", "")


def test_where_it_follows_a_long_line_does_not_push_out_the_last() -> None:
    long = "x" * 200
    assert shown(page(long, "last", following=True), Look(wraps=True), rows=3)[-1] == " last"
    assert shown(page("first", long), Look(wraps=True), rows=3)[0] == " first"


def test_roles() -> None:
    look = Look(typed="rows", found=spans("rows"))
    (wrong, warned, marked) = lines(page("ValueError: no rows", "UserWarning: x", "rows", marked=20), look, 30, 5)
    assert wrong[1:] == (("ValueError: no ", "bad"), ("rows", "ask"))
    assert warned[1:] == (("UserWarning: x", "warn"),)
    assert width(marked) == 30
    assert all(role.endswith("selected") for _, role in marked)


@pytest.mark.parametrize(
    ("at", "look", "columns", "says"),
    [
        (page("a"), Look(), 120, "hardware |42–42 of 1,234 lines · 5.0 MiB"),
        (page("a", following=True), Look(), 120, "hardware |following · 1,234 lines · 5.0 MiB"),
        (page("a", is_counted=False), Look(), 60, "1 of 4|42–42 of about 1,234 lines"),
        (page("a", looking="none below"), Look(), 60, "1 of 4|no error below"),
        (page("a", found=3, searched=0.4), Look(typed="x"), 60, "1 of 4|3 with “x”, 40% searched"),
        (page("a", exists=False), Look(), 70, "1 of 4|the file was deleted · 42–42 of 1,234 lines"),
        (page("a", found=3), Look(typed="x" * 30), 40, " console.log   1 of 4|  3 with “xxxxxx…"),
        (page("a"), Look(problem="That is no regular expression."), 45, "1 of 4|  That is no regular …"),
        (page("a"), Look(problem="That is no regular expression."), 30, "1 of 4|"),
        (Page(), Look(), 60, " console.log   1 of 4|"),
    ],
)
def test_the_heading(at: Page, look: Look, columns: int, says: str) -> None:
    text = plain(heading(NAMES, 0, at, look, columns))
    left, _, right = says.partition("|")
    assert left in text
    assert text.endswith(right)
    assert width(heading(NAMES, 0, at, look, columns)) <= columns


@pytest.mark.parametrize(
    ("at", "look", "says"),
    [
        (Page(exists=False), Look(), "There is no events yet."),
        (Page(), Look(), "events is empty."),
        (Page(problem="It hangs."), Look(), "It hangs."),
        (page(found=0), Look(typed="x"), "No line has “x”."),
        (page(found=0, searched=0.25), Look(typed="x"), "Looking for “x” … 25%"),
    ],
)
def test_nothing_to_show(at: Page, look: Look, says: str) -> None:
    assert says in "\n".join(map(plain, nothing(at, look, "events", "The trainer writes them.")))
