"""What all screens have: a bar above, one line of notices and one of keys below, and keys by the one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from inft_tui.display.line_edit import LineEdit
from inft_tui.display.palette import Palette
from inft_tui.display.spans import EMPTY, Line, Span, fit, joined, width
from inft_tui.key_table import PLACE_NAMES, TABS, Key, Place
from inft_tui.keys import shown_key
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

BLINK_FREE_CURSOR = "▏"
TABS_FROM = 110
"""Columns from which on the bar names all screens."""

_YES_OR_NO = (("y", "yes"), ("Esc", "no"))
_TYPED = (("Enter", "done"), ("Esc", "leave it"))


@dataclass
class Prompt:
    """A question in the line of notices.

    Attributes:
        question: what is asked.
        then: what is done with the answer; what it returns closes the prompt unless it is False.
        expected: what has to be typed; empty = `y` is enough; None = any text.
        changed: told about each change, where any text is asked for.
        edit: what was typed so far.
    """

    question: str
    then: Callable[[str], None]
    expected: str | None = ""
    changed: Callable[[str], None] | None = None
    edit: LineEdit = field(default_factory=LineEdit)


class ConsoleScreen(Screen[None]):
    """A screen of the console."""

    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    ConsoleScreen { layout: vertical; overflow: hidden; }
    """
    place: ClassVar[Place] = "everywhere"
    heading: ClassVar[str] = ""
    period_s: ClassVar[float | None] = None
    """Between two ticks; None = as often as the terminal's link allows."""

    def __init__(self, console: ConsoleApp) -> None:
        super().__init__()
        self.console_app = console
        self.prompt: Prompt | None = None
        palette = console.palette
        self._bar = LineView(palette, role="bar")
        self._notice = LineView(palette)
        self._keys = LineView(palette, role="bar")
        for view in (self._bar, self._notice, self._keys):
            view.add_class("line")

    def body(self) -> Widget:
        """What is between the bars."""
        raise NotImplementedError

    def about(self) -> Line:
        """What stands in the bar beside the name."""
        return EMPTY

    def tick(self) -> None:
        """Called by the one timer while this screen is shown."""

    def next_tick_s(self) -> float:
        """Seconds until the next one; a screen on which nothing happens may wait longer."""
        return self.period_s or self.console_app.capabilities.refresh_s

    def act(self, name: str) -> bool:
        """Does what a key of this screen means.

        Args:
            name: the key's id in the table.

        Returns:
            Whether it is one of this screen's.
        """
        return False

    def is_valid(self, name: str) -> bool:
        """Whether a key of this screen means something now, as saving does only while a run goes on.

        Args:
            name: the key's id in the table. One that means nothing is not offered; pressed all the same, it says why.
        """
        return True

    def keys_read(self) -> tuple[tuple[str, str], ...]:
        """The keys that a screen reads by itself, each with a word for the footer; none where it goes by the table."""
        return ()

    def compose(self) -> ComposeResult:
        """The bars and the body."""
        yield self._bar
        yield self.body()
        yield self._notice
        yield self._keys

    def on_resize(self) -> None:
        """Fits everything into the new size."""
        self.draw_bars()

    def on_screen_resume(self) -> None:
        """It is shown again."""
        self.draw_bars()
        self.console_app.tick_soon()

    def draw_bars(self) -> None:
        """Draws what is around the body; what did not change costs nothing."""
        columns = self.size.width
        if columns <= 0:
            return
        name: Line = ((" inft ", "key"), *self._tabs(columns), *self.about())
        mark = self.console_app.alarm.mark(self.console_app.key_of("alerts"))
        right: Line = (*mark, (" read only ", "bar-dim")) if self.console_app.readonly else mark
        self._bar.show([joined(name, right, columns, "bar")])
        self._notice.show([self._asked() or self.console_app.notice()])
        self._keys.show([self._footer(columns)])

    def recolour(self, palette: Palette) -> None:
        """Shows the same in other colours."""
        for view in self.query(LineView):
            view.repaint(palette)

    def ask(self, prompt: Prompt) -> None:
        """Puts a question."""
        self.prompt = prompt
        self.draw_bars()

    def close_prompt(self) -> None:
        """Takes the question away."""
        self.prompt = None
        self.draw_bars()

    async def on_event(self, event: events.Event) -> None:
        """Passes on a key that was typed right behind one that has led to another screen: it is meant for that one."""
        stack = self.app.screen_stack  # empty at the end
        shown = stack[-1] if stack else self
        if isinstance(event, events.Key) and shown is not self:
            shown.post_message(events.Key(event.key, event.character))
        else:
            await super().on_event(event)

    def on_key(self, event: events.Key) -> None:
        """Keys by the table, unless a question is open."""
        event.stop()
        event.prevent_default()
        if self.prompt is not None:
            self._answer(self.prompt, event)
            return
        found = self.console_app.keymap.action(self.place, event.key)
        if found is not None:
            self.console_app.forget_notice()
            self.do(found.id)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed text."""
        if self.prompt is not None and self.prompt.expected != "":
            self._edit(self.prompt, self.prompt.edit.typed(event.text))

    def do(self, name: str) -> None:
        """Does what the id of a key means."""
        if not self.act(name):
            self.console_app.act(name)
        self.draw_bars()

    def _answer(self, prompt: Prompt, event: events.Key) -> None:
        if event.key in ("escape", "ctrl+c"):
            self.close_prompt()
            if prompt.changed is not None:
                prompt.changed("")
        elif prompt.expected == "":
            self.close_prompt()
            if event.key in ("y", "Y"):
                prompt.then("")
        elif event.key == "enter":
            if prompt.expected is None or prompt.edit.text.strip() == prompt.expected:
                self.close_prompt()
                prompt.then(prompt.edit.text)
        else:
            edit = prompt.edit.pressed(event.key)
            if edit is None and event.character is not None and event.is_printable:
                edit = prompt.edit.typed(event.character)
            if edit is not None:
                self._edit(prompt, edit)

    def _edit(self, prompt: Prompt, edit: LineEdit) -> None:
        prompt.edit = edit
        if prompt.changed is not None:
            prompt.changed(edit.text)
        self.draw_bars()

    def _tabs(self, columns: int) -> Line:
        """The screens with their keys, where there is room for them; else the name of this one."""
        if columns < TABS_FROM or self.place not in TABS:
            return ((f" {self.heading} ", "bar"),)
        spans: list[Span] = []
        for row in self.console_app.keymap.rows:
            if row.id in TABS:
                shown = f"{shown_key(row.keys[0])} {PLACE_NAMES[row.id]}"
                spans += [(" ", "bar"), (f" {shown} ", "tab" if row.id == self.place else "bar-dim")]
        return tuple(spans)

    def _asked(self) -> Line:
        prompt = self.prompt
        if prompt is None:
            return EMPTY
        question: Span = (f" {prompt.question} ", "ask")
        if prompt.expected == "":
            return (question, ("  y", "title"), (" yes   ", "dim"), ("any other key", "title"), (" no", "dim"))
        before, after = prompt.edit.text[: prompt.edit.cursor], prompt.edit.text[prompt.edit.cursor :]
        return (question, (f" {before}", "title"), (BLINK_FREE_CURSOR, "accent"), (after, "title"))

    def _is_offered(self, row: Key) -> bool:
        return row.where == "everywhere" or self.is_valid(row.id)

    def _footer(self, columns: int) -> Line:
        """What can be pressed: while a question is open, what answers it; else the screen's own keys that mean
        something now, as far as there is room, and at the right edge those of every screen.
        """
        asked = self.keys_read() if self.prompt is None else _YES_OR_NO if self.prompt.expected == "" else _TYPED
        if asked:
            return fit(tuple(span for key, word in asked for span in _spans(key, word)), columns, "bar")
        rows = [row for row in self.console_app.keymap.footer(self.place) if self._is_offered(row)]
        everywhere = [_key_spans(row) for row in rows if row.where == "everywhere"]
        while everywhere and sum(map(width, everywhere)) > columns:
            everywhere.pop()
        right: Line = tuple(span for spans in everywhere for span in spans)
        left: list[Span] = []
        for spans in (_key_spans(row) for row in rows if row.where != "everywhere"):
            if width(tuple(left)) + width(spans) + width(right) > columns:
                break
            left += spans
        return joined(tuple(left), right, columns, "bar")


def _key_spans(row: Key) -> Line:
    return _spans(shown_key(row.keys[0]), row.short)


def _spans(key: str, word: str) -> Line:
    return ((f" {key}", "key"), (f" {word} ", "bar-dim"))
