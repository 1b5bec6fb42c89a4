"""The conversation a row becomes: one user turn with picture, instruction and article, one answer with the caption."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ZERO_WIDTH_SPACE = "\u200b"

INSTRUCTION = (
    "Write a brief journalistic caption in {language} for this news photo. "
    "Name the people, places and organisations that the article tells of."
)

LAYOUT_VERSION = 1
"""Goes up whenever the same row becomes another prompt: lengths measured before are then measured again."""


@dataclass(frozen=True)
class PromptParts:
    """The texts of one row, ready to be laid out; the article is what may be shortened."""

    language_name: str
    title: str
    article: str
    caption: str

    def user_text(self) -> str:
        """The user's turn. Texts are joined, never formatted, so braces in an article stay what they are."""
        lines = [INSTRUCTION.replace("{language}", self.language_name)]
        if self.title:
            lines.append(f"Headline: {self.title}")
        if self.article:
            lines.append(f"Article: {self.article}")
        return "\n".join(lines)

    def prompt_messages(self) -> list[dict[str, Any]]:
        """The conversation up to where the model answers."""
        return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": self.user_text()}]}]

    def full_messages(self) -> list[dict[str, Any]]:
        """The conversation with the caption as the answer."""
        answer = {"role": "assistant", "content": [{"type": "text", "text": self.caption}]}
        return [*self.prompt_messages(), answer]


class SpecialTokenGuard:
    """Keeps texts of the corpus from being read as the model's control tokens.

    A caption that contains `<|eot_id|>` or `<|image|>` would end the turn or ask for another picture. A zero-width
    space behind the first character of such a string keeps it readable and makes it ordinary text.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        alternatives = "|".join(re.escape(token) for token in sorted(set(tokens)) if len(token) > 1)
        # The first character alone is matched, so that tokens which overlap are all found.
        self._first = re.compile(f"(?=(?:{alternatives})).", re.DOTALL) if alternatives else re.compile("(?!)")

    def disarm(self, text: str) -> str:
        r"""`text` with every control token broken.

        >>> SpecialTokenGuard(["<image>"]).disarm("an <image> tag") == "an <\u200bimage> tag"
        True
        """
        return self._first.sub(lambda match: match[0] + ZERO_WIDTH_SPACE, text)
