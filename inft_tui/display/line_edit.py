"""A line of text as it is typed: what each key makes of it, and nothing about the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LineEdit:
    """The text, and how many of its characters stand before the cursor."""

    text: str = ""
    cursor: int = 0

    def typed(self, text: str) -> LineEdit:
        """With `text` where the cursor is; a pasted line end is a blank."""
        plain = "".join(character if character.isprintable() else " " for character in text)
        return LineEdit(self.text[: self.cursor] + plain + self.text[self.cursor :], self.cursor + len(plain))

    def pressed(self, key: str) -> LineEdit | None:
        """What a key makes of it; None if it means nothing in a line of text.

        >>> LineEdit("loss", 4).pressed("backspace")
        LineEdit(text='los', cursor=3)
        """
        text, cursor = self.text, self.cursor
        match key:
            case "left":
                return LineEdit(text, max(0, cursor - 1))
            case "right":
                return LineEdit(text, min(len(text), cursor + 1))
            case "home" | "ctrl+a":
                return LineEdit(text, 0)
            case "end" | "ctrl+e":
                return LineEdit(text, len(text))
            case "backspace" | "ctrl+h":
                return LineEdit(text[: max(0, cursor - 1)] + text[cursor:], max(0, cursor - 1))
            case "delete" | "ctrl+d":
                return LineEdit(text[:cursor] + text[cursor + 1 :], cursor)
            case "ctrl+u":
                return LineEdit(text[cursor:], 0)
            case "ctrl+k":
                return LineEdit(text[:cursor], cursor)
            case "ctrl+w":
                kept = text[:cursor].rstrip()
                kept = kept[: kept.rfind(" ") + 1]
                return LineEdit(kept + text[cursor:], len(kept))
            case _:
                return None
