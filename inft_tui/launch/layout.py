"""The picture of the Launch screen for a size: what is chosen above, parameters and lights below, the command last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from inft.runs.visible import visible
from inft_tui.display.spans import EMPTY, Line, Span, fit, pad, width
from inft_tui.launch.catalogue import FAMILIES, MODES, Entry, model_title
from inft_tui.launch.command_text import command_lines
from inft_tui.launch.draft import Draft
from inft_tui.launch.editor import ParameterEditor, editable
from inft_tui.launch.lights import forecast_lines, heading, light_lines, worst_lines
from inft_tui.launch.notes import Note, note_lines
from inft_tui.launch.preparation import Preparation
from inft_tui.launch.rows import CHANGED, STATED, about_lines, difference_lines, parameter_lines

Part: TypeAlias = Literal["model", "mode", "profile", "parameters", "lights"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What Tab leads through."""

WIDE, HIGH = 110, 20
"""Columns from which on parameters and lights stand beside each other, and rows for that."""
_MODEL, _MODE = 26, 14
_ABOUT = 4
"""Rows about the selected parameter, of which one stays empty."""
_COMMAND = 4
"""Rows of it at the most, unless there are plenty."""


@dataclass(frozen=True)
class View:
    """What is drawn.

    Attributes:
        preparation: of what.
        focus: the part that keys are about.
        light: which light is selected, where that part is the lights.
        note: what is to be read before anything else; None = nothing.
    """

    preparation: Preparation
    focus: Part
    light: int = 0
    note: Note | None = None


def picture(view: View, columns: int, rows: int) -> list[Line]:
    """The whole body, in so many columns and rows."""
    preparation = view.preparation
    if preparation.catalogue is None:
        return [EMPTY, (("  Reading the profiles …", "dim"),)]
    top = _choice_lines(view, columns, rows)
    draft = preparation.draft
    if draft is None:
        return [*top, EMPTY, *_no_profile(preparation)]
    bottom = _command_lines(draft, columns, rows, force=preparation.forces)
    if view.note is not None:
        bottom += note_lines(view.note, columns, rows - len(bottom))
        top = top[: max(0, rows - len(bottom))]
    room = rows - len(top) - len(bottom)
    if columns >= WIDE and rows >= HIGH:
        middle = _beside(view, draft, columns, room)
    else:
        middle = _below(view, draft, columns, room)
    return [*top, *_exactly(middle, room), *bottom]


def _choice_lines(view: View, columns: int, rows: int) -> list[Line]:
    """Model, mode and profile side by side."""
    preparation, focus = view.preparation, view.focus
    entries, entry = preparation.entries, preparation.entry
    most = 2 if rows < HIGH else 4 if rows < 34 else 8
    count = max(2, min(most, len(entries)))
    at = entries.index(entry) if entry is not None else 0
    first = max(0, min(at - count // 2, len(entries) - count))
    models = [_choice(model_title(name), name == preparation.family, focus == "model") for name in FAMILIES]
    modes = [_choice(name, name == preparation.mode, focus == "mode") for name in MODES]
    names = [_profile(one, one is entry, focus == "profile", columns) for one in entries[first : first + count]]
    if not entries:
        names = [(("  there is none of this kind", "dim"),)]
    heads = [_choice_head("Model", focus == "model"), _choice_head("Mode", focus == "mode")]
    note = f"  {at + 1} of {len(entries)}" if len(entries) > count else ""
    head: Line = (*_cell(heads[0], _model(columns)), *_cell(heads[1], _mode(columns)),
                  *_choice_head("Profile", focus == "profile"), (note, "dim"))  # fmt: skip
    lines: list[Line] = [] if rows < HIGH else [EMPTY]
    lines.append(head)
    for row in range(count):
        cells = (*_cell(_at(models, row), _model(columns)), *_cell(_at(modes, row), _mode(columns)))
        lines.append((*cells, *_at(names, row)))
    return [*lines, EMPTY] if rows >= HIGH else lines


def _beside(view: View, draft: Draft, columns: int, room: int) -> list[Line]:
    """Parameters at the left, and at the right what is known of a run with them."""
    left = columns * 11 // 20
    right = columns - left - 2
    about = min(_ABOUT + 1, max(0, room - 8))
    shown = _parameters(view, draft, left, room - about - 1, about)
    preparation, lights = view.preparation, view.preparation.lights
    memory = forecast_lines(preparation.outlook, right, known=preparation.is_foreseen)
    differs = difference_lines(draft, right, max(1, room // 3))
    spare = room - len(memory) - len(differs) - 3 - 3
    told = light_lines(lights, right, max(2, spare), view.light if view.focus == "lights" else None)
    word, role = lights.verdict
    beside: list[Line] = [
        heading("Ready?", ((f" {word} ", role),), right, focused=view.focus == "lights"),
        *told,
        EMPTY,
        heading("GPU memory", (), right, focused=False),
        *memory,
        EMPTY,
        heading(f"Differs from {visible(draft.name)}", (), right, focused=False),
        *differs,
    ]
    gap = (("  ", "text"),)
    pairs = zip(_exactly(shown, room), _exactly(beside, room), strict=True)
    return [(*fit(one, left, "text"), *gap, *other) for one, other in pairs]


def _below(view: View, draft: Draft, columns: int, room: int) -> list[Line]:
    """All in one column; the part that keys are about gets the room."""
    preparation, lights = view.preparation, view.preparation.lights
    word, role = lights.verdict
    memory = forecast_lines(preparation.outlook, columns, known=preparation.is_foreseen)[: 1 if room < 14 else 2]
    on_lights = view.focus == "lights"
    head = heading("Ready?", ((f" {word} ", role),), columns, focused=on_lights)
    if on_lights:
        told = light_lines(lights, columns, max(1, room - len(memory) - 1), view.light)
        return [head, *told, *_exactly([], room - len(memory) - 1 - len(told)), *memory]
    told = worst_lines(lights, columns, max(1, min(room - len(memory) - 4, room // 2)))
    about = min(_ABOUT, max(0, room - 11)) if view.focus == "parameters" else 0
    parameters = _parameters(view, draft, columns, room - len(told) - len(memory) - 2 - about, about)
    return [*parameters, head, *told, *memory]


def _parameters(view: View, draft: Draft, columns: int, rows: int, about: int) -> list[Line]:
    """The list under its heading, and about the selected one in the rows below."""
    editor, focused = view.preparation.editor, view.focus == "parameters"
    lines = [parameters_heading(editor, draft, columns, focused=focused)]
    lines += parameter_lines(editor, draft, columns, max(1, rows), focused=focused)
    info = editor.selected(draft)
    if focused and info is not None and about:
        lines += [EMPTY, *about_lines(draft, info, columns, about - 1)]
    return _exactly(lines, 1 + max(1, rows) + about)


def parameters_heading(editor: ParameterEditor, draft: Draft, columns: int, *, focused: bool) -> Line:
    """How many are shown, and how many differ."""
    shown = len(editor.shown(draft))
    if editor.filter:
        what = f"{shown} with “{visible(editor.filter)}”"
    elif editor.shows_everything(draft):
        what = f"all {shown}"
    else:
        what = f"{shown} of {len(editable())}, a shows all"
    changed: list[Span] = [(f"  {CHANGED} {len(draft.changes)} changed", "accent")] if draft.changes else []
    for legend in (f"   {STATED} not the default", f"  {STATED} not default", ""):
        line = heading("Parameters", ((f" {what}", "dim"), (legend, "dim"), *changed, (" ", "dim")), 0, focused=focused)
        if width(line) <= columns:
            break
    return heading("Parameters", line[1:], columns, focused=focused)


def _command_lines(draft: Draft, columns: int, rows: int, *, force: bool) -> list[Line]:
    """The command in full, where it fits in a third of the screen; what is wrong goes before it."""
    if draft.problems:
        problem = draft.problems[0]
        note = Note("Cannot be started", (visible(f"{problem.text} {problem.fix}"),), role="bad")
        return note_lines(note, columns, max(2, rows // 3))
    words = [visible(word) for word in draft.command(force=force)]
    lines = command_lines(words, columns, "  ")
    most = max(_COMMAND if rows >= HIGH else 3, rows // 3)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"  … {len(lines) - most + 1} lines more; c copies all of it"]
    return [heading("Command", (), columns, focused=False), *(((line, "accent"),) for line in lines)]


def _no_profile(preparation: Preparation) -> list[Line]:
    entry = preparation.entry
    if entry is None:
        return [(("  There is no profile for this model and mode.", "title"),)]
    return [
        ((f"  {visible(entry.summary.name)} cannot be used:", "title"),),
        ((f"  {visible(entry.summary.problem)}", "bad"),),
        ((f"  Correct it in {visible(str(entry.summary.path))}; it is read again when this screen is.", "dim"),),
    ]


def _choice_head(text: str, focused: bool) -> Line:
    return ((f" {text}", "accent" if focused else "dim"),)


def _choice(text: str, chosen: bool, focused: bool) -> Line:
    if not chosen:
        return ((f"   {text} ", "text"),)
    return ((f" ▸ {text} ", "title selected" if focused else "title"),)


def _profile(entry: Entry, chosen: bool, focused: bool, columns: int) -> Line:
    summary = entry.summary
    name = pad(visible(summary.name), min(24, max(len(summary.name), 12)))
    about = f"cannot be used: {visible(summary.problem)}" if entry.opened is None else visible(summary.description)
    note = (f"  {about}", "bad" if entry.opened is None else "dim")
    left = columns - _model(columns) - _mode(columns)
    return fit((*_choice(name, chosen, focused), note), left, "text")


def _model(columns: int) -> int:
    return _MODEL if columns >= 76 else 24


def _mode(columns: int) -> int:
    return _MODE if columns >= 76 else 12


def _cell(line: Line, columns: int) -> Line:
    return fit(line, columns, "text")


def _at(lines: Sequence[Line], row: int) -> Line:
    return lines[row] if row < len(lines) else EMPTY


def _exactly(lines: Sequence[Line], rows: int) -> list[Line]:
    return [*lines[: max(0, rows)], *[EMPTY] * (rows - len(lines))]
