"""The parameters as lines: key, value, what differs, what is wrong; and about one of them all that is known."""

from __future__ import annotations

import textwrap

from inft.profiles import FieldInfo
from inft.runs.visible import visible
from inft_tui.display.spans import ELLIPSIS, Line, Span, cut, fit, pad
from inft_tui.launch.draft import Draft, value_of
from inft_tui.launch.editor import ParameterEditor
from inft_tui.launch.kinds import is_read
from inft_tui.launch.raw import raw_text

CURSOR = "▏"
CHANGED, STATED = "●", "○"
"""Beside what differs from the profile, and from the default."""
_HINT = "   Enter takes it, Esc does not"
_WIDEST_KEY = 33
_WIDEST_VALUE = 28
_NOTES_FROM = 24
"""Columns that have to be left for what a value was, and its unit."""


def parameter_lines(editor: ParameterEditor, draft: Draft, columns: int, rows: int, *, focused: bool) -> list[Line]:
    """The part of the list around the selected parameter, in `rows` lines at the most."""
    shown = editor.shown(draft)
    if not shown:
        nothing: Line = ((f"  No parameter has “{visible(editor.filter)}” in its name or description.", "dim"),)
        return [nothing][:rows]
    message = _message(editor, draft, columns)[: max(0, rows - 1)]
    at = editor.position(draft)
    room = max(1, rows - len(message))
    first = editor.scroll(draft, room)
    key_width = min(_WIDEST_KEY, max(len(info.key) for info in shown), max(12, columns // 2 - 4))
    lines: list[Line] = []
    for number, info in enumerate(shown[first : first + room], first):
        lines.append(_row(editor, draft, info, columns, key_width, selected=focused and number == at))
        if number == at:
            lines += message
    return lines[:rows]


def about_lines(draft: Draft, info: FieldInfo, columns: int, rows: int) -> list[Line]:
    """What a parameter means, what it may be, and where its value is from; in `rows` lines at the most."""
    facts = [_capital(info.allowed)]
    if not is_read(info, draft.base):
        facts.append(f"not read by {draft.base.family} in {draft.base.mode} mode")
    if not info.required:
        facts.append(f"default {_short(raw_text(info, info.default))}")
    if info.key in draft.changes:
        facts.append(f"the profile has {_short(raw_text(info, value_of(draft.base, info)))}")
    elif draft.origin(info) != "default":
        facts.append(f"stated in {visible(draft.origin(info))}")
    if not info.shapes_curve:
        facts.append("free to change on resume")
    told = [(line, "text") for line in _wrapped(info.description, columns)]
    told += [(line, "dim") for line in _wrapped("; ".join(facts) + ".", columns)]
    if 0 < rows < len(told):
        told[rows - 1] = (f"{told[rows - 1][0]} {ELLIPSIS}", told[rows - 1][1])
    return [(span,) for span in told[:rows]]


def difference_lines(draft: Draft, columns: int, rows: int) -> list[Line]:
    """What differs from the profile; what there is no room for is counted."""
    lines: list[Line] = []
    for difference in draft.differences:
        before = _short(raw_text(difference.info, difference.before))
        after = _short(draft.raw(difference.info))
        lines.append(
            fit((("  ", "text"), (f"{difference.info.key} ", "text"), (after, "accent"), (f"  was {before}", "dim")),
                columns, "text")
        )  # fmt: skip
    if not lines:
        lines.append((("  nothing", "dim"),))
    if len(lines) > rows:
        more = len(lines) - max(0, rows - 1)
        lines[max(0, rows - 1) :] = [((f"  and {more} more", "dim"),)]
    return lines[:rows]


def _row(
    editor: ParameterEditor, draft: Draft, info: FieldInfo, columns: int, key_width: int, *, selected: bool
) -> Line:
    changed, wrong = info.key in draft.changes, bool(draft.problem(info.key))
    differs = not info.required and draft.value(info) != info.default
    mark = CHANGED if changed else STATED if differs else " "
    table, dot, name = pad(info.key, key_width).rpartition(".")
    role = "bad" if wrong else "accent" if changed else "dim"
    counts = is_read(info, draft.base)
    value_role = "bad" if wrong else "accent" if changed else "title" if counts else "dim"
    spans: list[Span] = [(f" {mark} ", role), (table + dot, "dim"), (f"{name}  ", "text" if counts else "dim")]
    left = columns - key_width - 5
    if selected and editor.typing is not None:
        spans += _typed(editor.typing.text, editor.typing.cursor, left)
        return fit(tuple(spans), columns, "text")
    value = visible(draft.raw(info))
    wide = left - _WIDEST_VALUE >= _NOTES_FROM
    note = _note(draft, info) if wide else ""
    if note:
        spans += [(pad(value, _WIDEST_VALUE), value_role), ("  ", "text")]
        spans.append((note, "dim"))
    else:
        spans.append((value, value_role))
    line = fit(tuple(spans), columns, "text")
    return tuple((text, f"{role} selected") for text, role in line) if selected else line


def _typed(text: str, cursor: int, room: int) -> list[Span]:
    """The end of a long text goes out of sight before the cursor does."""
    start = max(0, cursor - max(0, room - 2))
    hint = _HINT if len(text) + len(_HINT) + 2 <= room else ""
    after = cut(text[cursor:], max(0, room - 2))
    return [(text[start:cursor], "title"), (CURSOR, "accent"), (after, "title"), (hint, "dim")]


def _note(draft: Draft, info: FieldInfo) -> str:
    """Its unit, and what it differs from."""
    parts = [info.unit] if info.unit and info.unit != "path" else []
    if info.key in draft.changes:
        parts.append(f"was {_short(raw_text(info, value_of(draft.base, info)))}")
    elif not info.required and draft.value(info) != info.default:
        parts.append(f"default {_short(raw_text(info, info.default))}")
    return ", ".join(parts)


def _message(editor: ParameterEditor, draft: Draft, columns: int) -> list[Line]:
    """Below the selected value: why it cannot be."""
    info = editor.selected(draft)
    tried = editor.tried(draft)
    text = editor.refusal(draft) or ("" if info is None else tried.problem(info.key))
    return [((f"   {line}", "bad"),) for line in _wrapped(visible(text), columns - 3)] if text else []


def _wrapped(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, max(20, columns - 4), initial_indent="  ", subsequent_indent="  ") if text else []


def _short(text: str) -> str:
    return visible(cut(text, 32))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
