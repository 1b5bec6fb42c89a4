"""The parameter editor: the list of Launch on the whole screen, with all that is known of the selected one."""

from __future__ import annotations

from typing import ClassVar

from inft.runs.visible import visible
from inft_tui.display.spans import EMPTY, Line, fit
from inft_tui.key_table import Place
from inft_tui.launch.layout import parameters_heading
from inft_tui.launch.lights import forecast_lines, heading
from inft_tui.launch.notes import note_lines
from inft_tui.launch.rows import about_lines, parameter_lines
from inft_tui.screens.preparing import PreparingScreen

ABOUT_ROWS = 6


class ParametersScreen(PreparingScreen):
    """The parameters of what is being prepared."""

    place: ClassVar[Place] = "parameters"
    heading: ClassVar[str] = "Parameters"
    period_s: ClassVar[float | None] = 1.0

    def about(self) -> Line:
        """Of which profile."""
        draft = self.preparation.draft
        return () if draft is None else ((f"  of {visible(draft.name)}", "bar-dim"),)

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        what, draft = name.partition(".")[2], self.preparation.draft
        if not name.startswith("parameters."):
            return False
        if what == "back":
            self.preparation.editor.filter = ""
            self.console_app.back()
            return True
        if draft is not None:
            self.act_on_parameters(what, draft)
        self.draw()
        return True

    def page_rows(self) -> int:
        """As many as are shown."""
        return max(1, self.view.size.height - ABOUT_ROWS - 4)

    def draw(self) -> None:
        """Draws the list, and below it what is known of the selected parameter."""
        columns, rows = self.view.size
        draft, editor = self.preparation.draft, self.preparation.editor
        if columns <= 0:
            return
        if draft is None:
            self.view.show([EMPTY, (("  The profile is no longer there. Go back and choose another one.", "title"),)])
            return
        info = editor.selected(draft)
        about_rows = max(2, min(ABOUT_ROWS, rows // 4))
        about = [] if info is None else about_lines(draft, info, columns, about_rows)
        memory = forecast_lines(self.preparation.outlook, columns, known=self.preparation.is_foreseen)[:1]
        below = [heading("" if info is None else info.key, (), columns, focused=False), *about]
        below += [EMPTY] * (about_rows - len(about)) + memory
        if self.note is not None:
            below = note_lines(self.note, columns, rows - 3)
        room = max(1, rows - len(below) - 1)
        shown = parameter_lines(editor, draft, columns, room, focused=True)
        lines: list[Line] = [parameters_heading(editor, draft, columns, focused=True), *shown]
        lines += [EMPTY] * (room - len(shown)) + below
        self.view.show([fit(line, columns, "text") for line in lines])
        self.draw_bars()
