"""The list of parameters as somebody goes through it: which are shown, which is selected, what is being typed."""

from __future__ import annotations

from functools import cache

from inft.profiles import FieldInfo, describe_fields
from inft.profiles.knobs import fields_by_key
from inft_tui.display.line_edit import LineEdit
from inft_tui.launch.draft import Draft, next_choice
from inft_tui.launch.raw import refusal

TEN = (
    "sft.lr",
    "sft.num_epochs",
    "data.languages",
    "data.max_rows_per_lang",
    "data.batch_size",
    "sft.gradient_accumulation_steps",
    "sft.fit",
    "basic.max_length",
    "lora.r",
    "lora.alpha",
)
"""What people turn."""
_CHOSEN_ELSEWHERE = frozenset({"family", "mode"})


@cache
def editable() -> tuple[FieldInfo, ...]:
    """All that can be changed in the list, names last; model and mode are chosen beside it."""
    known = [info for info in describe_fields() if info.key not in _CHOSEN_ELSEWHERE]
    return tuple(sorted(known, key=lambda info: not info.table))


class ParameterEditor:
    """Where somebody is in the list.

    Attributes:
        everything: whether all are shown, or the ten; None = as suits the mode.
        filter: only those with these words, first those that are called so; it searches all of them.
        first: how many shown ones are above the screen.
        typing: the new value as far as it is typed; None = none is.
    """

    def __init__(self) -> None:
        self.everything: bool | None = None
        self.filter = ""
        self.first = 0
        self.typing: LineEdit | None = None
        self._selected = ""

    def shows_everything(self, draft: Draft) -> bool:
        """Whether all are shown: in advanced mode, unless somebody decided."""
        return draft.base.mode == "advanced" if self.everything is None else self.everything

    def toggle(self, draft: Draft) -> None:
        """Shows all instead of ten, or the other way round."""
        self.everything, self.filter = not self.shows_everything(draft), ""

    def shown(self, draft: Draft) -> tuple[FieldInfo, ...]:
        """Those in the list."""
        words = self.filter.lower().split()
        if words:
            found = [info for info in editable() if _has(_about(info), words)]
            return tuple(sorted(found, key=lambda info: _distance(info, words)))
        if self.shows_everything(draft):
            return editable()
        return tuple(fields_by_key()[key] for key in TEN)

    def selected(self, draft: Draft) -> FieldInfo | None:
        """The one that keys are about; None where none is shown."""
        shown = self.shown(draft)
        return shown[self.position(draft)] if shown else None

    def position(self, draft: Draft) -> int:
        """Where it is in the list."""
        return next((at for at, info in enumerate(self.shown(draft)) if info.key == self._selected), 0)

    def select(self, draft: Draft, at: int) -> None:
        """Another one."""
        shown = self.shown(draft)
        if shown:
            self._selected = shown[max(0, min(at, len(shown) - 1))].key

    def find(self, draft: Draft, text: str) -> None:
        """Shows only those with these words, and selects the first; without any it all stays as it is selected."""
        self.filter = text.strip()
        if self.filter:
            self.select(draft, 0)

    def scroll(self, draft: Draft, room: int) -> int:
        """How many are above the screen when `room` of them fit, such that the selected one is there."""
        at, count = self.position(draft), len(self.shown(draft))
        self.first = max(0, min(self.first, at, count - room), at - room + 1)
        return self.first

    def change(self, draft: Draft) -> Draft:
        """What Enter means: the next choice where there are few, else typing begins."""
        info = self.selected(draft)
        if info is None:
            return draft
        raw = next_choice(info, draft.value(info))
        if raw is not None:
            return draft.changed(info.key, raw)
        text = draft.raw(info)
        self.typing = LineEdit(text, len(text))
        return draft

    def cycled(self, draft: Draft, by: int) -> Draft:
        """With the choice that many after this one; what is typed has none."""
        info = self.selected(draft)
        raw = None if info is None else next_choice(info, draft.value(info), by)
        return draft if info is None or raw is None else draft.changed(info.key, raw)

    def tried(self, draft: Draft) -> Draft:
        """With what is typed so far, where that is a value."""
        info = self.selected(draft)
        if self.typing is None or info is None or refusal(info, self.typing.text):
            return draft
        return draft.changed(info.key, self.typing.text)

    def refusal(self, draft: Draft) -> str:
        """Why what is typed is no value; empty while it is one, and while nothing is typed."""
        info = self.selected(draft)
        return "" if self.typing is None or info is None else refusal(info, self.typing.text)


def _about(info: FieldInfo) -> str:
    return f"{info.key} {info.description} {info.unit}".lower()


def _distance(info: FieldInfo, words: list[str]) -> int:
    """How far from what was meant: called so, with that in the name, or only said to be about it."""
    if info.key.startswith(words[0]) or info.name.startswith(words[0]):
        return 0
    return 1 if _has(info.key, words) else 2


def _has(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)
