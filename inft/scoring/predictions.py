"""A caption beside the one that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was generated for one row.

    Attributes:
        language: the row's language, as its corpus calls it.
        reference: the row's own caption.
        generated: what the model wrote; empty where there is nothing, which is scored as such.
        row: its number in the split's selection; None where a file does not tell.
        failure: why there is no caption; None where there is one.
    """

    language: str
    reference: str
    generated: str
    row: int | None = None
    failure: str | None = None

    @property
    def failed(self) -> bool:
        """Whether there is no caption."""
        return self.failure is not None or not self.generated.strip()

    @property
    def scored(self) -> str:
        """What is scored: a row that failed is an empty caption, whatever is written there."""
        return "" if self.failed else self.generated
