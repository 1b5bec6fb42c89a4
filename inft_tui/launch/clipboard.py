"""What can be said of a command that was handed to the terminal to copy: whether it took it is never told."""

from __future__ import annotations

from collections.abc import Mapping

from inft_tui.launch.notes import Note


def handed_over(environment: Mapping[str, str]) -> tuple[str, Note | None]:
    """The sentence for it, and what more there is to say.

    Args:
        environment: of the console.
    """
    if environment.get("TMUX"):
        return "Handed to tmux, which may keep it to itself.", Note(
            "If it cannot be pasted",
            (
                "tmux passes on what is to be copied only after  tmux set -g set-clipboard on",
                "Without that, mark the command with the mouse.",
            ),
        )
    if environment.get("STY"):
        return "Handed to screen, which passes nothing on to the clipboard; mark it with the mouse.", None
    return "Handed to the terminal; whether it can be pasted is the terminal's to decide.", None
