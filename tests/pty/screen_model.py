"""What a terminal shows after it was sent some bytes: enough of one to assert on."""

from __future__ import annotations

import codecs
import re
import unicodedata

_SEQUENCE = re.compile(
    r"\x1b\[(?P<private>[<>?=]?)(?P<numbers>[\d;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b_[^\x1b]*\x1b\\"  # a picture
    r"|\x1b(?P<short>[()][0-9A-B]|[=>78cDEHMNOZ])"
)
_HALF = re.compile(r"\x1b(?:\[[<>?=]?[\d;:]*[ -/]*|\][^\x07\x1b]*\x1b?|_[^\x1b]*\x1b?|[()])?$")

ALTERNATE_SCREEN = 1049
MOUSE_MODES = frozenset({9, 1000, 1001, 1002, 1003, 1005, 1006, 1015, 1016})
CURSOR = 25


class ScreenModel:
    """A grid of characters, and the modes that are on.

    Attributes:
        columns, rows: its size.
        modes: the private modes that are on; cursor and line wrap are at first.
        bells: how often it rang.
        frames: how often synchronised output ended.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.modes: set[int] = {CURSOR, 7}
        self.bells = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._half = ""
        self._main = self._blank()
        self._grid = self._main
        self._x = self._y = 0

    @property
    def lines(self) -> list[str]:
        """The text, row by row, without the blanks at the end."""
        return ["".join(row).rstrip() for row in self._grid]

    @property
    def text(self) -> str:
        """The same in one piece."""
        return "\n".join(self.lines)

    @property
    def restored(self) -> bool:
        """Whether it is as a shell expects it: main screen, cursor, no mouse, no paste or focus reports."""
        return CURSOR in self.modes and 7 in self.modes and self.modes <= {CURSOR, 7}

    def resize(self, columns: int, rows: int) -> None:
        """The window changed; the text stays at its place as far as there is room."""
        old = self._grid
        self.columns, self.rows = columns, rows
        alternate = ALTERNATE_SCREEN in self.modes
        self._grid = self._blank()
        for new_row, row in zip(self._grid, old, strict=False):
            new_row[: min(columns, len(row))] = row[:columns]
        if not alternate:
            self._main = self._grid
        self._x, self._y = min(self._x, columns - 1), min(self._y, rows - 1)

    def feed(self, data: bytes) -> None:
        """What the program wrote."""
        text = self._half + self._decode(data)
        half = _HALF.search(text)
        self._half = text[half.start() :] if half else ""
        text = text[: half.start()] if half else text
        at = 0
        for found in _SEQUENCE.finditer(text):
            self._plain(text[at : found.start()])
            self._obey(found)
            at = found.end()
        self._plain(text[at:])

    def _blank(self) -> list[list[str]]:
        return [[" "] * self.columns for _ in range(self.rows)]

    def _plain(self, text: str) -> None:
        for character in text:
            if character == "\r":
                self._x = 0
            elif character == "\n":
                self._line_feed()
            elif character == "\b":
                self._x = max(0, self._x - 1)
            elif character == "\a":
                self.bells += 1
            elif character >= " ":
                self._put(character)

    def _put(self, character: str) -> None:
        if unicodedata.combining(character):
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._x + width > self.columns:
            if 7 not in self.modes:
                return
            self._x = 0
            self._line_feed()
        if self._y < self.rows and self._x < self.columns:
            self._grid[self._y][self._x] = character
            if width == 2 and self._x + 1 < self.columns:
                self._grid[self._y][self._x + 1] = ""
        self._x += width

    def _line_feed(self) -> None:
        if self._y + 1 < self.rows:
            self._y += 1
        else:
            del self._grid[0]
            self._grid.append([" "] * self.columns)

    def _obey(self, found: re.Match[str]) -> None:
        final = found["final"]
        if final is None:
            return
        numbers = [int(number) if number.isdigit() else 0 for number in found["numbers"].split(";")]
        if found["private"] == "?" and final in "hl":
            for number in numbers:
                self._set_mode(number, on=final == "h")
            return
        if found["private"] or found["between"]:
            return
        first = numbers[0]
        match final:
            case "H" | "f":
                self._y = min(self.rows, max(1, first)) - 1
                self._x = min(self.columns, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
            case "A":
                self._y = max(0, self._y - max(1, first))
            case "B":
                self._y = min(self.rows - 1, self._y + max(1, first))
            case "C":
                self._x = min(self.columns - 1, self._x + max(1, first))
            case "D":
                self._x = max(0, self._x - max(1, first))
            case "J" if first == 2:
                for row in self._grid:
                    row[:] = [" "] * self.columns
            case "K":
                row = self._grid[self._y]
                row[self._x :] = [" "] * (self.columns - self._x)
            case _:
                pass

    def _set_mode(self, number: int, *, on: bool) -> None:
        if number == ALTERNATE_SCREEN and on != (number in self.modes):
            self._grid = self._blank() if on else self._main
            if len(self._grid) != self.rows:
                self._grid = self._main = self._blank()
            self._x = self._y = 0
        (self.modes.add if on else self.modes.discard)(number)
