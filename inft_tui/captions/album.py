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
        is_final: whether it was said when training had ended, by the adapters that were kept; these may be of an
            earlier step than what was said before.
    """

    step: int | None
    caption: str
    failure: str = ""
    is_final: bool = False


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
        moments: what the model said of it, in the order in which it was said; at least one.
        part: which run of those that continue each other said the last of it, from 0.
    """

    identity: Identity
    language: str
    number: int
    place: str = ""
    reference: str = ""
    picture: str = ""
    image: str = ""
    moments: list[Moment] = field(default_factory=list)
    part: int = 0


class Album:
    """All rows that were sampled, each with its history.

    Attributes:
        samples: how many captions were taken in.
        last_step: of the newest one that was made while training; None = none has a step.
        has_pictures: whether any row has a picture, as far as its record says.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.last_step: int | None = None
        self.has_pictures = False
        self._part = 0
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

    def take(self, records: Sequence[Record], seams: Sequence[int] = ()) -> bool:
        """Takes in further lines of `samples.jsonl`.

        Args:
            records: the lines.
            seams: before which of them those of another run begin, which continues the one before.

        Returns:
            Whether any of them was a sample.
        """
        before = self.samples
        for at, record in enumerate(records):
            self._part += seams.count(at)
            if record.get("event") == "sample":
                self._take(record)
        self._part += seams.count(len(records))
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
            row = self._rows[identity] = SampledRow(identity, language, row_number, part=self._part)
            self._languages.setdefault(language, len(self._languages))
            self._in_order = self._places = None
        row.place, row.reference = _text(record, "place"), reference
        row.picture, row.image = _text(record, "picture"), image
        self.has_pictures |= bool(row.picture or image)
        is_final = record.get("final") is True
        moment = Moment(None if at is None else int(at), caption, _text(record, "failure"), is_final)
        if row.part < self._part:
            row.part = self._part
            _take_back(row.moments, moment.step)
        if not row.moments or row.moments[-1] != moment:
            row.moments.append(moment)
        self.samples += 1
        if moment.step is not None and not is_final:
            self.last_step = moment.step


def _take_back(moments: list[Moment], step: int | None) -> None:
    """Takes out what a run has said from `step` on: the one that continues it went on from before, and did it again."""
    if step is not None:
        moments[:] = [moment for moment in moments if moment.step is None or moment.step < step]


def _text(record: Record, key: str) -> str:
    return text(record, key)[:MOST_CHARACTERS]
