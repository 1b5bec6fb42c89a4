"""Our column names and the corpus's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from inft.errors import ConfigError, DataError


@dataclass(frozen=True)
class ColumnNames:
    """What the corpus calls each of our columns."""

    image: str = "image"
    title: str = "title"
    content: str = "content"
    caption: str = "caption"
    language: str = "language"

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str]) -> ColumnNames:
        """From `data.columns`; a column that it does not name keeps our name.

        Raises:
            ConfigError: it maps a column that we do not have.
        """
        ours = [field.name for field in fields(cls)]
        unknown = sorted(set(mapping) - set(ours))
        if unknown:
            raise ConfigError(
                f"data.columns: unknown {_plural('column', unknown)}.", f"Only these can be mapped: {', '.join(ours)}."
            )
        return cls(**mapping)

    def check(self, there: Iterable[str], where: str, *, language_needed: bool) -> None:
        """Refuses a file or dataset that lacks a column. A title may always be absent.

        Args:
            there: the columns there are.
            where: the file or dataset, for the message.
            language_needed: whether each row has to name its language.

        Raises:
            DataError: naming the missing columns and the ones there are.
        """
        columns = sorted(there)
        needed = {"image": self.image, "content": self.content, "caption": self.caption}
        if language_needed:
            needed["language"] = self.language
        missing = {ours: theirs for ours, theirs in needed.items() if theirs not in columns}
        if missing:
            example = next(iter(missing))
            hint = (
                " Without a language column, configure one language in data.languages, or keep a folder per language."
                if "language" in missing
                else ""
            )
            raise DataError(
                f"{where} lacks the {_plural('column', missing.values())}; it has {', '.join(columns) or 'none'}.",
                f'Map it with data.columns, for instance columns = {{ {example} = "its name there" }}.{hint}',
            )


def _plural(noun: str, names: Iterable[str]) -> str:
    listed = list(names)
    return f"{noun}{'s' if len(listed) > 1 else ''} {', '.join(listed)}"
