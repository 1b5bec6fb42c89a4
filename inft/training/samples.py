"""Captions beside the corpus's own, for a person to look at: `samples.jsonl`, with a small copy of each picture."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from inft.captioning.captioner import Caption
from inft.data.images import open_image
from inft.data.rows import Corpus, ImageRef, UnusableRow
from inft.errors import DiskError
from inft.runs import events
from inft.runs.files import replace_file
from inft.training.report import RunReport

PICTURES = "pictures"
"""The folder in a run's directory."""

LONGEST_SIDE = 480
"""Of a copy, in pixels: more than a terminal shows, and some 30 kB."""

_QUALITY = 80


class Samples:
    """Writes captions down; a row's picture once, whatever becomes of the corpus or wherever the run is copied to.

    Args:
        corpus: whose rows were captioned.
        folder: the run's directory.
        report: takes the events.
    """

    def __init__(self, corpus: Corpus, folder: Path, report: RunReport) -> None:
        self._corpus = corpus
        self._folder = folder
        self._report = report
        self._pictures: dict[int, str | None] = {}

    def write(self, captions: Iterable[Caption], step: int, *, final: bool = False) -> None:
        """A `sample` event for each caption; one whose row cannot be read any more is left out.

        Args:
            captions: of rows of the corpus.
            step: optimiser steps that went into the adapters.
            final: whether they are those that the run ends with, which may be older than the captions before.
        """
        extra: dict[str, Any] = {"final": True} if final else {}
        for caption in captions:
            with suppress(UnusableRow):
                row = self._corpus[caption.row]
                source = row.image.source
                self._report.sample(
                    events.sample(
                        language=row.language,
                        reference_caption=row.caption.strip(),
                        generated_caption=caption.text,
                        image=str(source) if isinstance(source, Path) else None,
                        global_step=step,
                        row=caption.row,
                        place=row.place,
                        picture=self._picture(caption.row, row.image),
                        failure=caption.failure,
                        **extra,
                    )
                )

    def _picture(self, row: int, image: ImageRef) -> str | None:
        if row not in self._pictures:
            try:
                self._pictures[row] = self._copy(row, image)
            except (OSError, DiskError):  # no reason to end a run; next time there may be room
                return None
        return self._pictures[row]

    def _copy(self, row: int, image: ImageRef) -> str | None:
        """The copy's place; None if the picture is broken, and always will be."""
        name = f"{PICTURES}/{row}.jpg"
        content = io.BytesIO()
        try:
            picture = open_image(image)
        except UnusableRow:
            return None
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        picture.save(content, "JPEG", quality=_QUALITY)
        (self._folder / PICTURES).mkdir(exist_ok=True)
        replace_file(self._folder / name, content.getvalue(), durable=False)
        return name
