"""What is to be read in full: why a start or a name was refused, and what a question is about."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from inft.readiness.check import Check
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.display.spans import Line
from inft_tui.launch.lights import check_lines, heading


@dataclass(frozen=True)
class Note:
    """Stands above the line of questions, where one line is too few.

    Attributes:
        title: of it.
        texts: paragraphs, wrapped as the screen is wide; safe to show.
        checks: lights that it is about.
        role: of the paragraphs.
        stays: whether it is there until something is changed; else until the next key.
    """

    title: str
    texts: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    role: str = "text"
    stays: bool = False


def note_lines(note: Note, columns: int, rows: int) -> list[Line]:
    """All of it, or as much as `rows` lines take, of which the last then says that there is more."""
    lines: list[Line] = [heading(note.title, (), columns, focused=True)]
    for check in note.checks:
        lines += check_lines(check, columns)
    for text in note.texts:
        lines += [((f"  {line}", note.role),) for line in textwrap.wrap(text, max(20, columns - 4))]
    if 0 < rows < len(lines):
        more = len(lines) - rows + 1
        lines[rows - 1 :] = [((f"  … {more} lines more, in a larger window", "dim"),)]
    return lines[: max(0, rows)]


def refused(name: str, complaint: str) -> Note:
    """Why a start did not come to be.

    Args:
        name: of what, safe to show.
        complaint: what the command said on stderr.
    """
    said = tuple(visible(redact(line.strip())) for line in complaint.splitlines() if line.strip())
    return Note(f"{name} was not started", said, role="bad", stays=True)
