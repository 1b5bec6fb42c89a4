"""What a corpus is made of: rows, their pictures still encoded, and what a scan says about each row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

UNKNOWN_LANGUAGE = "unknown"
"""Stands for the language of a row that is too broken to name one."""


class UnusableRow(ValueError):
    """A row that a run skips and counts.

    Not an `InftError`: one bad row is no reason to stop, only too many are (`inft.data.skips`).

    Attributes:
        cause: what it is counted under, for instance "unreadable_row".
        place: where the row stands, as `Row.place`.
        reason: what is wrong with it, in a person's words.
    """

    cause = "unusable_row"

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class UnreadableRow(UnusableRow):
    """A row that is not what its format promises: broken JSON, a number where text belongs."""

    cause = "unreadable_row"


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A picture that nobody has decoded yet.

    Attributes:
        source: the encoded file's bytes, or where the file lies. Empty bytes mean that the row has no picture.
        place: where the row stands, for messages.
    """

    source: bytes | Path
    place: str


@dataclass(frozen=True, slots=True)
class Row:
    """One example. Text is as it stands in the corpus; an absent title is empty.

    Attributes:
        place: where the row stands: "train.jsonl line 12" (lines count from 1, as editors do) or
            "tharindu/MUNIChus en train row 3" (rows count from 0, as `dataset[3]` does).
    """

    language: str
    title: str
    content: str
    caption: str
    image: ImageRef
    place: str


class RowFacts(NamedTuple):
    """What a scan learns about a row without decoding its picture.

    Attributes:
        language: None when the row names none.
        problem: why the row cannot be read; empty when it can.
        picture: the file that its picture is to be in, whether or not it is there; empty when there is no such file.
        article: `article_key` of its article; 0 when that is empty, or nobody asked.
    """

    language: str | None
    has_caption: bool
    has_content: bool
    has_image: bool
    problem: str = ""
    picture: str = ""
    article: int = 0


class Corpus(Protocol):
    """Rows by number. Picklable, cheap to fork, and it holds no picture and no copy of the text."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Row:
        """The row, read now.

        Raises:
            IndexError: there is no such row.
            UnreadableRow: it is not what its format promises.
        """
        ...


class ScannableCorpus(Corpus, Protocol):
    """A corpus that rows can be chosen from."""

    def scan(self, *, articles: bool = False) -> Iterator[RowFacts]:
        """Facts about every row, in order, from the text columns and whatever tells that a picture is there.

        Args:
            articles: whether to say which rows have the same article.
        """
        ...

    def place(self, index: int) -> str:
        """Where the row stands, as `Row.place`."""
        ...


def has_text(value: str | None) -> bool:
    """Whether there is anything but white space."""
    return value is not None and not (value == "" or value.isspace())


def article_key(text: str | None) -> int:
    """A number from 1 to 2^64 - 1 for each article, in practice its own; 0 for none. White space around it is not seen.

    >>> article_key("An article. "), article_key(" ")
    (17919151946673165551, 0)
    """
    stripped = (text or "").strip()
    if not stripped:
        return 0
    digest = hashlib.blake2b(stripped.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
