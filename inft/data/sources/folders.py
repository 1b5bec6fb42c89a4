"""Folders of a corpus: one per language, or one for all; and picture files that must lie inside."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from inft.errors import DataError, UnknownSplitError

T = TypeVar("T")


@dataclass(frozen=True)
class LanguageData(Generic[T]):
    """What belongs to one language, or to several that a column tells apart.

    Attributes:
        language: None when each row names its own.
    """

    language: str | None
    data: T


def by_language(
    folder: Path,
    languages: Sequence[str],
    split: str,
    find: Callable[[Path], T | None],
    splits_in: Callable[[Path], Iterable[str]],
) -> list[LanguageData[T]]:
    """Finds `<folder>/<language>/<split>...` for every language, or else one `<folder>/<split>...` for all.

    Args:
        folder: the corpus.
        languages: those configured.
        split: for the message only.
        find: what a folder holds of the split; None when nothing.
        splits_in: names of the splits that a folder holds.

    Raises:
        DataError: a language's folder is missing, or the split.
    """
    found: list[LanguageData[T]] = []
    if not any((folder / language).is_dir() for language in languages):
        data = find(folder)
        if data is None:
            raise _no_split(folder, split, splits_in(folder))
        return [LanguageData(None, data)]
    missing = [language for language in languages if not (folder / language).is_dir()]
    if missing:
        raise DataError(
            f"{folder} has no folder for {', '.join(missing)}.",
            "Add it there, or take the language out of data.languages.",
        )
    for language in languages:
        data = find(folder / language)
        if data is None:
            raise _no_split(folder / language, split, splits_in(folder / language))
        found.append(LanguageData(language, data))
    return found


def sole_language(language: str | None, languages: Sequence[str], has_column: bool) -> str | None:
    """The language of all rows when it is known without looking at them: by folder, or as the only one configured."""
    if language is None and len(languages) == 1 and not has_column:
        return languages[0]
    return language


class PictureFolder:
    """Resolves the picture paths that a corpus names.

    Args:
        corpus: no relative path leads out of this folder.
        start: relative paths start here; in or at `corpus`.
    """

    def __init__(self, corpus: Path, start: Path) -> None:
        # Text, not Path: a corpus has a million of these and pathlib is ten times slower.
        self._corpus = os.path.abspath(corpus)
        self._start = os.path.abspath(start)

    def resolve(self, text: str) -> Path:
        """The file that `text` names. Links inside the corpus are followed: whoever made the folder put them there.

        Raises:
            ValueError: a relative path leads out of the corpus.
        """
        return Path(self._resolved(text))

    def look(self, text: str) -> tuple[str, bool]:
        """The file that `text` names, and whether it is one that is not empty.

        Raises:
            ValueError: as `resolve`.
        """
        path = self._resolved(text)
        try:
            facts = os.stat(path)
        except OSError:
            return path, False
        return path, stat.S_ISREG(facts.st_mode) and facts.st_size > 0

    def _resolved(self, text: str) -> str:
        if "\0" in text:
            raise ValueError("the picture's path has a null character")
        if os.path.isabs(text):
            return text
        path = os.path.normpath(os.path.join(self._start, text))
        if os.path.commonpath((path, self._corpus)) != self._corpus:
            raise ValueError(f"the picture {text!r} lies outside the corpus folder")
        return path


def _no_split(folder: Path, split: str, there: Iterable[str]) -> DataError:
    names = ", ".join(sorted(set(there)))
    if not names:
        return DataError(
            f"{folder} holds no data of the kind that data.source names.",
            "Set data.path to the folder of the corpus, and data.source to what its files are.",
        )
    return UnknownSplitError(
        f"{folder} has no split '{split}'; it has {names}.", "Set data.split (or data.eval_split) to one of these."
    )
