"""What is said in full."""

from __future__ import annotations

import pytest

from inft.readiness.check import red
from inft_tui.display.spans import Line, width
from inft_tui.launch.clipboard import handed_over
from inft_tui.launch.notes import Note, note_lines, refused

LONG = "Run hot-20250301-120000 has been writing to /some/where/best since 2025-03-01T12:00:00Z."


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line).rstrip() for line in lines]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_refusal_can_be_read_to_its_end(columns: int) -> None:
    note = refused("hot", f"{LONG}\n  Stop it with `inft-tui stop hot-20250301-120000`, hf_abcdefgh12345678.\n")
    lines = note_lines(note, columns, 12)
    assert all(width(line) <= columns for line in lines)
    shown = " ".join(line.strip() for line in text(lines)[1:])
    assert LONG in shown
    assert "Stop it with `inft-tui stop hot-20250301-120000`" in shown
    assert "abcdefgh" not in shown


def test_what_has_no_room_is_counted() -> None:
    note = Note("x", checks=(red("gpu", "None.", "Buy one."), red("driver", "None.", "Install it.")))
    assert text(note_lines(note, 60, 4))[1:] == [
        "  ✗ gpu: None.",
        "  → Buy one.",
        "  … 2 lines more, in a larger window",
    ]
    assert len(note_lines(note, 60, 5)) == 5


def test_no_more_is_said_of_the_clipboard_than_is_known() -> None:
    text, more = handed_over({})
    assert "clipboard." not in text
    assert more is None
    text, more = handed_over({"TMUX": "/tmp/tmux-0/default,1,0"})
    assert "may" in text
    assert more is not None
    assert "tmux set -g set-clipboard on" in more.texts[0]
