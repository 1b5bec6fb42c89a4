"""The sampled rows of a run, in groups of one language each, with what the model said of each at every evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeAlias

from inft.runs.jsonl import Record
from inft.runs.narrate import number, text

MOST_CHARACTERS = 2000
"""Of one text; a caption has a hundred."""

Identity: TypeAlias = tuple[str, ...]
"""What makes a row the same one at every evaluation: its language, and its number, else what it looks like."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the model said at one time; texts are as they were written, so not yet safe to show.

    Attributes:
        step: optimiser steps done; None = before any.
        caption: empty where there is none.
        failure: why there is none; empty = there is one.
    """

    step: int | None
    caption: str
    failure: str = ""


@dataclass(slots=True)
class SampledRow:
    """A row of the corpus; texts are as they were written, so not yet safe to show.

    Attributes:
        identity: see there.
        language: code of the subset.
        number: of the row in its split; -1 = not known.
        place: where it is in the corpus, as a person would look for it; empty = not known.
        reference: the corpus's own caption.
        picture: of the small copy in the run's folder; empty = there is none.
        image: where the original lies; empty = it is no file.
        moments: what the model said of it, the newest last; at least one.
    """

    identity: Identity
    language: str
    number: int
    place: str = ""
    reference: str = ""
    picture: str = ""
    image: str = ""
    moments: list[Moment] = field(default_factory=list)


class Album:
    """All rows that were sampled, each with its history.

    Attributes:
        samples: how many captions were taken in.
        last_step: of the newest one; None = none has a step.
        has_pictures: whether any row has a picture, as far as its record says.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.last_step: int | None = None
        self.has_pictures = False
        self._rows: dict[Identity, SampledRow] = {}
        self._languages: dict[str, int] = {}
        self._in_order: Sequence[SampledRow] | None = None
        self._places: dict[Identity, int] | None = None

    @property
    def rows(self) -> Sequence[SampledRow]:
        """By language, in the order in which these were met first, and by number in each."""
        if self._in_order is None:
            by_number = sorted(self._rows.values(), key=attrgetter("number"))
            self._in_order = tuple(sorted(by_number, key=lambda row: self._languages[row.language]))
        return self._in_order

    @property
    def places(self) -> Mapping[Identity, int]:
        """Where each row is among `rows`."""
        if self._places is None:
            self._places = {row.identity: at for at, row in enumerate(self.rows)}
        return self._places

    @property
    def languages(self) -> int:
        """How many there are."""
        return len(self._languages)

    def take(self, records: Sequence[Record]) -> bool:
        """Takes in further lines of `samples.jsonl`; whether any of them was a sample."""
        before = self.samples
        for record in records:
            if record.get("event") == "sample":
                self._take(record)
        return self.samples > before

    def _take(self, record: Record) -> None:
        language, caption = _text(record, "language"), _text(record, "generated_caption")
        reference, image = _text(record, "reference_caption"), _text(record, "image")
        found, at = number(record, "row"), number(record, "global_step")
        row_number = -1 if found is None else int(found)
        # Lines of versions that wrote no number.
        named = (str(row_number),) if row_number >= 0 else (reference, image)
        identity = (language, *named)
        row = self._rows.get(identity)
        if row is None:
            row = self._rows[identity] = SampledRow(identity, language, row_number)
            self._languages.setdefault(language, len(self._languages))
            self._in_order = self._places = None
        row.place, row.reference = _text(record, "place"), reference
        row.picture, row.image = _text(record, "picture"), image
        self.has_pictures |= bool(row.picture or image)
        moment = Moment(None if at is None else int(at), caption, _text(record, "failure"))
        _add(row.moments, moment)
        self.samples += 1
        if moment.step is not None:
            self.last_step = moment.step


def _add(moments: list[Moment], moment: Moment) -> None:
    """Adds it behind the others; a run that went on from an earlier step has taken back what came after that."""
    step = moment.step
    while moments and step is not None and (last := moments[-1].step) is not None and last > step:
        moments.pop()
    if not moments or moments[-1] != moment:
        moments.append(moment)


def _text(record: Record, key: str) -> str:
    return text(record, key)[:MOST_CHARACTERS]
