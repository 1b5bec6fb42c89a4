"""One way to write a moment: ISO 8601 in UTC, to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment, aware of its time zone."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """`moment` as every file of a run writes it.

    >>> timestamp(datetime(2025, 3, 1, 12, 30, 5, 250000, tzinfo=UTC))
    '2025-03-01T12:30:05.250Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
