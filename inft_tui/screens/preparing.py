"""What the two screens about a run to come share: the list of parameters with its one editor, saving and copying."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual import events
from textual.widget import Widget

from inft.errors import InftError
from inft.runs.visible import visible
from inft_tui.deeds import Outcome
from inft_tui.display.line_edit import LineEdit
from inft_tui.display.spans import EMPTY, Line, fit
from inft_tui.launch.clipboard import handed_over
from inft_tui.launch.command_text import command_text
from inft_tui.launch.draft import Draft
from inft_tui.launch.notes import Note
from inft_tui.screens.console_screen import ConsoleScreen, Prompt
from inft_tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from pathlib import Path

    from inft_tui.app import ConsoleApp

WHEEL_ROWS = 3


class PreparingScreen(ConsoleScreen):
    """A screen with the parameters of what is being prepared."""

    def __init__(self, console: ConsoleApp) -> None:
        super().__init__(console)
        self.preparation = console.subjects.preparation()
        self.view = LineView(console.palette)
        self._asked_about: Note | None = None
        self._name_prompt: Prompt | None = None
        self._is_saving = False

    def body(self) -> Widget:
        """All of it is lines."""
        return self.view

    def on_mount(self) -> None:
        """From here on it is told what comes."""
        self.preparation.changed = self.draw_if_shown

    def on_resize(self) -> None:
        """Fits everything into the new size."""
        super().on_resize()
        self.call_after_refresh(self.draw)

    def on_screen_resume(self) -> None:
        """It is shown again."""
        super().on_screen_resume()
        self.preparation.changed = self.draw_if_shown
        self.call_after_refresh(self.draw)

    def draw(self) -> None:
        """Draws the body; only what changed is sent."""
        raise NotImplementedError

    @property
    def note(self) -> Note | None:
        """What is to be read in full now: about the question that is open, else what was said last."""
        return self._asked_about or self.preparation.note

    def ask_about(self, prompt: Prompt, note: Note | None) -> None:
        """Puts a question with what there is to say about it."""
        self._asked_about = note
        self.ask(prompt)
        self.draw()

    def close_prompt(self) -> None:
        """Takes the question away, with what was said about it."""
        self._asked_about = None
        super().close_prompt()
        self.draw()

    def draw_if_shown(self) -> None:
        """Something has come."""
        if self.console_app.screen is self:
            self.draw()

    def page_rows(self) -> int:
        """How far a page goes."""
        return max(1, self.view.size.height // 2)

    def on_key(self, event: events.Key) -> None:
        """While a value is typed, all keys belong to it."""
        editor, draft = self.preparation.editor, self.preparation.draft
        note = self.preparation.note
        if self.prompt is None and note is not None and not note.stays:
            self.preparation.note = None
        if self.prompt is not None or editor.typing is None or draft is None:
            super().on_key(event)
            return
        event.stop()
        event.prevent_default()
        self.console_app.forget_notice()
        if event.key in ("escape", "ctrl+c"):
            editor.typing = None
            self.preparation.look()
        elif event.key in ("enter", "tab", "up", "down"):
            self._accept(draft, {"up": -1, "down": 1}.get(event.key, 0))
        else:
            edit = editor.typing.pressed(event.key)
            if edit is None and event.character is not None and event.is_printable:
                edit = editor.typing.typed(event.character)
            if edit is not None:
                self._type(draft, edit)
        self.draw()

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text is typed text."""
        event.stop()
        event.prevent_default()  # else the base class' own handler would have it once more
        editor, draft = self.preparation.editor, self.preparation.draft
        if self.prompt is None and editor.typing is not None and draft is not None:
            self._type(draft, editor.typing.typed(event.text))
            self.draw()
        else:
            super().on_paste(event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self._scroll(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self._scroll(-WHEEL_ROWS)

    def act_on_parameters(self, name: str, draft: Draft) -> bool:
        """What a key means to the list.

        Args:
            name: the key's id, without the screen's name.
            draft: what is being prepared.

        Returns:
            Whether it is one of the list's.
        """
        editor = self.preparation.editor
        at, info = editor.position(draft), editor.selected(draft)
        page = self.page_rows()
        moves = {
            "up": at - 1,
            "down": at + 1,
            "page-up": at - page,
            "page-down": at + page,
            "first": 0,
            "last": len(editor.shown(draft)) - 1,
        }
        if name in moves:
            editor.select(draft, moves[name])
        elif name == "change":
            self.preparation.put(editor.change(draft))
        elif name in ("choice-before", "choice-after"):
            self.preparation.put(editor.cycled(draft, -1 if name == "choice-before" else 1))
        elif name == "all":
            editor.toggle(draft)
        elif name == "filter":
            self.ask(Prompt("Find parameters with", self._find, expected=None, changed=self._find))
        elif name == "reset" and info is not None:
            self.preparation.put(draft.reset(info.key))
        elif name == "reset-all":
            self._reset_all(draft)
        elif name == "copy":
            self.console_app.copy_to_clipboard(command_text(draft.command(force=self.preparation.forces)))
            text, self.preparation.note = handed_over(os.environ)
            self.console_app.say(Outcome(text, went_well=True))
        elif name == "save":
            self._ask_for_name(draft)
        else:
            return False
        return True

    def _accept(self, draft: Draft, by: int) -> None:
        """What is typed becomes the value, unless it is none."""
        editor = self.preparation.editor
        if editor.refusal(draft):
            return
        tried = editor.tried(draft)
        editor.typing = None
        if by:
            editor.select(tried, editor.position(tried) + by)
        self.preparation.put(tried)

    def _type(self, draft: Draft, edit: LineEdit) -> None:
        editor = self.preparation.editor
        editor.typing = edit
        config = editor.tried(draft).config
        if config is not None and not editor.refusal(draft):
            self.preparation.foresee(config)

    def _scroll(self, rows: int) -> None:
        editor, draft = self.preparation.editor, self.preparation.draft
        if draft is not None and editor.typing is None:
            editor.select(draft, editor.position(draft) + rows)
            self.draw()

    def _find(self, text: str) -> None:
        if self.preparation.draft is not None:
            self.preparation.editor.find(self.preparation.draft, text)
        self.draw()

    def _reset_all(self, draft: Draft) -> None:
        if not draft.changes:
            return
        count = len(draft.changes)
        words = "this change" if count == 1 else f"all {count} changes"

        def reset(_: str) -> None:
            self.preparation.put(draft.unchanged())
            self.draw()

        self.ask(Prompt(f"Take back {words}?", reset))

    def _footer(self, columns: int) -> Line:
        """While something is typed, what ends that: all other keys are text."""
        if self.preparation.editor.typing is None and (self.prompt is None or self.prompt.expected == ""):
            return super()._footer(columns) if self.prompt is None else fit(EMPTY, columns, "bar")
        keys = ((" Enter", "key"), (" done ", "bar-dim"), (" Esc", "key"), (" leave it ", "bar-dim"))
        return fit(keys, columns, "bar")

    def _ask_for_name(self, draft: Draft, typed: LineEdit | None = None, refusal: Note | None = None) -> None:
        """Asks for a name, and goes on asking until it is one or somebody leaves it."""
        if draft.problems:
            self.console_app.say(Outcome(f"{draft.problems[0].text} {draft.problems[0].fix}", went_well=False))
            return

        def save(name: str) -> None:
            from inft.profiles.saving import save_as

            def job() -> Path | InftError:
                try:
                    return save_as(draft.opened, name.strip(), draft.overrides)
                except InftError as error:
                    return error

            # It stays open until it is saved: what is typed before would else be taken for keys.
            self._ask_for_name(draft, LineEdit(name, len(name)), refusal)
            if not self._is_saving:
                self._is_saving = True
                self.console_app.worker.ask(job, lambda saved: self._saved(draft, saved))

        prompt = Prompt("Save as a profile with the new name", save, expected=None, edit=typed or LineEdit())
        self._name_prompt = prompt
        self.ask_about(prompt, refusal)

    def _saved(self, draft: Draft, saved: Path | InftError) -> None:
        console, asked = self.console_app, self.prompt if self.prompt is self._name_prompt else None
        self._is_saving = False
        if isinstance(saved, InftError):
            words = f"{saved.message} {saved.fix}".strip()
            if asked is None:
                console.say(Outcome(words, went_well=False))
            else:
                self._ask_for_name(draft, asked.edit, Note("Not saved", (visible(words),), role="bad"))
            return
        if asked is not None:
            self.close_prompt()
        self.preparation.put(draft.unchanged())
        self.preparation.load(saved.stem)
        console.say(Outcome(f"Saved as {saved.stem}, which is chosen now.", went_well=True))
